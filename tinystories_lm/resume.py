"""Which run goes on, and whether it may: by its stored config, its corpus and its checkpoints."""

import contextlib
from pathlib import Path
from typing import Any, NamedTuple

from tinystories_lm.checkpoint import Progress, check_checkpoint, list_checkpoints, valid_checkpoints
from tinystories_lm.choices import Kind
from tinystories_lm.config import Config, settings
from tinystories_lm.errors import DamagedError, UsageError
from tinystories_lm.run_folder import RunFolder, Status, read_config, read_json, read_status


class Start(NamedTuple):
    """Where a run begins: at nothing, or at a checkpoint of its own."""

    progress: Progress
    checkpoint: Path | None


def find_start(run: RunFolder, *, run_id: str) -> Start:
    """The newest checkpoint that is whole.

    Raises DamagedError when there are checkpoints and none of them is.
    """
    for path, progress in valid_checkpoints(run.checkpoints, run_id=run_id):
        return Start(progress, path)
    if list_checkpoints(run.checkpoints):
        raise DamagedError(f"{run.checkpoints}: no checkpoint is whole: begin a new run with training.fresh=true")
    return Start(Progress(), None)


def best_checkpoint(run: RunFolder) -> Path:
    """The checkpoint with the lowest validation loss, or else the newest whole one.

    Raises UsageError where there is none.
    """
    if not list_checkpoints(run.checkpoints):
        status = f" (it is {read_status(run)})" if run.status.is_file() else ""
        raise UsageError(f"{run.path} has no checkpoint{status}: it has to be trained first")
    run_id = read_json(run.environment)["run_id"]
    start = find_start(run, run_id=run_id)
    assert start.checkpoint is not None
    best = run.checkpoints / f"step-{start.progress.best_step:08d}"
    if start.progress.best_loss is not None and best != start.checkpoint:
        with contextlib.suppress(DamagedError):
            check_checkpoint(best, run_id=run_id)
            return best
    return start.checkpoint


class Changes(NamedTuple):
    """How a run that goes on differs from the run that was begun."""

    exact: bool  # its numbers are those that one process would have got
    notes: list[str]  # for the person who changed it


def compare(run: RunFolder, wanted: Config) -> Changes:
    """Whether the run in this folder may go on as `wanted`, and what that does to it.

    What moves no number may change freely; what only rounds differently (micro-batches, device, precision) and a
    larger number of steps, under whose schedule the first steps would have had other rates, cost the run its exactness.

    Raises UsageError, with both values, for any other change, and for a folder that `import` made.
    """
    if run.summary.is_file() and "imported_from" in read_json(run.summary):
        raise UsageError(f"{run.path} holds an imported model: begin a new run from it, training.init_from={run.path}")
    stored = settings(read_config(run))
    changed = {
        key: (stored[key][0], value, kind)
        for key, (value, kind) in settings(wanted).items()
        if stored[key][0] != value and kind is not Kind.free and key != "data.path"
    }
    notes = []
    if "training.steps" in changed:
        before, after, _ = changed.pop("training.steps")
        if after < before:
            raise UsageError(f"{run.path} was begun with training.steps={before}; {after} are fewer: it only goes on")
        if _steps_taken(run) >= max(stored["training.warmup_steps"][0], wanted.training.warmup_steps):
            changed.pop("training.warmup_steps", None)  # both warm-ups are behind
        notes.append(f"going on from {before:,} to {after:,} steps, under the longer run's schedule")
    for key, (before, after, kind) in changed.items():
        if kind is Kind.exact:
            raise UsageError(
                f"{run.path} was begun with {key}={before}, now it is {after}: another run; "
                "begin it in a new folder (training.fresh=true, or another hydra.run.dir)"
            )
        notes.append(f"{key} was {before} and is {after}: the run goes on, but rounds differently")
    return Changes(not notes, notes)


def _steps_taken(run: RunFolder) -> int:
    step = read_json(run.status).get("step", 0) if run.status.is_file() else 0
    return step if isinstance(step, int) else 0


def check_corpus(run: RunFolder, now: dict[str, Any]) -> None:
    """Raise DamagedError when the run was begun on another text or tokenizer."""
    before = read_json(run.environment).get("corpus", {})
    for key in ("fingerprint", "tokenizer_sha256"):
        if before.get(key) != now[key]:
            raise DamagedError(
                f"{run.path} was begun on another corpus: its {key} is {str(before.get(key))[:12]}, "
                f"that of the text at hand {str(now[key])[:12]}; bring the old text back or begin a new run"
            )


def is_done(run: RunFolder, wanted: Config) -> bool:
    """Whether the run in this folder has already taken all the steps that are wanted."""
    return (
        run.status.is_file()
        and read_status(run) is Status.DONE
        and read_config(run).training.steps >= wanted.training.steps
    )
