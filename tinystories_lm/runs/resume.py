"""Decide whether and where a run resumes: by its stored config, its corpus and its checkpoints."""

import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from tinystories_lm.config.fields import Effect
from tinystories_lm.config.schema import SETTINGS, Config, settings
from tinystories_lm.runs.checkpoint import (
    Manifest,
    Progress,
    check_checkpoint,
    list_checkpoints,
    step_of,
    valid_checkpoints,
)
from tinystories_lm.runs.folder import RunFolder, new_run_id, read_config
from tinystories_lm.runs.records import check_same, check_text, is_imported, read_as, read_record, read_summary
from tinystories_lm.runs.schemas import CorpusRecord, RunRecord
from tinystories_lm.runs.status import Status, read_status
from tinystories_lm.system.errors import CannotReadError, DamagedError, UsageError

log = logging.getLogger(__name__)
T = TypeVar("T")


class StartPoint(NamedTuple):
    """Where training starts: at step 0 without a checkpoint, or at one of the run's own."""

    progress: Progress
    checkpoint: Path | None


class ResumedRun(NamedTuple):
    """A run before this process trains it, whether new or resumed."""

    record: RunRecord  # without this process
    start: StartPoint


def prepare_resume(run: RunFolder, wanted: Config) -> ResumedRun:
    """Return the run's record and the point where it starts or resumes; warn of what changes its numbers.

    Raises UsageError for a setting that must not change, DamagedError where no checkpoint or no record can be used.
    """
    record = find_record(run) or RunRecord(run_id=new_run_id(), segments=())
    start = find_start(run, run_id=record.run_id)
    notes = []
    if run.config.is_file():
        notes = compare_settings(run, wanted)
    elif start.checkpoint is not None:
        notes = [f"{run.config} is missing: the run resumes with the settings of this command"]
    for note in notes:
        log.warning("%s", note)
    start.progress.exact &= not notes and (start.checkpoint is None or bool(record.segments))
    return ResumedRun(record, start)


def find_record(run: RunFolder) -> RunRecord | None:
    """Return the content of environment.json; None for a run without a checkpoint whose record cannot be read.

    With a checkpoint, a missing or damaged record costs a warning, and a new one starts with the checkpoint's run id.

    Raises DamagedError where all checkpoints are damaged too.
    """
    try:
        return read_record(run)
    except CannotReadError:
        raise
    except DamagedError as error:
        checkpoints = list_checkpoints(run.checkpoints)
        for path in checkpoints:
            with contextlib.suppress(DamagedError):
                run_id = read_as(path / "manifest.json", Manifest).run_id
                check_checkpoint(path, run_id=run_id)
                log.warning("%s: a new record is written, with the run's id from %s", error, path)
                return RunRecord(run_id=run_id, segments=())
        if checkpoints:
            raise
        return None


def find_start(run: RunFolder, *, run_id: str) -> StartPoint:
    """Return the newest intact checkpoint, or step 0 for a run that has none yet.

    Raises DamagedError when there are checkpoints and all are damaged.
    """
    for path, progress in valid_checkpoints(run.checkpoints, run_id=run_id):
        return StartPoint(progress, path)
    if list_checkpoints(run.checkpoints):
        raise DamagedError(f"{run.checkpoints}: all checkpoints are damaged: start a new run with training.fresh=true")
    return StartPoint(Progress(), None)


def best_checkpoint(run: RunFolder) -> Path:
    """Return the checkpoint with the lowest validation loss, or else the newest intact one.

    Raises UsageError where there is no checkpoint.
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


def with_best_checkpoint(run: RunFolder, use: Callable[[Path], T]) -> T:
    """Return what `use` makes of the best checkpoint.

    A process that trains the run may delete that checkpoint meanwhile; then the one that is now the best is used.

    Raises what `best_checkpoint` and `use` do.
    """
    while True:
        before = list_checkpoints(run.checkpoints)
        try:
            return use(best_checkpoint(run))
        except (DamagedError, OSError):
            if list_checkpoints(run.checkpoints) == before:
                raise


def compare_settings(run: RunFolder, wanted: Config) -> list[str]:
    """Return how `wanted` differs from the stored config, a warning for each difference that makes the run inexact.

    Settings that change no number may change freely. Those that only change the rounding (micro-batches, device,
    precision), and more steps, under whose schedule the first steps would have had other learning rates, make the run
    inexact.

    Raises UsageError, with both values, for any other change, and for a folder that `import` made.
    """
    if is_imported(run):
        raise UsageError(f"{run.path} holds an imported model: start a new run from it, training.init_from={run.path}")
    stored = settings(_read_stored(run))
    changed = {
        key: (stored[key], value)
        for key, value in settings(wanted).items()
        if stored[key] != value
        and SETTINGS[key].effect is not Effect.changes_nothing
        and key != "data.path"  # the corpus itself is compared by its hash
    }
    notes = []
    if "training.steps" in changed:
        before, after = changed.pop("training.steps")
        if after < before:
            raise UsageError(f"{run.path} was started with training.steps={before}: {after} steps are too few for it")
        warmup_steps = max(stored["training.warmup_steps"], wanted.training.warmup_steps)
        if max(map(step_of, list_checkpoints(run.checkpoints)), default=0) >= warmup_steps:
            changed.pop("training.warmup_steps", None)  # both warm-ups are over
        notes.append(f"the run is extended from {before:,} to {after:,} steps, under the longer run's schedule")
    for key, (before, after) in changed.items():
        if SETTINGS[key].effect is Effect.changes_numbers:
            raise UsageError(
                f"{run.path} was started with {key}={before}, now it is {after}, which makes another run: "
                "start it in a new folder (training.fresh=true, or another hydra.run.dir)"
            )
        notes.append(f"{key} was {before} and is {after}: the run resumes, but rounds differently")
    return notes


def _read_stored(run: RunFolder) -> Config:
    try:
        return read_config(run, to_train=True)
    except DamagedError as error:
        raise DamagedError(
            f"{error}; restore it from a copy, or delete it to resume with the settings of the command"
        ) from error


def check_corpus(run: RunFolder, before: CorpusRecord, now: CorpusRecord) -> None:
    """Raise DamagedError when the run was started on another text or tokenizer."""
    check_same("text", str(before.fingerprint), str(now.fingerprint), run)
    check_same("tokenizer", before.tokenizer_sha256, now.tokenizer_sha256, run)


def is_done(run: RunFolder, wanted: Config) -> bool:
    """Return whether the run has taken all wanted steps and has a whole summary; a damaged file costs a warning.

    Raises DamagedError for a finished run of another text.
    """
    if not run.status.is_file():
        return False
    try:
        done = read_status(run) is Status.DONE
        done = done and (read_summary(run, whole=True).step or 0) >= wanted.training.steps
        if done:
            read_record(run)
    except CannotReadError:
        raise
    except DamagedError as error:
        log.warning("%s: it is written again", error)
        return False
    if done:
        check_text(run, wanted.data)
    return done
