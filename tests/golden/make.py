"""Make the golden files: run folders, a sweep and a token cache that commit 537aa6a wrote, and what it read in them.

    git worktree add --detach OLD 537aa6a
    python tests/golden/make.py OLD

They stand for everything that users have on their disks: `tests/test_golden.py` resumes, samples, evaluates, reports
and exports them with the program at hand. They are made again only to add a case, and then by that same commit.

`files/` is the folder in which its commands ran; `expected.json` has what its commands then answered.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

GOLDEN = Path(__file__).resolve().parent
FILES, EXPECTED = GOLDEN / "files", GOLDEN / "expected.json"
SETTINGS = [
    "model.n_layers=1",
    "model.d_model=8",
    "model.n_heads=2",
    "model.d_ff=16",
    "model.context_tokens=32",
    "data.path=text",
    "data.vocab_size=280",
    "training.steps=120",
    "training.batch_size=4",
    "training.log_every_steps=20",
    "training.eval_every_steps=40",
    "training.eval_tokens=512",
    "training.keep_checkpoints=1",
    "optimizer.lr=1e-2",
    "sampling.max_tokens=12",
    "sampling.prompts=['One day']",
    "tracking=off",
    "hardware=cpu",
    "hardware.threads=1",
]
# The settings of each run folder beside SETTINGS.
RUNS = {
    "interrupted": ["optimizer=muon", "model.qk_norm=true"],
    "finished": ["model.tie_embeddings=true", "training.seed=2"],
    "zero_init": ["model.zero_init=true"],
    "relu2": ["model.mlp=relu2"],
    "rows_begin": ["training.rows_begin=document"],
    "batch_doublings": ["training.batch_doublings=1"],
}
CONFIG_ONLY = ("relu2", "rows_begin", "batch_doublings")  # options that later commits lack
SWEEP = ["sweep", "seeds", *SETTINGS, "model.tie_embeddings=true", "training.seed=0,1"]
PLACE = "outputs/golden"  # of the runs
LAST = "step-00000120"
NOT_KEPT = ("hydra.yaml", "hashes.json", ".lock", "*.lock", "*.log")  # paths of this machine, and what is empty

Command = Callable[..., str]  # runs the program in a copy of files/ and returns its standard output


def train(name: str) -> list[str]:
    """Return the command line that began this run, which is also the one that resumes it."""
    return ["train", *SETTINGS, *RUNS[name], f"hydra.run.dir={PLACE}/{name}"]


def resumed(command: Command, folder: Path) -> dict[str, Any]:
    command(*train("interrupted"))
    return ending(folder / PLACE / "interrupted")


def swept(command: Command, folder: Path) -> dict[str, Any]:
    """Resume the sweep; returns how each member ended, by its folder's name."""
    command(*SWEEP)
    runs = sorted(path for path in (folder / "outputs/sweeps/seeds").iterdir() if path.is_dir())
    return {run.name: ending(run) for run in runs}


def ending(run: Path) -> dict[str, Any]:
    """Return the status of a run, the validation loss at each step, and the hashes of its last checkpoint."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return {
        "status": json.loads((run / "status.json").read_text(encoding="utf-8"))["status"],
        "val/loss": {str(row["progress/step"]): row["val/loss"] for row in rows if "val/loss" in row},
        "sha256": {file.name: sha256_of(file) for file in sorted((run / "checkpoints" / LAST).glob("*.safetensors"))},
    }


def sampled(command: Command, folder: Path) -> dict[str, Any]:
    """Return the likeliest continuation by each run, and one that is drawn."""
    drawn = ("--temperature", "0.8", "--top-p", "0.9", "--seed", "1", "--max-tokens", "24", "--count", "1")
    greedy = ("--temperature", "0", *drawn[4:])
    runs = ("interrupted", "finished", "zero_init")
    return {
        run: {
            "greedy": command("sample", f"{PLACE}/{run}", *greedy),
            "drawn": command("sample", f"{PLACE}/{run}", *drawn),
        }
        for run in runs
    }


def evaluated(command: Command, folder: Path) -> dict[str, Any]:
    run = f"{PLACE}/finished"
    command("evaluate", run, "--stories", "3", "--max-tokens", "16", "--device", "cpu", "--precision", "float32")
    return dict(json.loads((folder / run / "evaluation.json").read_text(encoding="utf-8")))


def reported(command: Command, folder: Path) -> dict[str, Any]:
    """Return the rows of the report by folder; a verdict's words are those that the run stored."""
    named = [f"{PLACE}/{run}" for run in RUNS if run not in CONFIG_ONLY]
    runs = json.loads(command("report", *named, "outputs/sweeps/seeds", "--json"))["runs"]
    return {"runs": sorted(runs, key=lambda run: str(run["run"]))}


