"""What one GPU makes of the two sizes: tokens a second, utilisation, memory, compile time, where a step's time goes.

    python benchmarks/gpu.py [--data FOLDER] [--minutes 9] [--json FILE]

Every variant is the published round's step (64 × 512 tokens, AdamW, bfloat16, compiled) with one thing changed, timed
on random tokens that live on the device; the variants of a size take turns, three times each. With --data, round 2's
recipe and the speedrun's then train on the same real tokens for one epoch, through the command, cold and warm.
Utilisation is 6 FLOPs a matrix weight and token, and 6 T D a layer for causal attention, over the peak in
conf/hardware. What does not run is named with its reason; when the minutes are over, what was measured is written.
"""

import argparse
import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.config.schema import Config
from tinystories_lm.data.batches import Batches
from tinystories_lm.hardware.detect import device_name, find_hardware, find_peak
from tinystories_lm.hardware.machine import Machine
from tinystories_lm.hardware.setup import open_machine
from tinystories_lm.model.flops import flops_per_token
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.records import read_metrics
from tinystories_lm.system.json_files import read_json, write_json
from tinystories_lm.training.loop import micro_batches, train_step, validate
from tinystories_lm.training.loss import mean_loss
from tinystories_lm.training.optimizer import CombinedOptimizer, build_optimizer

SIZES = {"28M": ["model=gpt_28m"], "91M": ["model=gpt_91m"]}
STEP = ["training.batch_size=64", "training.steps=15000", "hardware.compile=on"]
VARIANTS: dict[str, list[str]] = {
    "as published": [],
    "eager": ["hardware.compile=off"],
    "flash": ["hardware.attention=flash"],
    "cudnn": ["hardware.attention=cudnn"],
    "efficient": ["hardware.attention=efficient"],
    "residual bf16": ["hardware.residual=bfloat16"],
    "qk-norm": ["model.qk_norm=true"],
    "muon": ["optimizer=muon"],
    "muon stacked": ["optimizer=muon"],
    "two micro-batches": ["training.micro_batch_size=32"],
    "deterministic": ["training.deterministic=true"],
}
STREAM_TOKENS = 20_000_000
PUBLISHED_TOKENS_PER_SECOND = {"28M": 1.365e6}


