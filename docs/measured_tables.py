"""Tables of what was measured: the rounds, the recipe, the benchmarks, decoding and scaling."""

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from markup import names, table

from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.planning.memory import step_memory

EXPERIMENTS = Path(__file__).resolve().parent.parent / "experiments"
BENCHMARKS = EXPERIMENTS / "benchmarks"


def read_json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def read_lines(file: Path) -> list[Any]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def rounds(experiments: Path = EXPERIMENTS) -> str:
    """Return published against measured, a row each; what was not published or measured stays blank."""
    rows = []
    for file in sorted(experiments.glob("round*/published.yaml")):
        published = yaml.safe_load(file.read_text(encoding="utf-8"))
        number, figures = str(published["round"]), published["published"]
        steps, batch = figures["steps"], figures["batch_size"]
        length = f"{steps:,} × {batch}" if steps and batch else ""
        costs = [f"~{figures['wall_clock_minutes']}", f"~{figures['cost_usd']:.2f}"]
        rows.append([number, "published", length, figures["hardware"], *costs, f"{figures['perplexity']}", ""])
        runs = [file.parent / "measured.json", *sorted(file.parent.glob("*/measured.json"))]
        rows += [["", "measured", *_measured(run)] for run in runs if run.is_file()] or [["", "measured", *[""] * 6]]
    header = ["round", "", "steps × batch", "hardware", "minutes", "dollars", "perplexity", "bits per byte"]
    return table(header, rows, right=(4, 5, 6, 7))


def _measured(file: Path) -> list[str]:
    measured = read_json(file)
    found, used = measured["figures"], measured["settings"]
    machine = measured["pieces"][-1]["machine"]
    cores = f", {machine['threads']} cores" if machine["device"] == "cpu" else ""
    return [
        f"{used['training.steps']:,} × {used['training.batch_size']}",
        f"{machine['device_name']}{cores}",
        f"{found['time/train_seconds'] / 60:.1f}",
        f"{found['cost/usd']:.2f}",
        f"{found['val/perplexity']:.4g}",
        f"{found['val/bits_per_byte']:.3f}",
    ]


def recipe() -> str:
    """Return the loss of each step from the rounds' recipe to the speedrun presets'."""
    records = read_lines(EXPERIMENTS / "speedrun" / "ablation.jsonl")
    names = {
        "adamw-1e-3": "the rounds': AdamW at 1e-3, cosine to a tenth",
        "adamw-4e-3": "AdamW at its best rate, 4e-3",
        "linear": "Muon at its best rate, 8e-3, linear to zero",
        "qk-norm": "… and QK-norm",
    }
    rows = []
    for choice, name in names.items():
        losses = {
            corpus: [
                record["val/loss"]
                for record in records
                if (record["corpus"], record["size"], record["choice"]) == (corpus, "2m", choice)
            ]
            for corpus in ("tinystories", "wikitext2")
        }
        rows.append([name, *(_mean(found) for found in losses.values())])
    return table(["recipe", "TinyStories", "WikiText-2"], rows, right=(1, 2))


def _mean(losses: Sequence[float]) -> str:
    if not losses:
        return ""
    spread = f" ± {statistics.stdev(losses):.3f}" if len(losses) > 2 else ""
    return f"{statistics.mean(losses):.3f}{spread}"


def performance_train() -> str:
    """Return tokens per second of our loop and of its peers."""
    found = read_json(BENCHMARKS / "train.json")
    names = {
        "ours": "`tinystories-lm train`: rows, checkpoints, progress, offline W&B",
        "bare": "a bare hand-written loop over our model, compiled",
        "bare, torch's attention and malloc": "the same with torch's attention and default malloc",
        "Trainer, compiled": "transformers' Trainer, compiled",
        "Trainer, eager": "transformers' Trainer, eager",
        "nanoGPT's loop": "a loop in the style of nanoGPT, compiled",
    }
    subjects = {subject["subject"]: subject for subject in found["subjects"]}
    rows = []
    for subject, name in names.items():
        speeds = subjects[subject]["tokens_per_second"]
        ratio = "" if subject == "ours" else f"{subjects[subject]['ours_times_theirs']:.2f}"
        rows.append([name, f"{statistics.median(speeds):,.0f} ({min(speeds):,.0f} to {max(speeds):,.0f})", ratio])
    return f"{_machine(found)}\n\n" + table(
        ["loop", "tokens per second: median (range)", "ours ÷ theirs"], rows, right=(1, 2)
    )


