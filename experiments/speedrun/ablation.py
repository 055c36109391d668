"""What each choice of a recipe is worth: the validation loss after the same tokens of real text, one change at a time.

    python experiments/speedrun/ablation.py [CHOICE ...] [--sizes 2m] [--seeds 0] [--corpora tinystories] [--table]

A run is `tinystories-lm train` in a process of its own: 512 steps of 8 × 256 tokens (1.05M, a third of an epoch), one
thread. One that is done is not run again. The table goes to ablation.jsonl, here.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from tinystories_lm.data.batches import token_tensor, validation_batches
from tinystories_lm.data.corpus import Split
from tinystories_lm.data.token_cache import prepare
from tinystories_lm.data.tokenizer import token_byte_lengths
from tinystories_lm.generation.load import load_model
from tinystories_lm.hardware.detect import find_peak
from tinystories_lm.hardware.setup import open_machine
from tinystories_lm.runs.checkpoint import list_checkpoints
from tinystories_lm.runs.folder import RunFolder, read_config
from tinystories_lm.system.files import write_text
from tinystories_lm.system.json_files import read_json, to_json
from tinystories_lm.training.loop import validate
from tinystories_lm.training.loss import mean_loss

HERE = Path(__file__).parent
DATA = Path(os.environ.get("TINYSTORIES_DATA", HERE.parents[2] / "shared/data"))
RUNS = Path("outputs/speedrun")
STEPS = [
    "training.steps=512", "training.batch_size=8", "training.eval_every_steps=128", "training.eval_tokens=65536",
    "training.checkpoint_every_steps=512", "sampling.prompts=[Once]", "sampling.max_tokens=2", "tracking=off",
    "hardware=cpu", "hardware.threads=1", "name=ablation",
]  # fmt: skip
MUON = ["optimizer=muon", "optimizer.lr=8e-3"]
LINEAR = [*MUON, "schedule=linear"]
EVERY_16 = ["training.checkpoint_every_steps=16", "training.keep_checkpoints=16"]
CHOICES: dict[str, list[str]] = {
    "adamw-1e-3": ["optimizer.lr=1e-3"],  # as in the rounds
    "adamw-2e-3": ["optimizer.lr=2e-3"],
    "adamw-4e-3": ["optimizer.lr=4e-3"],
    "adamw-8e-3": ["optimizer.lr=8e-3"],
    "muon-2e-3": ["optimizer=muon", "optimizer.lr=2e-3"],
    "muon-4e-3": ["optimizer=muon", "optimizer.lr=4e-3"],
    "muon-8e-3": MUON,
    "muon-16e-3": ["optimizer=muon", "optimizer.lr=16e-3"],
    "linear": LINEAR,
    "wsd": [*MUON, "schedule=wsd"],
    "qk-norm": [*LINEAR, "model.qk_norm=true"],
    "batch-4": [*LINEAR, "training.batch_size=4", "training.steps=1024", "training.eval_every_steps=256",
                "training.checkpoint_every_steps=1024"],
    "qk-norm, 192 steps": [*LINEAR, "model.qk_norm=true", "training.steps=192", "training.eval_every_steps=64",
                           "training.checkpoint_every_steps=192"],
    "qk-norm, 128 steps": [*LINEAR, "model.qk_norm=true", "training.steps=128", "training.eval_every_steps=64",
                           "training.checkpoint_every_steps=128"],
    "averaged": [*LINEAR, *EVERY_16],
    "averaged-constant": [*MUON, "schedule.final_lr_fraction=1.0", *EVERY_16],
}  # fmt: skip


def folder_of(corpus: str, size: str, choice: str, seed: int) -> Path:
    return RUNS / f"{corpus}-{size}-{choice.replace(', ', '-')}-{seed}"


def overrides_of(corpus: str, size: str, choice: str, seed: int) -> list[str]:
    lines = [*STEPS, f"data={corpus}", f"data.path={DATA / corpus}", f"model=gpt_{size}", f"training.seed={seed}"]
    lines += [f"hydra.run.dir={folder_of(corpus, size, choice, seed)}", *CHOICES[choice]]
    return list({line.partition("=")[0]: line for line in lines}.values())  # a choice's own wins


def run(corpus: str, size: str, choice: str, seed: int) -> dict[str, Any]:
    overrides = overrides_of(corpus, size, choice, seed)
    command = [sys.executable, "-m", "tinystories_lm", "train", *overrides]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})
    folder = RunFolder(folder_of(corpus, size, choice, seed))
    found = read_json(folder.summary)
    record: dict[str, Any] = {
        "corpus": corpus, "size": size, "choice": choice, "seed": seed, "overrides": CHOICES[choice],
        "parameters": found["parameters"], "tokens": found["progress/tokens"], "val/loss": found["val/loss"],
        "seconds": found["time/train_seconds"],
    }  # fmt: skip
    if choice.startswith("averaged"):
        record["averaged"] = {count: loss_of_average(folder, count) for count in (2, 4, 8)}
    return record


def loss_of_average(run: RunFolder, count: int) -> float:
    """Evaluate the mean of the newest `count` checkpoints' weights (Kaddour 2022, arXiv 2209.14981)."""
    config = read_config(run)
    trained = load_model(str(run.path))
    weights = [load_file(path / "model.safetensors") for path in list_checkpoints(run.checkpoints)[:count]]
    with torch.no_grad():
        for name, parameter in trained.model.named_parameters():
            parameter.copy_(torch.stack([each[name] for each in weights]).mean(dim=0))
    machine = open_machine(
        config.hardware, peak_flops_per_second=find_peak(config.hardware), compile_pays=False, deterministic=False
    )
    batches = validation_batches(
        token_tensor(prepare(config.data).splits[Split.VALIDATION].tokens, machine.device),
        eval_tokens=config.training.eval_tokens,
        context_tokens=config.model.context_tokens,
        batch_size=config.training.micro_batch_size,
        device=machine.device,
    )
    lengths_V = torch.from_numpy(token_byte_lengths(trained.tokenizer))
    return validate(trained.model, batches, lengths_V, machine, loss_of=mean_loss).loss


