"""What a sweep costs beside its runs: the seconds that one more trivial run takes, for each launcher.

    python benchmarks/sweep.py [--rounds 3] [--runs 12] [--json FILE]

A launcher's sweeps of 2 and of `--runs` runs take turns with the other launchers'; what a run more costs is their
difference in time over their difference in runs, so the start of the sweep is left out. The run itself, one step of a
very small model with its evaluation, checkpoint and summary, is timed in a warm process; the rest is overhead.
A launcher that is not installed is named and skipped.
"""

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.hardware.detect import device_name
from tinystories_lm.system.cores import usable_cores
from tinystories_lm.system.json_files import write_json

SMALL = [
    "model.n_layers=1", "model.d_model=32", "model.n_heads=2", "model.d_ff=64", "model.context_tokens=32",
    "data.vocab_size=300", "data.grammar_bytes=100000", "training.steps=1", "training.batch_size=1",
    "training.eval_tokens=32", "sampling.max_tokens=1", "sampling.prompts=['One']", "tracking=off", "hardware=cpu",
    "hardware.threads=1",
]  # fmt: skip
# The words that choose a launcher, and the module that it needs.
LAUNCHERS = {
    "sweep": ("sweep", [], ""),
    "train -m (Hydra's own, one process)": ("train", [], ""),
    "joblib, 1 worker": ("train", ["hydra/launcher=devices", "hydra.launcher.n_jobs=1"], "hydra_joblib_launcher"),
    "submitit, local": ("train", ["hydra/launcher=slurm_local"], "hydra_submitit_launcher"),
    "Ray, local": ("train", ["hydra/launcher=ray", "+hydra.launcher.ray.init.num_cpus=1"], "hydra_ray_launcher"),
}


def seconds(command: str, words: list[str], runs: int, folder: Path) -> float:
    """Time one sweep of `runs` new runs in a separate process."""
    named = ["sweep", "seeds"] if command == "sweep" else ["train", "-m", "+sweep=seeds"]
    seeds = f"training.seed={','.join(map(str, range(runs)))}"
    swept = f"hydra.sweep.dir={tempfile.mkdtemp(dir=folder)}"
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "tinystories_lm", *named, *SMALL, *words, seeds, swept],
        cwd=folder, check=True, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    return time.perf_counter() - began


def run_alone(folder: Path) -> float:
    """Return the median time of a run in a process that has already loaded everything."""
    from tinystories_lm.jobs.job import run_job
    from tinystories_lm.planning.estimate import Speed
    from tinystories_lm.planning.preflight import ResolvedJob

    config = compose_config([*SMALL, f"data.cache_dir={folder / 'outputs/cache'}"]).config
    times = []
    for number in range(6):
        began = time.perf_counter()
        run_job(ResolvedJob(config, folder / f"alone-{number}", Speed(1e11)))
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def installed(module: str) -> bool:
    return not module or importlib.util.find_spec(f"hydra_plugins.{module}") is not None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    register()
    there = {name: launcher for name, launcher in LAUNCHERS.items() if installed(launcher[2])}
    for name in LAUNCHERS.keys() - there.keys():
        print(f"skipped: {name} is not installed")
    found: dict[str, list[float]] = {name: [] for name in there}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        seconds("sweep", [], 1, folder)  # makes the token cache
        for _ in range(options.rounds):
            for name, (command, words, _) in there.items():
                few, many = (seconds(command, words, runs, folder) for runs in (2, options.runs))
                found[name].append((many - few) / (options.runs - 2))
        alone = run_alone(folder)
    print(f"\nthe run itself, in a warm process: {alone:.2f} s\n")
    print(f"{'launcher':<38}{'a run more':>12}{'overhead':>12}{'from':>8}{'to':>8}   (seconds)")
    rows = []
    for name, times in found.items():
        median = statistics.median(times)
        print(f"{name:<38}{median:>12.2f}{median - alone:>12.2f}{min(times):>8.2f}{max(times):>8.2f}")
        rows.append({"launcher": name, "run_seconds": median, "overhead_seconds": median - alone, "rounds": times})
    if options.json:
        command = f"python benchmarks/sweep.py --json {options.json}"
        machine = {"processor": device_name_of_cpu(), "cores": usable_cores()}
        write_json(options.json, {"command": command, **machine, "run_itself_seconds": alone, "launchers": rows})


def device_name_of_cpu() -> str:
    import torch

    return device_name(torch.device("cpu"))


if __name__ == "__main__":
    main()
