"""Print what benchmarks/gpu.py recorded: a row for each variant of the step, and a line for everything else."""

import statistics
from typing import Any

Record = dict[str, Any]


def show(records: list[Record]) -> None:
    """Print the table of speed, the attention kernels, the runs, and what failed or was left out."""
    found = [record for record in records if "outcome" not in record]
    _show_speed(found)
    for record in found:
        if record["part"] == "facts" and "gpu" in record:
            print(f"{record['gpu']}, torch {record['torch']}, CUDA {record['cuda']}, cuDNN {record['cudnn']}")
        elif record["part"] == "kernels":
            time = f"{record['device_ms']:.3f} ms" if "device_ms" in record else record["skipped"]
            print(f"attention {record['kernel']}, {record['layout']}: {time}")
        elif record["part"] in ("train", "resume"):
            _show_run(record)
        elif record["part"] == "breakdown" and "table" in record:
            print(f"breakdown {record['size']} {record['variant']}: {record['device_ms']:.2f} ms a step on the device")
            for name, milliseconds, _ in record["table"][:8]:
                print(f"    {milliseconds:7.3f} ms  {name}")
    for record in records:
        if record.get("outcome") in ("failed", "left out"):
            print(f"{record['outcome']}: {' '.join([record['part'], *record['arguments']])}: {record['reason']}")


def _show_speed(records: list[Record]) -> None:
    timed = [r for r in records if r["part"] == "speed" and "ms" in r]
    if not timed:
        return
    print(
        f"{'':<24}{'ms a step':>10}{'spread':>8}{'host ms':>8}{'tokens/s':>11}{'MFU':>7}{'GB':>7}"
        f"{'cold':>8}{'warm':>8}{'ratio':>7}  attention"
    )
    baselines: dict[str, float] = {}
    for size, variant in dict.fromkeys((r["size"], r["variant"]) for r in timed):
        mine = [r for r in timed if (r["size"], r["variant"]) == (size, variant)]
        times = [milliseconds for record in mine for milliseconds in record["all_ms"]]
        median = statistics.median(times)
        baseline = baselines.setdefault(size, median)
        best = min(mine, key=lambda record: record["ms"])
        print(
            f"{size} {variant:<20}{median:>10.2f}{max(times) - min(times):>8.2f}{min(best['host_ms']):>8.2f}"
            f"{best['tokens_per_second']:>11,.0f}{best['mfu']:>7.1%}{best['peak_gb']:>7.1f}"
            f"{_first_step(records, size, variant, 'cold'):>8}{_first_step(records, size, variant, 'warm'):>8}"
            f"{baseline / median:>7.2f}  {_attention(records, size, variant) or best['attention']}"
        )


def _first_step(records: list[Record], size: str, variant: str, compiled: str) -> str:
    """Return the seconds from a built model to the end of its first step, from an empty or a filled compile cache."""
    wanted = (size, variant, compiled)
    found = [
        r["first_step_s"]
        for r in records
        if (r.get("size"), r.get("variant"), r.get("compiled")) == wanted and not r.get("beside_others")
    ]
    return f"{min(found):.1f} s" if found else "-"


def _attention(records: list[Record], size: str, variant: str) -> str:
    """Return what the trace says of the kernels that ran."""
    said = [r for r in records if r["part"] == "attention" and (r["size"], r["variant"]) == (size, variant)]
    return said[-1]["verdict"] if said else ""


def _show_run(record: Record) -> None:
    loss = f"validation loss {record['val'][-1][1]:.4f}" if record["val"] else "no evaluation"
    first = f"first row after {record['first_row_s']:.1f} s" if record["first_row_s"] else "no row"
    print(
        f"{record['part']} {' '.join(record['arguments'])}: {record['steps']} steps in {record['run_seconds']:.1f} s, "
        f"{first}, compiled in {record['compile_s']} s, {record['tokens_per_second']:,.0f} tokens/s, {loss}"
    )
