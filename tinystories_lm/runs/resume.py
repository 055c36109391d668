"""Which run goes on, and whether it may: by its stored config, its corpus and its checkpoints."""

import contextlib
import logging
from pathlib import Path
from typing import NamedTuple

from tinystories_lm.config.fields import Effect
from tinystories_lm.config.schema import Config, settings
from tinystories_lm.runs.checkpoint import (
    Progress,
    check_checkpoint,
    list_checkpoints,
    run_id_of,
    step_of,
    valid_checkpoints,
)
from tinystories_lm.runs.folder import RunFolder, new_run_id, read_training_config
from tinystories_lm.runs.records import is_imported, read_record, read_summary
from tinystories_lm.runs.schemas import CorpusRecord, RunRecord
from tinystories_lm.runs.status import Status, read_status
from tinystories_lm.system.errors import DamagedError, UsageError

log = logging.getLogger(__name__)


class StartPoint(NamedTuple):
    """Where a run begins: at nothing, or at a checkpoint of its own."""

    progress: Progress
    checkpoint: Path | None


class ResumedRun(NamedTuple):
    """A run as it is taken up, new or not."""

    record: RunRecord  # the process at hand is not in it yet
    start: StartPoint


def prepare_resume(run: RunFolder, wanted: Config) -> ResumedRun:
    """What is there of the run, and where it goes on; warns of what costs it its exactness.

    Raises UsageError for a changed setting, DamagedError where nothing of what is there can be believed.
    """
    record = find_record(run) or RunRecord(run_id=new_run_id(), segments=())
    start = find_start(run, run_id=record.run_id)
    if run.config.is_file():
        changes = compare(run, wanted)
    elif start.checkpoint is not None:
        changes = Changes(False, [f"{run.config} is missing: the run goes on with the settings at hand"])
    else:
        changes = Changes(True, [])
    for note in changes.notes:
        log.warning("%s", note)
    start.progress.exact &= changes.exact and (start.checkpoint is None or bool(record.segments))
    return ResumedRun(record, start)


def find_start(run: RunFolder, *, run_id: str) -> StartPoint:
    """The newest checkpoint that is whole.

    Raises DamagedError when there are checkpoints and none of them is.
    """
    for path, progress in valid_checkpoints(run.checkpoints, run_id=run_id):
        return StartPoint(progress, path)
    if list_checkpoints(run.checkpoints):
        raise DamagedError(f"{run.checkpoints}: no checkpoint is whole: begin a new run with training.fresh=true")
    return StartPoint(Progress(), None)


def best_checkpoint(run: RunFolder) -> Path:
    """The checkpoint with the lowest validation loss, or else the newest whole one.

    Raises UsageError where there is none.
    """
    if not list_checkpoints(run.checkpoints):
        status = f" (it is {read_status(run)})" if run.status.is_file() else ""
        raise UsageError(f"{run.path} has no checkpoint{status}: it has to be trained first")
    run_id = read_record(run).run_id
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
    if is_imported(run):
        raise UsageError(f"{run.path} holds an imported model: begin a new run from it, training.init_from={run.path}")
    stored = settings(_begun_with(run))
    changed = {
        key: (stored[key][0], value, effect)
        for key, (value, effect) in settings(wanted).items()
        if stored[key][0] != value and effect is not Effect.changes_nothing and key != "data.path"
    }
    notes = []
    if "training.steps" in changed:
        before, after, _ = changed.pop("training.steps")
        if after < before:
            raise UsageError(f"{run.path} was begun with training.steps={before}; {after} are fewer: it only goes on")
        if max(map(step_of, list_checkpoints(run.checkpoints)), default=0) >= max(
            stored["training.warmup_steps"][0], wanted.training.warmup_steps
        ):
            changed.pop("training.warmup_steps", None)  # both warm-ups are behind
        notes.append(f"going on from {before:,} to {after:,} steps, under the longer run's schedule")
    for key, (before, after, effect) in changed.items():
        if effect is Effect.changes_numbers:
            raise UsageError(
                f"{run.path} was begun with {key}={before}, now it is {after}: another run; "
                "begin it in a new folder (training.fresh=true, or another hydra.run.dir)"
            )
        notes.append(f"{key} was {before} and is {after}: the run goes on, but rounds differently")
    return Changes(not notes, notes)


def _begun_with(run: RunFolder) -> Config:
    try:
        return read_training_config(run)
    except DamagedError as error:
        raise DamagedError(
            f"{error}; bring it back from a copy, or delete it to go on with the settings that you type"
        ) from error


def check_corpus(run: RunFolder, before: CorpusRecord, now: CorpusRecord) -> None:
    """Raise DamagedError when the run was started on another text or tokenizer."""
    for key in ("fingerprint", "tokenizer_sha256"):
        if getattr(before, key) != getattr(now, key):
            raise DamagedError(
                f"{run.path} was begun on another corpus: its {key} is {str(getattr(before, key))[:12]}, "
                f"that of the text at hand {str(getattr(now, key))[:12]}; bring the old text back or begin a new run"
            )


def find_record(run: RunFolder) -> RunRecord | None:
    """What the run was made with; None for a run that has no checkpoint yet and no record that can be read.

    A damaged or missing one is passed over with a warning, where a checkpoint tells at least which run this is.
    """
    try:
        return read_record(run)
    except DamagedError as error:
        checkpoints = list_checkpoints(run.checkpoints)
        for path in checkpoints:
            with contextlib.suppress(DamagedError):
                check_checkpoint(path, run_id=(run_id := run_id_of(path)))
                log.warning("%s: written anew, with what %s tells", error, path)
                return RunRecord(run_id=run_id, segments=())
        if checkpoints:
            raise
        return None


def is_done(run: RunFolder, wanted: Config) -> bool:
    """Whether the run in this folder has already taken all the steps that are wanted, and says what came of it."""
    if not run.status.is_file():
        return False
    try:
        done = read_status(run) is Status.DONE
        return done and (read_summary(run, whole=True).step or 0) >= wanted.training.steps
    except DamagedError as error:
        log.warning("%s: it is written anew", error)
        return False