def show(records: list[dict[str, Any]]) -> None:
    print(f"{'corpus':<13}{'size':<7}{'choice':<20}{'loss':>8}{'±':>8}{'seeds':>7}{'seconds':>9}  averaged")
    groups = dict.fromkeys((r["corpus"], r["size"], r["choice"]) for r in records)
    for group in groups:
        mine = [r for r in records if (r["corpus"], r["size"], r["choice"]) == group]
        losses = [r["val/loss"] for r in mine]
        spread = f"{statistics.stdev(losses):.4f}" if len(losses) > 1 else ""
        averaged = " ".join(f"{n}: {loss:.4f}" for n, loss in mine[0].get("averaged", {}).items())
        print(
            f"{group[0]:<13}{group[1]:<7}{group[2]:<20}{statistics.mean(losses):>8.4f}{spread:>8}{len(mine):>7}"
            f"{statistics.mean(r['seconds'] for r in mine):>9.0f}  {averaged}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("choices", nargs="*", default=list(CHOICES), metavar="CHOICE", help=", ".join(CHOICES))
    parser.add_argument("--sizes", nargs="+", default=["2m"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--corpora", nargs="+", default=["tinystories"])
    parser.add_argument("--table", action="store_true", help="only show what was recorded")
    options = parser.parse_args()
    if unknown := set(options.choices) - set(CHOICES):
        parser.error(f"{', '.join(sorted(unknown))}: no such choice; there are {', '.join(CHOICES)}")
    file = HERE / "ablation.jsonl"
    records = [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []
    if not options.table:
        for corpus in options.corpora:
            for size in options.sizes:
                for choice in options.choices:
                    for seed in options.seeds:
                        new = run(corpus, size, choice, seed)
                        same = ("corpus", "size", "choice", "seed")
                        records = [r for r in records if any(r[key] != new[key] for key in same)] + [new]
                        write_text(file, "".join(to_json(record) + "\n" for record in records))
    show(records)


if __name__ == "__main__":
    main()