def exported(command: Command, folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for run in ("interrupted", "finished", "zero_init"):
        command("export", f"{PLACE}/{run}", f"{run}-exported")
        made = folder / f"{run}-exported"
        found[run] = {"config": json.loads((made / "config.json").read_text(encoding="utf-8"))}
        found[run] |= {name: sha256_of(made / name) for name in ("model.safetensors", "tokenizer.json")}
    return found


READERS = {"sampled": sampled, "reported": reported, "exported": exported, "evaluated": evaluated}
RESUMERS = {"resumed": resumed, "swept": swept}


def sha256_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def machine() -> dict[str, str]:
    """Return what decides how sums are rounded; on another machine the bits of trained weights differ."""
    names = {}
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    capability = torch.backends.cpu.get_cpu_capability()
    return {"torch": torch.__version__, "capability": capability, "processor": names.get("model name", "")}


def main() -> None:
    source = Path(sys.argv[1]).resolve()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB_", "HYDRA_"))}
    environment = kept | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(source)}

    def run_in(folder: Path, *arguments: str, fault: str = "", exit_code: int = 0) -> str:
        print(" ".join(arguments[:2]), flush=True)
        faulty = environment | ({"TSLM_FAULT": fault} if fault else {})
        command = [sys.executable, "-m", "tinystories_lm", *arguments]
        done = subprocess.run(command, cwd=folder, env=faulty, capture_output=True, text=True)
        if done.returncode != exit_code:
            raise RuntimeError(f"exit code {done.returncode} instead of {exit_code}:\n{done.stderr}")
        return done.stdout

    with tempfile.TemporaryDirectory() as temporary:
        make_files(Path(temporary), run_in)
        shutil.rmtree(FILES / "outputs", ignore_errors=True)
        shutil.copytree(temporary, FILES, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*NOT_KEPT))
    expected: dict[str, Any] = {"machine": machine()}
    for name, work in (READERS | RESUMERS).items():
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(shutil.copytree(FILES, temporary, dirs_exist_ok=True))
            expected[name] = work(lambda *arguments, at=folder: run_in(at, *arguments), folder)
    EXPECTED.write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def make_files(folder: Path, run_in: Callable[..., str]) -> None:
    """Run every command whose files are kept."""
    shutil.copytree(FILES / "text", folder / "text")
    for name in RUNS:
        halfway = {"fault": "step:30:terminate", "exit_code": 75} if name == "interrupted" else {}
        run_in(folder, *train(name), **halfway)
        if name in CONFIG_ONLY:
            run = folder / PLACE / name
            config = (run / "config.yaml").read_bytes()
            shutil.rmtree(run)
            run.mkdir()
            (run / "config.yaml").write_bytes(config)
    run_in(folder, *(setting.replace("seed=0,1", "seed=0") for setting in SWEEP))
    (finished,) = (path for path in (folder / "outputs/sweeps/seeds").iterdir() if path.is_dir())
    planned = run_in(folder, *SWEEP, "--dry-run", "--json").splitlines()
    (other,) = {Path(json.loads(line)["run"]).name for line in planned} - {finished.name}
    run_in(folder, *SWEEP, fault=f"step:30:terminate:{other}", exit_code=1)
    run_in(folder, "plan", *SETTINGS, "--calibrate")
    calibration = folder / "outputs/cache/calibration.json"
    calibration.write_text(calibration.read_text(encoding="utf-8").replace(platform.node(), "HOST"), encoding="utf-8")


if __name__ == "__main__":
    main()
