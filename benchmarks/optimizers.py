"""What an optimizer costs beside the model: processor time of the host, and what it launches on a GPU.

    python benchmarks/optimizers.py [--rounds 10] [--json FILE] [SETTING ...]

Whole training steps under AdamW, Muon and torch.optim.Muon take turns; the second clock is for the optimizer's step
alone, which on a GPU returns when all is launched. Settings are those of `train`, of what the step is; without any it
is one of gpt_700k on a thread of a CPU. On a GPU: `hardware=h100 model=gpt_28m training.batch_size=64`. Medians of the
milliseconds of processor time, of all threads. A null device, which computes nothing, will do for the host's time.
"""

import argparse
import gc
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.data.batches import Batches
from tinystories_lm.hardware.detect import device_name, find_peak
from tinystories_lm.hardware.setup import open_machine
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.system.json_files import write_json
from tinystories_lm.training import loop
from tinystories_lm.training.loss import mean_loss
from tinystories_lm.training.optimizer import CombinedOptimizer, build_optimizer, step_if

STEP = ["model=gpt_700k", "training.batch_size=8", "hardware=cpu", "hardware.threads=1", "hardware.compile=off"]
SUBJECTS = {"AdamW": "adamw", "Muon": "muon", "torch.optim.Muon": "muon"}
STEPS = 5  # of a turn


class Milliseconds(NamedTuple):
    step: float
    optimizer: float


def begin(settings: list[str], name: str) -> Callable[[int], Milliseconds]:
    """Build a model and its optimizer; returns a function that takes the step of a number, and its times."""
    config = compose_config([*settings, f"optimizer={SUBJECTS[name]}", "training.steps=15000"]).config
    machine = open_machine(
        config.hardware, peak_flops_per_second=find_peak(config.hardware), compile_pays=False, deterministic=False
    )
    vocab_size = config.data.vocab_size
    model = Transformer(config.model, vocab_size=vocab_size, attention_fn=machine.attention_fn)
    model.initialise(0)
    optimizer = build_optimizer(model.to(machine.device), config.optimizer, device=machine.device)
    if name == "torch.optim.Muon":
        optimizer = with_torchs_muon(optimizer)
    loss_of = torch.compile(mean_loss, fullgraph=True, dynamic=False) if machine.compile else mean_loss
    stream_N = torch.randint(vocab_size, (2_000_000,), dtype=torch.int16).to(machine.device)
    batches = Batches(
        stream_N,
        context_tokens=config.model.context_tokens,
        sequences=config.training.sequences,
        seed=0,
        data_version=config.data.version,
    )
    optimizer_seconds = 0.0

    def clocked_step(finite: torch.Tensor, its: torch.optim.Optimizer) -> None:
        nonlocal optimizer_seconds
        began = time.process_time()
        step_if(finite, its)
        optimizer_seconds = time.process_time() - began

    def step(number: int) -> Milliseconds:
        loop.step_if = clocked_step
        began = time.process_time()
        parts = loop.micro_batches(batches.batch(number, device=machine.device), config.training.micro_batch_size)
        limit = config.optimizer.clip_grad_norm
        loop.train_step(model, optimizer, parts, loss_of=loss_of, clip_grad_norm=limit, machine=machine)
        return Milliseconds(1e3 * (time.process_time() - began), 1e3 * optimizer_seconds)

    return step


def with_torchs_muon(ours: torch.optim.Optimizer) -> CombinedOptimizer:
    """Put torch's Muon in the place of ours, with a state, so that no step of it reads the flag."""
    assert isinstance(ours, CombinedOptimizer)
    group = ours.parts[0].param_groups[0]
    settings = {name: group[name] for name in ("lr", "weight_decay")}
    muon = torch.optim.Muon(group["params"], adjust_lr_fn="match_rms_adamw", **settings)
    for matrix in group["params"]:
        muon.state[matrix]["momentum_buffer"] = torch.zeros_like(matrix)
    return CombinedOptimizer(muon, *ours.parts[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", type=Path)
    parser.add_argument("settings", nargs="*", default=STEP)
    options = parser.parse_args()
    register()
    steps = {name: begin(options.settings, name) for name in SUBJECTS}
    for step in steps.values():
        for number in range(4):  # the first one compiles
            step(number)
    times: dict[str, list[Milliseconds]] = {name: [] for name in SUBJECTS}
    gc.collect()
    gc.freeze()
    for _ in range(options.rounds):
        for name, step in steps.items():
            times[name] += [step(4 + number) for number in range(STEPS)]
    rows = []
    for name, found in times.items():
        medians = Milliseconds(*map(statistics.median, zip(*found, strict=True)))
        rows.append({"optimizer": name, "milliseconds": medians._asdict()})
        print(f"{name:<18} step {medians.step:.2f} ms, optimizer {medians.optimizer:.2f} ms", flush=True)
    if options.json:
        device = device_name(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
        machine = {"device": device, "torch": torch.__version__}
        command = f"python benchmarks/optimizers.py {' '.join(options.settings)}"
        write_json(options.json, {"command": command, **machine, "rows": rows})


if __name__ == "__main__":
    main()
