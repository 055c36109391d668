"""Train runs through the command for benchmarks/gpu.py, and record what their folders hold."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from gpu import RECORD_SECONDS, SAVING_SECONDS, Settings, keep
from gpu_steps import TINY

from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.data.corpus import Split
from tinystories_lm.data.token_cache import prepare
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.records import read_metrics, read_record


def train(settings: Settings, experiment: str, steps: str, compiled: str) -> None:
    """Train a preset in a new run folder; steps: their number, or `epoch`."""
    run = Path(settings.work, f"{experiment}-{steps}")
    shutil.rmtree(run, ignore_errors=True)
    run_command(settings, ("train", experiment, steps, compiled), run)


def resume(settings: Settings, experiment: str, before: str, steps: str) -> None:
    run = Path(settings.work, f"{experiment}-{before}")
    if not (run / "metrics.jsonl").is_file():
        sys.exit(f"there is no run to resume in {run}")
    run_command(settings, ("resume", experiment, before, steps), run)


def run_command(settings: Settings, words: tuple[str, ...], run: Path) -> None:
    """Train until the last step or shortly before the part's limit, and record what the run's folder holds."""
    part, experiment, *_ = words
    overrides, steps = overrides_of_run(settings, experiment, words[2])
    steps = number_of_steps(settings, int(words[3])) if part == "resume" else steps
    rows_before = len(read_metrics(RunFolder(run))) if part == "resume" else 0
    command = [
        sys.executable,
        "-m",
        "tinystories_lm",
        "train",
        *overrides,
        f"training.steps={steps}",
        f"hydra.run.dir={run}",
    ]
    began, first_row_s = time.monotonic(), 0.0
    process = subprocess.Popen(command, cwd=settings.work)
    ends = {settings.until - SAVING_SECONDS: signal.SIGTERM, settings.until - RECORD_SECONDS: signal.SIGKILL}
    while process.poll() is None:
        time.sleep(0.1)
        if not first_row_s and any("train/loss" in row for row in read_metrics(RunFolder(run))[rows_before:]):
            first_row_s = time.monotonic() - began
        for end in [end for end in ends if time.monotonic() > end]:
            process.send_signal(ends.pop(end))
    rows = read_metrics(RunFolder(run))
    segments = read_record(RunFolder(run)).segments if (run / "environment.json").is_file() else ()
    speeds = sorted(row["speed/tokens_per_second"] for row in rows[rows_before:] if "speed/tokens_per_second" in row)
    stopped = len(ends) < 2
    keep(settings.out, {
        "part": part, "arguments": words[1:], "steps": steps, "exit": process.returncode, "stopped": stopped,
        "text": settings.data or "built-in", "run_seconds": time.monotonic() - began, "first_row_s": first_row_s,
        "compile_s": round(segments[-1].compile_seconds or 0.0, 2) if segments else None,
        "attention": str(segments[-1].machine.attention) if segments else None,
        "val": [[row["progress/step"], row["val/loss"]] for row in rows if "val/loss" in row],
        "train_loss": [[row["progress/step"], row["train/loss"]] for row in rows if "train/loss" in row][-3:],
        "tokens_per_second": speeds[len(speeds) // 2] if speeds else 0.0, "fastest": speeds[-1:],
        "train_seconds": rows[-1]["time/train_seconds"] if rows else None,
    })  # fmt: skip
    if process.returncode:
        sys.exit(f"train ends with exit status {process.returncode}" + ", stopped at the limit" * stopped)


def overrides_of_run(settings: Settings, experiment: str, steps: str) -> tuple[list[str], int]:
    """Return a run's settings and its number of steps: for `epoch`, as many as the text has tokens for."""
    text = [f"data.path={settings.data}"] if settings.data else ["data=stories"]
    small = [*TINY, "data.vocab_size=512", "training.eval_tokens=2048", "sampling.max_tokens=16"]
    small += [] if settings.data else ["data.grammar_bytes=400_000"]
    common = [f"experiment={experiment}", *text, f"data.cache_dir={Path(settings.work, 'cache')}", "tracking=off"]
    common += [f"hardware.attention={settings.attention}"] if settings.attention else []
    common += [*small, "hardware.compile=off"] if settings.tiny else []
    register()
    config = compose_config(common).config
    tokens = prepare(config.data).splits[Split.TRAIN].tokens.size if steps == "epoch" else 0
    epoch = tokens // (config.training.batch_size * config.model.context_tokens)
    count = number_of_steps(settings, epoch if steps == "epoch" else int(steps))
    every = max(1, count // 4 if count > 1000 else count // 2)
    return [*common, f"training.eval_every_steps={every}"], count


def number_of_steps(settings: Settings, wanted: int) -> int:
    return max(1, wanted // 10 if settings.tiny else wanted)