SECONDS_OF_1000_STEPS = 13  # of gpt_28m on an H100: an assumption


def _machine(found: dict[str, Any]) -> str:
    processor = found.get("processor") or found.get("device")
    parts = [f"`{found['command']}`", *([processor] if processor else [])]
    parts += [
        f"{found[key]} {key.rstrip('s') if found[key] == 1 else key}" for key in ("threads", "cores") if key in found
    ]
    parts += [f"{key} {found[key]}" for key in ("torch", "transformers") if key in found]
    return ", ".join(parts) + (f", {found['date']}" if "date" in found else "") + "."


def performance_start() -> str:
    """Return how long a person waits for each thing."""
    found = read_json(BENCHMARKS / "start.json")
    names = {
        "first step of smoke": "from `train experiment=smoke` to its first step, with cached tokens",
        "first step, compiled, cold": "the same with `hardware.compile=on`, compiled for the first time",
        "first step, compiled, warm": "the same, compiled before (torch keeps the result for each shape)",
    }
    rows = []
    for start in found["starts"]:
        name = names.get(start["what"], f"`{start['what']}`")
        rows.append([name, f"{start['seconds']:.2f}", _range(start["rounds"], 2)])
    return f"{_machine(found)}\n\n" + table(["what", "seconds: median", "range"], rows, right=(1, 2))


def _range(values: Sequence[float], digits: int) -> str:
    return f"{min(values):.{digits}f} to {max(values):.{digits}f}"


def performance_prepare() -> str:
    """Return how fast text becomes tokens."""
    found = read_json(BENCHMARKS / "prepare.json")
    names = {
        "prepare": "`prepare`: reading, hashing, training the vocabulary, encoding, writing, checking",
        "our encoder": "its encoder alone",
        "encode_batch": "tokenizers' `encode_batch` alone",
        "encode_batch_fast": "tokenizers' `encode_batch_fast` alone",
        "tiktoken, one thread": "tiktoken alone, one thread",
    }
    subjects = {subject["what"]: subject for subject in found["subjects"]}
    rows = []
    for what, name in names.items():
        subject = subjects[what]
        speed = f"{found['megabytes'] / subject['seconds']:.1f}"
        seconds = f"{subject['seconds']:.1f} ({_range(subject['rounds'], 1)})"
        rows.append([name, seconds, speed, f"{subject['times_encode_batch']:.2f}"])
    header = [f"{found['megabytes']} MB of story text", "seconds: median (range)", "MB/s", "÷ `encode_batch`"]
    opening = found["opening_seconds"]
    ready = f"A finished cache opens in {opening[0]:.2f} s, and in {min(opening[1:]):.4f} s once its hash is known."
    return f"{_machine(found)} {ready}\n\n" + table(header, rows, right=(1, 2, 3))


def performance_decoding() -> str:
    """Return milliseconds a step of transformers' generate and of ours."""
    found = read_json(BENCHMARKS / "generate.json")
    cells: dict[tuple[str, str, int], dict[str, str]] = {}
    for figure in found["figures"]:
        key = (figure["model"], figure["dtype"], figure["batch"])
        theirs, ours = figure["transformers_ms_per_step"], figure["ours_ms_per_step"]
        cells.setdefault(key, {})[figure["draw"]] = f"{theirs:.1f} → {ours:.1f} ({figure['ratio']:.1f}×)"
    rows = [
        [f"`{model}`, {dtype}, batch {batch}", each["greedy"], each["story"]]
        for (model, dtype, batch), each in cells.items()
    ]
    header = ["transformers' `generate` → ours, ms a step", "greedy", "`sampling=story`"]
    return f"{_machine(found)}\n\n" + table(header, rows, right=(1, 2))


