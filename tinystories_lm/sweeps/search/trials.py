"""Read what became of each trial of a study from the runs in the sweep's folder."""

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.records import read_summary
from tinystories_lm.runs.schemas import parse_metrics_row
from tinystories_lm.runs.status import Status, read_status_file
from tinystories_lm.runs.trials import TrialRecord, read_trials
from tinystories_lm.system.errors import DamagedError
from tinystories_lm.system.jsonl import scan_rows
from tinystories_lm.system.locks import lock

CLAIM = ".claim"  # locked, in a run's folder, by the worker that has the trial, until its run has ended


class State(StrEnum):
    WAITING = "waiting"  # of a run that has not reached its rung and that no worker has
    RUNNING = "running"
    PAUSED = "paused"  # at its rung, with a checkpoint
    DONE = "done"
    DIVERGED = "diverged"
    REFUSED = "refused"  # its settings make no run
    FAILED = "failed"


@dataclass(frozen=True)
class Trial:
    """One trial of a study, as the run store has it."""

    record: TrialRecord
    run: RunFolder
    state: State
    losses: Mapping[int, float] = field(default_factory=dict)  # step of a rung → validation loss
    loss: float | None = None  # of the finished run
    reason: str = ""

    @property
    def number(self) -> int:
        return self.record.number

    @property
    def params(self) -> dict[str, str]:
        return self.record.params

    @property
    def rung(self) -> int:
        return self.record.rung

    def loss_at(self, step: int) -> float | None:
        """Return the validation loss at a rung; infinite where the run has diverged, None where it is not there yet."""
        return math.inf if self.state in (State.DIVERGED, State.REFUSED) else self.losses.get(step)


def read_study(folder: Path, fingerprint: str, rungs: Sequence[int]) -> list[Trial]:
    """Return the trials of a study in the order of their numbers.

    rungs: the steps at which its trials are compared, before the last one.

    Raises DamagedError for a trial.json that cannot be read.
    """
    found: list[Trial] = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        run = RunFolder(path)
        records = [record for record in read_trials(run) if record.study == fingerprint]
        found += _read_run(run, records, rungs) if records else []
    return sorted(found, key=lambda trial: trial.number)


def _read_run(run: RunFolder, records: Sequence[TrialRecord], rungs: Sequence[int]) -> list[Trial]:
    if records[0].refused:
        return [Trial(record, run, State.REFUSED, reason=record.refused) for record in records]
    losses = _losses_at(run, rungs)
    furthest = max(record.rung for record in records)  # equal settings were drawn again: it is one run
    state, loss, reason = _outcome(run)
    if state is State.WAITING and furthest < len(rungs) and rungs[furthest] in losses:
        state = State.PAUSED
    if state is not State.DONE and _is_claimed(run):
        state = State.RUNNING
    records = [TrialRecord(study=r.study, number=r.number, params=r.params, rung=furthest) for r in records]
    return [Trial(record, run, state, losses, loss, reason) for record in records]


def _outcome(run: RunFolder) -> tuple[State, float | None, str]:
    """Return what status.json and summary.json report of a run that no worker has; a damaged one is run again."""
    with contextlib.suppress(DamagedError):
        if run.status.is_file():
            file = read_status_file(run)
            if file.status is Status.DONE:
                return State.DONE, read_summary(run, whole=True).val_loss, ""
            if file.status is Status.FAILED:
                is_divergence = file.reason.startswith("diverged")
                return State.DIVERGED if is_divergence else State.FAILED, None, file.reason
    return State.WAITING, None, ""


def _losses_at(run: RunFolder, rungs: Sequence[int]) -> dict[int, float]:
    if not rungs:
        return {}
    rows = scan_rows(run.metrics, parse_metrics_row).rows
    at = {row["progress/step"]: row["val/loss"] for row in rows if "val/loss" in row}
    return {step: float(at[step]) for step in rungs if step in at}


def _is_claimed(run: RunFolder) -> bool:
    path = run.path / CLAIM
    if not path.is_file():
        return False
    with lock(path, wait=False) as holder:
        return holder is not None
