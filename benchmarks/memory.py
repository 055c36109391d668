"""Measure the memory that training steps take on this GPU, beside what planning/memory.py predicts.

    python benchmarks/memory.py [--only PATTERN] [--json FILE]

Each case takes whole steps and a validation through the run's own functions, one case after the other in one process.
torch's allocator counts their peaks: `allocated` by tensors, `reserved` from the GPU with what it keeps to use again,
and `needed`, the smallest limit on `reserved` under which the same steps still run. The last decides whether a batch
fits; a process needs its CUDA context beside it.
"""

import argparse
import gc
import re
import time
from pathlib import Path
from typing import NamedTuple

import torch

from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.config.schema import Config
from tinystories_lm.data.batches import Batch
from tinystories_lm.hardware.detect import device_name, find_hardware
from tinystories_lm.hardware.machine import Machine
from tinystories_lm.hardware.setup import open_machine
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.planning.memory import step_memory
from tinystories_lm.system.json_files import read_json, write_json
from tinystories_lm.training.compile import compile_loss
from tinystories_lm.training.loop import micro_batches, train_step, validate
from tinystories_lm.training.loss import LossOf, mean_loss
from tinystories_lm.training.optimizer import build_optimizer

STEPS = 3  # the first has no optimizer state yet, the third is like all later ones
SIZES = {"28M": ["experiment=round2"], "91M": ["experiment=round4"]}
COMPILE = {"eager": "hardware.compile=off", "compiled": "hardware.compile=on"}
VARIANTS: dict[str, list[str]] = {
    "as published": [],
    "residual bf16": ["hardware.residual=bfloat16"],
    "QK-norm": ["model.qk_norm=true"],
    "Muon": ["optimizer=muon"],
    "residual bf16, QK-norm, Muon": ["hardware.residual=bfloat16", "model.qk_norm=true", "optimizer=muon"],
    "micro-batch 32": ["training.micro_batch_size=32"],
    "micro-batch 16": ["training.micro_batch_size=16"],
    "micro-batch 1": ["training.micro_batch_size=1"],
    "micro-batch 1, Muon": ["training.micro_batch_size=1", "optimizer=muon"],
    "vocabulary 16,384": ["data.vocab_size=16384"],
    "vocabulary 1,024": ["data.vocab_size=1024"],
    "context 1,024": ["model.context_tokens=1024", "training.batch_size=32"],
    "context 128": ["model.context_tokens=128"],
    "tied": ["model.tie_embeddings=true"],
    "narrow": ["model.n_layers=4", "model.d_model=256", "model.n_heads=4", "model.d_ff=688"],
    "float32": ["hardware.precision=float32", "hardware.attention=efficient"],
    "attention=math": ["hardware.attention=math"],
    "deterministic": ["training.deterministic=true", "hardware.attention=auto"],
}


class Peak(NamedTuple):
    """Bytes at the peak of a case's steps."""

    allocated: int
    reserved: int


class Subject(NamedTuple):
    """One case, ready to take steps."""

    config: Config
    machine: Machine
    model: Transformer
    optimizer: torch.optim.Optimizer
    batch: Batch
    loss_of: LossOf

    def take_steps(self) -> Peak:
        """Take steps and a validation; return their peak."""
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        parts = micro_batches(self.batch, self.config.training.micro_batch_size)
        limit = self.config.optimizer.clip_grad_norm
        for _ in range(STEPS):
            train_step(
                self.model, self.optimizer, parts, loss_of=self.loss_of, clip_grad_norm=limit, machine=self.machine
            )
        lengths_V = torch.ones(self.config.data.vocab_size, dtype=torch.int64, device=self.machine.device)
        validate(self.model, parts[:1], lengths_V, self.machine, loss_of=self.loss_of)
        torch.cuda.synchronize()
        return Peak(torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved())


def open_subject(config: Config) -> Subject:
    machine = open_machine(
        config.hardware,
        peak_flops_per_second=1.0,
        compile_pays=True,
        deterministic=config.training.deterministic,
        attention_shape=config.attention_shape,
    )
    torch.compiler.reset()
    vocabulary = config.data.vocab_size
    model = Transformer(
        config.model, vocab_size=vocabulary, residual=machine.residual, attention_fn=machine.attention_fn
    )
    model.initialise(config.training.seed)
    model.to(machine.device)
    optimizer = build_optimizer(model, config.optimizer, device=machine.device)
    shape = (config.training.batch_size, config.model.context_tokens)
    ids_BT = torch.randint(vocabulary, shape, device=machine.device)
    batch = Batch(ids_BT, ids_BT)
    loss_of: LossOf = mean_loss
    if machine.compile:
        part = micro_batches(batch, config.training.micro_batch_size)[0]
        loss_of = compile_loss(model, part, machine).loss_of
    return Subject(config, machine, model, optimizer, batch, loss_of)


def needed_bytes(subject: Subject, peak: Peak, *, within: float = 0.01) -> int:
    """Return the smallest limit of the allocator's memory under which the steps run, by bisection."""
    total = torch.cuda.get_device_properties(0).total_memory
    fails, runs = peak.allocated, peak.reserved
    try:
        while runs - fails > within * runs:
            middle = (fails + runs) // 2
            torch.cuda.set_per_process_memory_fraction(middle / total)
            try:
                runs = min(middle, subject.take_steps().reserved)
            except torch.OutOfMemoryError:
                fails = middle
            subject.optimizer.zero_grad()
            gc.collect()
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    return runs


def measure(overrides: list[str]) -> dict[str, int]:
    """Return the measured figures of a case, in bytes."""
    config = compose_config(overrides).config
    subject = open_subject(config)
    peak = subject.take_steps()
    return {**peak._asdict(), "needed": needed_bytes(subject, peak)}


def cases(hardware: str) -> dict[str, list[str]]:
    """Return the settings of each case by its name."""
    step = ["training.batch_size=64", f"hardware={hardware}", "hardware.attention=flash"]
    found = {}
    for size, model in SIZES.items():
        for how, switch in COMPILE.items():
            for name, changed in VARIANTS.items():
                if size == "91M" and name == "narrow":
                    continue  # the same model as 28M's
                lines = [*model, *step, switch, *changed]
                found[f"{size} {how} {name}"] = list({line.partition("=")[0]: line for line in lines}.values())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="PATTERN", help="cases whose name has a match")
    parser.add_argument("--gpu", help="name to record in the place of the GPU's own")
    parser.add_argument("--json", type=Path, metavar="FILE", help="record; cases that it has are left out")
    options = parser.parse_args()
    register()
    hardware = find_hardware()
    head = {
        "command": "python benchmarks/memory.py --json experiments/benchmarks/memory.json",
        "device": options.gpu or device_name(torch.device("cuda")),
        "capability": ".".join(map(str, torch.cuda.get_device_capability())),
        "torch": torch.__version__,
        "date": time.strftime("%Y-%m-%d"),
    }
    rows = read_json(options.json)["rows"] if options.json and options.json.exists() else []
    done = {row["case"] for row in rows}
    for name, overrides in cases(hardware).items():
        if name in done or not re.search(options.only, name):
            continue
        found = measure(overrides)
        rows.append({"case": name, "settings": overrides, **found})
        shown = {"predicted": step_memory(compose_config(overrides).config).total, **found}
        print(name, *(f"{key} {size / 1e9:.2f} GB" for key, size in shown.items()), sep=", ", flush=True)
        if options.json:
            write_json(options.json, {**head, "rows": rows})
        gc.collect()
        torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