class StackedMuon(torch.optim.Muon):
    """Muon with the matrices of one shape orthogonalised together: a few large products instead of many small ones."""

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for shape in {parameter.shape for parameter in group["params"]}:
                matrices = [parameter for parameter in group["params"] if parameter.shape == shape]
                self._step_together(matrices, group)

    def _step_together(self, matrices: list[Tensor], group: dict[str, Any]) -> None:
        gradients: list[Tensor] = [matrix.grad for matrix in matrices if matrix.grad is not None]
        for matrix in matrices:
            if "momentum_buffer" not in self.state[matrix]:
                self.state[matrix]["momentum_buffer"] = torch.zeros_like(matrix)
        momenta = [self.state[matrix]["momentum_buffer"] for matrix in matrices]
        torch._foreach_lerp_(momenta, gradients, 1 - group["momentum"])
        x_SNM = torch.stack(torch._foreach_lerp(gradients, momenta, group["momentum"])).bfloat16()
        tall = x_SNM.shape[1] > x_SNM.shape[2]
        x_SNM = x_SNM.mT if tall else x_SNM
        x_SNM = x_SNM / x_SNM.norm(dim=(1, 2), keepdim=True).clamp(min=group["eps"])
        a, b, c = group["ns_coefficients"]
        for _ in range(group["ns_steps"]):
            gram = x_SNM @ x_SNM.mT
            x_SNM = torch.baddbmm(x_SNM, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x_SNM, beta=a)
        updates = list((x_SNM.mT if tall else x_SNM).float().unbind())
        rate = group["lr"] * 0.2 * max(matrices[0].shape) ** 0.5  # match_rms_adamw
        torch._foreach_mul_(matrices, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(matrices, updates, alpha=-rate)


class Subject(NamedTuple):
    """One variant, ready to take steps."""

    config: Config
    machine: Machine
    step: Callable[[int], Tensor]  # takes the step of that number and returns its loss, which nobody has waited for
    evaluate: Callable[[], float]


def begin(overrides: list[str], *, stacked: bool) -> Subject:
    config = compose_config(overrides).config
    machine = open_machine(
        config.hardware,
        peak_flops_per_second=find_peak(config.hardware),
        compile_pays=True,
        deterministic=config.training.deterministic,
        attention_shape=config.attention_shape,
    )
    torch.compiler.reset()
    model = Transformer(
        config.model, vocab_size=config.data.vocab_size, residual=machine.residual, attention_fn=machine.attention_fn
    )
    model.initialise(config.training.seed)
    model.to(machine.device)
    optimizer = build_optimizer(model, config.optimizer, device=machine.device)
    if stacked:
        assert isinstance(optimizer, CombinedOptimizer)
        group = optimizer.parts[0].param_groups[0]
        settings = {"lr": group["lr"], "weight_decay": group["weight_decay"], "adjust_lr_fn": "match_rms_adamw"}
        optimizer = CombinedOptimizer(StackedMuon(group["params"], **settings), *optimizer.parts[1:])
    loss_of = torch.compile(mean_loss, fullgraph=True, dynamic=False) if machine.compile else mean_loss
    random = torch.Generator().manual_seed(0)
    stream = torch.randint(config.data.vocab_size, (STREAM_TOKENS,), generator=random, dtype=torch.int16)
    batches = Batches(
        stream.to(machine.device),
        context_tokens=config.model.context_tokens,
        sequences=config.training.sequences,
        seed=0,
        data_version=config.data.version,
    )
    lengths_V = torch.ones(config.data.vocab_size, dtype=torch.int64, device=machine.device)

    def step(number: int) -> Tensor:
        parts = micro_batches(batches.batch(number, device=machine.device), config.training.micro_batch_size)
        limit = config.optimizer.clip_grad_norm
        return train_step(model, optimizer, parts, loss_of=loss_of, clip_grad_norm=limit, machine=machine).loss

    def evaluate() -> float:
        part = micro_batches(batches.batch(0, device=machine.device), config.training.micro_batch_size)[:1]
        return validate(model, part, lengths_V, machine, loss_of=loss_of).loss

    return Subject(config, machine, step, evaluate)


def measure(subject: Subject, *, steps: int) -> dict[str, float]:
    """Seconds of the first step, then milliseconds of a step in the long run."""
    on_gpu = subject.machine.device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    float(subject.step(0))  # reading a number waits for the device
    first = time.perf_counter() - began
    for number in range(1, 4):
        float(subject.step(number))
    began = time.perf_counter()
    for number in range(4, 4 + steps):
        loss = subject.step(number)
    float(loss)
    seconds = (time.perf_counter() - began) / steps
    subject.evaluate()
    began = time.perf_counter()
    subject.evaluate()
    evaluation = time.perf_counter() - began
    config = subject.config
    tokens_per_second = config.training.batch_size * config.model.context_tokens / seconds
    flops = flops_per_token(config.model, vocab_size=config.data.vocab_size)
    return {
        "first_step_seconds": first,
        "milliseconds_per_step": 1e3 * seconds,
        "tokens_per_second": tokens_per_second,
        "mfu": tokens_per_second * flops / subject.machine.peak_flops_per_second,
        "peak_gigabytes": torch.cuda.max_memory_allocated() / 1e9 if on_gpu else 0.0,
        "evaluation_milliseconds": 1e3 * evaluation,
    }


def breakdown(subject: Subject, *, steps: int = 3) -> list[dict[str, Any]]:
    """Milliseconds a step that each operation takes on the device by itself, the longest first."""
    on_gpu = subject.machine.device.type == "cuda"
    kinds = [torch.profiler.ProfilerActivity.CPU, *([torch.profiler.ProfilerActivity.CUDA] if on_gpu else [])]
    float(subject.step(0))
    with torch.profiler.profile(activities=kinds) as recorded:
        for number in range(steps):
            loss = subject.step(number)
        float(loss)
    name = "self_device_time_total" if on_gpu else "self_cpu_time_total"
    found = sorted(recorded.key_averages(), key=lambda event: -getattr(event, name))[:25]
    return [{"operation": e.key[:120], "ms": getattr(e, name) / 1e3 / steps, "calls": e.count / steps} for e in found]


def variants_of(size: str, hardware: str, *, rounds: int, steps: int, deadline: float) -> Iterator[dict[str, Any]]:
    """One record a variant and round; the rounds go through all variants in turn."""
    chosen = list(VARIANTS)
    for number in range(rounds):
        for name in list(chosen):
            if time.monotonic() > deadline:
                yield {"size": size, "variant": name, "round": number, "left_out": "the minutes were over"}
                continue
            lines = [*SIZES[size], *STEP, f"hardware={hardware}", *VARIANTS[name]]
            overrides = list({line.partition("=")[0]: line for line in lines}.values())  # a variant's own wins
            record: dict[str, Any] = {"size": size, "variant": name, "round": number, "overrides": overrides}
            try:
                subject = begin(overrides, stacked=name == "muon stacked")
                record |= measure(subject, steps=steps) | {"attention": str(subject.machine.attention)}
                if number == 0 and name in ("as published", "residual bf16", "muon stacked"):
                    record["breakdown"] = breakdown(subject)
            except (RuntimeError, ValueError) as error:  # a kernel that is not there, or no memory
                record["left_out"] = str(error).strip().partition("\n")[0][:200]
                chosen.remove(name)
            yield record
            subject = None  # type: ignore[assignment]  # its memory is free before the next begins
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()


def trained(experiment: str, data: Path, folder: Path, extra: list[str]) -> dict[str, Any]:
    """One epoch of real text through the command: seconds to the first row, in all, and the loss it comes to."""
    run = folder / f"{experiment}-{time.monotonic_ns()}"
    command = [sys.executable, "-m", "tinystories_lm", "train", f"experiment={experiment}", f"data.path={data}",
               "tracking=off", "training.log_every_steps=1", f"hydra.run.dir={run}", *extra]  # fmt: skip
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    first = 0.0
    while process.poll() is None:
        if not first and any("train/loss" in row for row in read_metrics(RunFolder(run))):
            first = time.monotonic() - began
        time.sleep(0.05)
    record = {"experiment": experiment, "command": command[1:], "first_row_seconds": first}
    record["seconds"] = time.monotonic() - began
    if process.returncode:
        assert process.stdout is not None
        return record | {"left_out": process.stdout.read()[-400:]}
    rows = read_metrics(RunFolder(run))
    curve = [[row["progress/tokens"], row["val/loss"]] for row in rows if "val/loss" in row]
    return record | {"summary": read_json(run / "summary.json"), "validation": curve}


def one_epoch(data: Path, folder: Path, hardware: str, extra: list[str]) -> Iterator[dict[str, Any]]:
    """Round 2's recipe and the speedrun's on the same tokens, each cold, then once more with its compiled code kept."""
    prepared = [sys.executable, "-m", "tinystories_lm", "prepare", "data=tinystories", f"data.path={data}"]
    subprocess.run(prepared, cwd=folder, check=True, capture_output=True)
    headers = [json.loads(path.read_text()) for path in folder.glob("outputs/cache/*/header.json")]
    tokens = max(header["splits"]["train"]["tokens"] for header in headers)
    for experiment in ("round2", "speedrun_28m"):
        shape = compose_config([f"experiment={experiment}"]).config
        steps = tokens // (shape.training.batch_size * shape.model.context_tokens)
        length = [f"training.steps={steps}", f"training.eval_every_steps={max(1, steps // 4)}", f"hardware={hardware}"]
        for kept in ("cold", "warm"):
            yield trained(experiment, data, folder, [*length, *extra]) | {"compiled": kept, "corpus_tokens": tokens}


def show(records: list[dict[str, Any]]) -> None:
    print(f"{'':<26}{'ms a step':>10}{'spread':>8}{'tokens/s':>10}{'MFU':>7}{'GB':>7}{'first step':>12}{'ratio':>7}")
    for size in SIZES:
        baseline = 0.0
        for name in VARIANTS:
            mine = [r for r in records if r.get("size") == size and r.get("variant") == name]
            times = [r["milliseconds_per_step"] for r in mine if "milliseconds_per_step" in r]
            if not times:
                print(f"{size} {name:<22} {next((r['left_out'] for r in mine if 'left_out' in r), 'not reached')}")
                continue
            median = statistics.median(times)
            best = min((r for r in mine if "mfu" in r), key=lambda r: r["milliseconds_per_step"])
            baseline = baseline or median
            print(
                f"{size} {name:<22}{median:>10.2f}{max(times) - min(times):>8.2f}{best['tokens_per_second']:>10,.0f}"
                f"{best['mfu']:>7.1%}{best['peak_gigabytes']:>7.1f}{mine[0].get('first_step_seconds', 0):>10.1f} s"
                f"{baseline / median:>7.2f}"
            )
    for record in records:
        if "experiment" in record:
            found = record.get("summary", {})
            end = f"loss {found['val/loss']:.4f}" if found else record["left_out"]
            print(
                f"{record['experiment']}, {record['compiled']}: first step after {record['first_row_seconds']:.1f} s, "
                f"{record['seconds']:.1f} s in all, {end}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder of real text: train*, valid*")
    parser.add_argument("--minutes", type=float, default=9.0, help="stop beginning new measurements after so many")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=40, help="timed in a row")
    parser.add_argument("--tiny", action="store_true", help="small shapes, to try the script without a GPU")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    register()
    hardware = find_hardware()
    if options.tiny:
        small = ["model=tiny", "model.n_layers=2", "model.context_tokens=64", "training.batch_size=4"]
        SIZES.update(dict.fromkeys(SIZES, small))
        STEP[:] = ["training.steps=100", "hardware.compile=on", "hardware.threads=1"]
        VARIANTS["two micro-batches"] = ["training.micro_batch_size=2"]
    elif hardware in ("cpu", "mps"):
        parser.error("this measures an Nvidia GPU, and torch sees none here; --tiny tries the script itself")
    extra = SIZES["28M"] + ["training.batch_size=4", "training.steps=8"] if options.tiny else []
    end = time.monotonic() + 60 * options.minutes
    records: list[dict[str, Any]] = []
    device = compose_config([f"hardware={hardware}"]).config.hardware.device
    head = {
        "command": "python benchmarks/gpu.py",
        "hardware": device_name(torch.device(device.value)),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "published_tokens_per_second": PUBLISHED_TOKENS_PER_SECOND,
        "date": time.strftime("%Y-%m-%d"),
    }

    def keep(record: dict[str, Any]) -> None:
        records.append(record)
        print(
            {key: value for key, value in record.items() if key not in ("breakdown", "summary", "overrides")},
            flush=True,
        )
        if options.json:
            write_json(options.json, {**head, "records": records})

    if options.data:
        with tempfile.TemporaryDirectory() as temporary:
            for record in one_epoch(options.data.resolve(), Path(temporary), hardware, extra):
                keep(record)
    for size, share in (("28M", 0.6), ("91M", 1.0)):
        deadline = time.monotonic() + share * (end - time.monotonic())
        for record in variants_of(size, hardware, rounds=options.rounds, steps=options.steps, deadline=deadline):
            keep(record)
    show(records)


if __name__ == "__main__":
    main()
