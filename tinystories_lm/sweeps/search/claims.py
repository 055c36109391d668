"""Hand out a study's work: which trial a worker trains next, and how far.

The state of a study is the run store. A worker that asks holds the lock of the sweep's folder, reads every trial,
writes the one that it takes into the run's folder, and holds the run's claim until that run has ended. Any number of
workers, started by hand, share a study so; one that is killed leaves trials that the next one resumes.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tinystories_lm.config.fingerprint import short_hash
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.trials import TrialRecord, write_trial
from tinystories_lm.sweeps.search.rungs import promote, promote_last
from tinystories_lm.sweeps.search.study import Study, suggest
from tinystories_lm.sweeps.search.trials import CLAIM, State, Trial, read_study
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.files import writing
from tinystories_lm.system.locks import lock

LOCK = ".search"  # in the sweep's folder


@dataclass
class Claim:
    """A trial that this worker alone may train, until the claim is released."""

    record: TrialRecord
    run: RunFolder
    stop_at_step: int  # 0 is the end of the run
    _held: contextlib.ExitStack

    def release(self) -> None:
        self._held.close()


@dataclass
class Search:
    """The work of one study, as one worker sees it.

    count: trials of the whole study, those of all workers and earlier starts included.
    place: returns the run folder of settings; raises UsageError for settings that make no run.
    """

    study: Study
    folder: Path
    count: int
    place: Callable[[dict[str, str]], Path]
    _begun: set[tuple[Path, int]] = field(default_factory=set)  # the runs and rungs that this worker has had

    def trials(self) -> list[Trial]:
        return [trial for trial in self._read() if trial.number < self.count]

    def claim(self) -> Claim | None:
        """Return the next trial to train; None where nothing is left, or only what other workers have.

        A trial that an earlier worker left unfinished comes first, in the order of numbers; then one that is promoted
        to its next rung; then a new one.
        """
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        with lock(self.folder / LOCK, wait=True):
            while True:
                trials = self.trials()
                if (found := self._next(trials)) is not None:
                    if (claim := self._take(*found)) is not None:
                        return claim
                elif (number := _first_missing(trials, self.count)) is not None:
                    self._draw(trials, number)
                else:
                    return None

    def _read(self) -> list[Trial]:
        return read_study(self.folder, self.study.fingerprint, self.study.rungs)

    def _next(self, trials: Sequence[Trial]) -> tuple[Trial, int] | None:
        """Return the trial to train and its rung; None where a new one is to be drawn, or nothing is left."""
        rungs, runs = self.study.rungs, list({trial.run.path: trial for trial in reversed(trials)}.values())[::-1]
        for trial in runs:
            is_left = trial.state in (State.WAITING, State.FAILED)
            if is_left and (trial.run.path, trial.rung) not in self._begun:
                return trial, trial.rung
        found = promote(runs, rungs)
        is_last = _first_missing(trials, self.count) is None and all(t.state is not State.RUNNING for t in runs)
        if found is None and is_last:
            found = promote_last(runs, rungs)
        return None if found is None else (found, found.rung + 1)

    def _take(self, trial: Trial, rung: int) -> Claim | None:
        """Claim a trial for a rung; None where a worker of another study has the same run."""
        held = contextlib.ExitStack()
        self._begun.add((trial.run.path, rung))
        if held.enter_context(lock(trial.run.path / CLAIM, wait=False)) is not None:
            held.close()
            return None
        record = msgspec.structs.replace(trial.record, rung=rung)
        write_trial(trial.run, record)
        stop_at_step = self.study.rungs[rung] if rung < len(self.study.rungs) else 0
        return Claim(record, trial.run, stop_at_step, held)

    def _draw(self, trials: Sequence[Trial], number: int) -> None:
        """Write the trial of this number, from what those before it have shown."""
        params, refused = suggest(self.study, trials, number), ""
        try:
            path = self.place(params)
        except UsageError as error:
            path, refused = self.folder / f"refused-{short_hash(params)}", str(error)
        record = TrialRecord(study=self.study.fingerprint, number=number, params=params, refused=refused)
        with writing(path):
            path.mkdir(parents=True, exist_ok=True)
        write_trial(RunFolder(path), record)


def _first_missing(trials: Sequence[Trial], count: int) -> int | None:
    """Return the lowest number without a trial: the next one, or one whose run was deleted."""
    there = {trial.number for trial in trials}
    return next((number for number in range(count) if number not in there), None)
