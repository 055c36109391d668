"""How long a person waits: for help, for the composed config, for a plan, and from the command to the first step.

    python benchmarks/start.py [--rounds 5] [--json FILE]

Whole processes, on a token cache that is ready; they take turns, so that whatever else the machine does strikes all.
The first step is over when its row stands in metrics.jsonl: of `experiment=smoke`, logged at every step, not compiled;
and compiled, with the compiler's cache empty (cold) and as that run left it (warm).
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from tinystories_lm.hardware.detect import device_name
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.records import read_metrics
from tinystories_lm.system.cores import usable_cores
from tinystories_lm.system.json_files import write_json

PROGRAM = [sys.executable, "-m", "tinystories_lm"]
BARS = {"--help": 0.4, "train --cfg job": 0.4, "plan": 2.5, "first step of smoke": 6.0}  # seconds
COMPILED = ("first step, compiled, cold", "first step, compiled, warm")


def process_seconds(arguments: list[str], folder: Path) -> float:
    began = time.perf_counter()
    subprocess.run([*PROGRAM, *arguments], cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - began


def first_step_seconds(folder: Path, *, compiler_cache: Path | None = None) -> float:
    """From the command to the first row of a step; the run is then killed. Compiled where a cache for it is named."""
    run = Path(tempfile.mkdtemp(dir=folder))
    switch = "off" if compiler_cache is None else "on"
    command = [*PROGRAM, "train", "experiment=smoke", "tracking=off", "training.log_every_steps=1",
               f"hardware.compile={switch}", f"hydra.run.dir={run / 'run'}"]  # fmt: skip
    environment = os.environ | ({} if compiler_cache is None else {"TORCHINDUCTOR_CACHE_DIR": str(compiler_cache)})
    quiet = subprocess.DEVNULL
    began = time.perf_counter()
    started = subprocess.Popen(command, cwd=folder, env=environment, stdout=quiet, stderr=quiet)
    try:
        while not any("train/loss" in row for row in read_metrics(RunFolder(run / "run"))):
            if started.poll() is not None:
                raise RuntimeError("the run ended before its first step")
            time.sleep(0.01)
        return time.perf_counter() - began
    finally:
        started.kill()
        started.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found: dict[str, list[float]] = {name: [] for name in (*BARS, *COMPILED)}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        process_seconds(["prepare", "experiment=smoke"], folder)
        for _ in range(options.rounds):
            for name in ("--help", "train --cfg job", "plan"):
                found[name].append(process_seconds(name.split(), folder))
            found["first step of smoke"].append(first_step_seconds(folder))
            compiler_cache = Path(tempfile.mkdtemp(dir=folder))
            for name in COMPILED:
                found[name].append(first_step_seconds(folder, compiler_cache=compiler_cache))
    print(f"{'':<28}{'median':>8}{'from':>8}{'to':>8}{'bar':>8}   (seconds)")
    rows = []
    for name, times in found.items():
        median = statistics.median(times)
        bar = BARS.get(name, "")
        print(f"{name:<28}{median:>8.2f}{min(times):>8.2f}{max(times):>8.2f}{bar:>8}")
        rows.append({"what": name, "seconds": median, "rounds": times, "bar_seconds": BARS.get(name)})
    if options.json:
        machine = {"processor": device_name(torch.device("cpu")), "cores": usable_cores(), "torch": torch.__version__}
        command = f"python benchmarks/start.py --json {options.json}"
        write_json(options.json, {"command": command, **machine, "starts": rows})


if __name__ == "__main__":
    main()