def performance_sweeps() -> str:
    """Return the overhead of a run under each launcher."""
    found = read_json(BENCHMARKS / "sweep.json")
    rows = [[each["launcher"], f"{each['overhead_seconds']:.2f}"] for each in found["launchers"]]
    return f"{_machine(found)}\n\n" + table(["launcher", "seconds"], rows, right=(1,))


def performance_busy() -> str:
    """Return the tokens a second of two runs beside busy processes, by how torch's threads wait."""
    found = read_json(BENCHMARKS / "busy.json")
    ways = list(found["rows"][0]["tokens_per_second"])
    rows = []
    for row in found["rows"]:
        speeds = row["tokens_per_second"]
        rows.append(
            [row["run"], str(row["busy_processes"]), *(f"{speeds[way]:,}" if way in speeds else "" for way in ways)]
        )
    header = ["run", "busy processes", *ways]
    return f"{_machine(found)}\n\n" + table(header, rows, right=range(1, 7))


def performance_deterministic() -> str:
    """Return seconds a step with and without training.deterministic."""
    found = read_json(BENCHMARKS / "deterministic.json")
    rows = []
    for step in found["steps"]:
        off, on = step["seconds"]["off"], step["seconds"]["on"]
        rows.append([step["what"], f"{off:.3f}", f"{on:.3f}", f"{on / off - 1:+.1%}"])
    return f"{_machine(found)}\n\n" + table(
        ["step", "seconds without", "with `training.deterministic=true`", "price"], rows, right=(1, 2, 3)
    )


def performance_memory() -> str:
    """Return the memory that steps on a GPU took, beside what plans predict today."""
    found = read_json(BENCHMARKS / "memory.json")
    register()
    rows: dict[tuple[str, str], dict[str, list[str]]] = {}
    for row in found["rows"]:
        size, how, case = row["case"].split(" ", 2)
        predicted = step_memory(compose_config(row["settings"]).config).total
        figures = [f"{row['allocated'] / 1e9:.2f}", f"{row['needed'] / 1e9:.2f}", f"{predicted / 1e9:.2f}"]
        rows.setdefault((size, case), {})[how] = figures
    blank = ["", "", ""]
    lines = [
        [f"{size}, {case}", *ways.get("eager", blank), *ways.get("compiled", blank)]
        for (size, case), ways in sorted(rows.items(), key=lambda item: item[0][0])
    ]
    header = ["step", *(f"{how}: {word}" for how in ("eager", "compiled") for word in ("peak", "needed", "predicted"))]
    about = f"`{found['command']}`, {found['device']}, torch {found['torch']}, {found['date']}; GB."
    return f"{about}\n\n" + table(header, lines, right=range(1, 7))


def performance_optimizers() -> str:
    """Return what a step costs the host by optimizer, on a device that computes nothing and on a CPU."""
    tables = []
    for device in ("null", "cpu"):
        found = read_json(BENCHMARKS / f"optimizers_{device}.json")
        if device == "null":
            found["device"] = f"a null device in the place of {found['device']}"
        cheapest, rows = found["rows"][0]["milliseconds"]["step"], []
        for row in found["rows"]:
            step, alone = row["milliseconds"]["step"], row["milliseconds"]["optimizer"]
            rows.append([row["optimizer"], f"{step:.1f}", f"{step / cheapest:.2f}", f"{alone:.1f}"])
        header = ["optimizer", "ms a step", "÷ AdamW's", "ms of the optimizer alone"]
        tables.append(f"{_machine(found)}\n\n" + table(header, rows, right=(1, 2, 3)))
    return "\n\n".join(tables)


