"""How long a checkpoint keeps training waiting, and how long it takes to write beside it.

    python benchmarks/checkpoint.py [--rounds 7] [--folder FOLDER] [--json FILE] [SETTING ...]

A snapshot is copied off the device while training waits; its files are written, hashed and synced in a thread of their
own. Settings are those of `train`; without any the model is gpt_28m on a CPU. Medians of seconds, with their ranges.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch

from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.hardware.detect import device_name
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.runs.checkpoint import Progress, take_snapshot, write_checkpoint
from tinystories_lm.system.json_files import write_json
from tinystories_lm.training.optimizer import build_optimizer

MODEL = ["model=gpt_28m", "training.steps=100", "hardware=cpu"]


def started(settings: list[str], device: torch.device) -> tuple[Transformer, torch.optim.Optimizer]:
    """Return the model and the optimizer after a step, which gives the optimizer its state."""
    config = compose_config(settings).config
    model = Transformer(config.model, vocab_size=config.data.vocab_size)
    model.initialise(0)
    model.to(device)
    optimizer = build_optimizer(model, config.optimizer, device=device)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    return model, optimizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="where checkpoints are written, else a temporary folder")
    parser.add_argument("--json", type=Path)
    parser.add_argument("settings", nargs="*", default=MODEL)
    options = parser.parse_args()
    register()
    device = torch.device(compose_config(options.settings).config.hardware.device.value)
    model, optimizer = started(options.settings, device)
    waits, writes, size = [], [], 0
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for number in range(options.rounds):
            began = time.perf_counter()
            snapshot = take_snapshot(model, optimizer, Progress(step=number))
            taken = time.perf_counter()
            path = write_checkpoint(Path(folder), snapshot, run_id="0" * 12, keep=1)
            waits.append(taken - began)
            writes.append(time.perf_counter() - taken)
            size = sum(file.stat().st_size for file in path.iterdir())
    machine = {"device": device_name(device), "torch": torch.__version__}
    found = {
        "megabytes": round(size / 1e6),
        **{
            name: {"median": round(statistics.median(times), 4), "least": round(min(times), 4), "most": max(times)}
            for name, times in (("training waits", waits), ("written beside it", writes))
        },
    }
    print({**machine, **found})
    if options.json:
        write_json(
            options.json, {"command": f"python benchmarks/checkpoint.py {' '.join(options.settings)}"} | machine | found
        )


if __name__ == "__main__":
    main()
