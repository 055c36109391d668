"""How fast a run trains beside other work, by the ways in which torch's threads may wait for each other.

    python benchmarks/busy.py [--rounds 1] [--busy 0 1 3] [--json FILE]

Two runs, the demo's and a 28M one, each a process of its own, alone and beside processes that only count. A thread that
waits spins 300,000 times before it sleeps (GNU OpenMP's default), or fewer; or there is one thread. Tokens per second
from the first logged row to the last, medians over the rounds; all ways take turns.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from tinystories_lm.hardware.detect import device_name
from tinystories_lm.system.cores import usable_cores
from tinystories_lm.system.json_files import write_json

WAYS = {
    "300,000 spins": {"GOMP_SPINCOUNT": "300000"},
    "10,000 spins": {"GOMP_SPINCOUNT": "10000"},
    "1,000 spins": {"GOMP_SPINCOUNT": "1000"},
    "no spinning": {"OMP_WAIT_POLICY": "passive"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
COMMON = ["training.eval_tokens=1024", "tracking=off", "sampling.max_tokens=8"]
RUNS = {
    "demo": ["experiment=smoke", "training.steps=40", "training.log_every_steps=5"],
    "28M": [
        "experiment=smoke",
        "model=gpt_28m",
        "training.batch_size=2",
        "training.steps=8",
        "training.log_every_steps=2",
    ],
}


@contextmanager
def busy(count: int) -> Iterator[None]:
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def tokens_per_second(settings: list[str], way: dict[str, str]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "GOMP_"))}
        command = ["-m", "tinystories_lm", "train", *settings, f"hydra.run.dir={folder}/run"]
        done = subprocess.run([sys.executable, *command], env=clean | way, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        text = (Path(folder) / "run/metrics.jsonl").read_text(encoding="utf-8")
        rows = [row for row in map(json.loads, text.splitlines()) if "train/loss" in row]
        first, last = rows[0], rows[-1]
        seconds = last["time/train_seconds"] - first["time/train_seconds"]
        return (last["progress/tokens"] - first["progress/tokens"]) / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 1, 3])
    parser.add_argument("--ways", nargs="+", default=list(WAYS))
    parser.add_argument("--runs", nargs="+", default=list(RUNS))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    for run in options.runs:
        for count in options.busy:
            found: dict[str, list[float]] = {way: [] for way in options.ways}
            with busy(count):
                for _ in range(options.rounds):
                    for way in options.ways:
                        found[way].append(tokens_per_second([*RUNS[run], *COMMON], WAYS[way]))
            medians = {way: statistics.median(speeds) for way, speeds in found.items()}
            shown = " | ".join(f"{way} {speed:,.0f}" for way, speed in medians.items())
            print(f"{run:<5} beside {count}: {shown}", flush=True)
            rows.append({"run": run, "busy_processes": count, "tokens_per_second": medians})
    if options.json:
        machine = {"device": device_name(torch.device("cpu")), "cores": usable_cores(), "torch": torch.__version__}
        write_json(options.json, {"command": "python benchmarks/busy.py", **machine, "rows": rows})


if __name__ == "__main__":
    main()