def performance_evaluation() -> str:
    """Return what an evaluation costs the host by part, on a device that computes nothing, before and after."""
    before, found = (read_json(BENCHMARKS / f"evaluation_null{name}.json") for name in ("_749eb08", ""))
    found["device"] = f"a null device in the place of {found['device']}"
    rows = []
    for part, times in found["parts"].items():
        shown = [
            f"{run['median']:.3f} ({run['least']:.3f} to {run['most']:.3f})" for run in (before["parts"][part], times)
        ]
        rows.append([part, *shown])
    rows.append(
        ["together, but for what is written beside", *(f"{run['training waits']:.3f}" for run in (before, found))]
    )
    shares = (f"{run['training waits'] / SECONDS_OF_1000_STEPS:.1%}" for run in (before, found))
    rows.append([f"÷ 1,000 steps, if they take {SECONDS_OF_1000_STEPS} s", *shares])
    return f"{_machine(found)}\n\n" + table(["seconds at each evaluation", "749eb08", "now"], rows, right=(1, 2))


def performance_compile() -> str:
    """Return where the time goes between the command and the first step, compiled for the first time and again."""
    found = read_json(BENCHMARKS / "compile.json")
    rows, together = [], [0.0] * 6
    for part, what in found["what"].items():
        numbers = [
            statistics.median(each["parts"][part][clock] for each in found[name])
            for name in ("cold", "warm")
            for clock in range(3)
        ]
        together = [before + number for before, number in zip(together, numbers, strict=True)]
        rows.append([what, *(f"{number:.1f}" for number in numbers)])
    rows.append(["together", *(f"{number:.1f}" for number in together)])
    clocks = ("seconds", "processor", "processor, others")
    header = ["what", *(f"{name}: {clock}" for name in ("cold", "warm") for clock in clocks)]
    return f"{_machine(found)}\n\n" + table(header, rows, right=range(1, 7))


def decoding() -> str:
    """Return the metrics of a few decoder settings on one model."""
    shown = [(0.0, 1.0, 1.0), (0.0, 1.0, 1.3), (0.8, 1.0, 1.0), (0.8, 0.95, 1.0), (0.8, 0.95, 1.3)]
    rows = []
    for record in read_lines(EXPERIMENTS / "decoding" / "round2_scaled.jsonl"):
        key = (record["temperature"], record["top_p"], record["repetition_penalty"])
        if key not in shown:
            continue
        name = "greedy" if key[0] == 0 else f"temperature {key[0]}"
        name += f", top-p {key[1]}" * (key[1] < 1) + f", repetition penalty {key[2]}" * (key[2] != 1)
        pronouns = f"{record['pronoun_consistency']:.2f} ({record['pronouns_judged']})"
        shares = [f"{record['looping']:.2f}", f"{record['repeated_4grams']:.3f}", f"{record['non_words']:.3f}"]
        rows.append([name, *shares, pronouns, f"{record['ended']:.2f}"])
    header = ["settings", "looping", "repeated 4-grams", "non-words", "pronouns (judged)", "ended"]
    return table(header, rows, right=range(1, 6))


def scaling() -> str:
    """Return what the fitted law predicted of the runs that it had not seen."""
    found = read_json(EXPERIMENTS / "size_by_steps" / "scaling.json")
    held_out = found["validation"]
    rows = [
        [
            f"{point['loss']:.3f}",
            f"{point.get('predicted', point.get('foretold')):.3f}",
            f"{point['interval'][0]:.3f} to {point['interval'][1]:.3f}",
            f"{point['relative_error']:+.1%}",
        ]
        for point in held_out["points"]
    ]
    error = held_out["mean_absolute_relative_error"]
    return (
        table(["measured loss", "predicted from the cheaper runs", "80 % interval", "error"], rows, right=range(4))
        + f"\n\nThe {len(rows)} most expensive of {len(found['points'])} runs were predicted with a mean error of "
        f"{error:.1%}."
    )


PARTS = names(
    rounds, recipe, performance_train, performance_start, performance_prepare, performance_decoding,
    performance_sweeps, performance_busy, performance_deterministic, performance_memory,
    performance_optimizers, performance_compile, performance_evaluation, decoding, scaling,
)  # fmt: skip
