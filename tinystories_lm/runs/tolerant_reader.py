"""Read a run folder as far as possible: a missing or damaged file costs its own contents and no others."""

import contextlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tinystories_lm.config.schema import Config
from tinystories_lm.runs.folder import RunFolder, read_config
from tinystories_lm.runs.records import read_record, read_summary
from tinystories_lm.runs.schemas import MetricsRow, RunRecord, SampleRow, Summary, parse_metrics_row
from tinystories_lm.runs.status import StatusFile, read_status_file
from tinystories_lm.runs.trials import StudyRecord, TrialRecord, read_study_record, read_trials
from tinystories_lm.system.console import counted
from tinystories_lm.system.errors import DamagedError, UsageError
from tinystories_lm.system.jsonl import last_row, scan_rows

T = TypeVar("T")
STUDY_NAME = re.compile(r"[0-9a-f]{8}")  # a file is named by it


class TolerantReader:
    """Reads one run folder file by file; never raises for what a folder may hold.

    problems: what could not be read, a short sentence each.
    """

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self.problems: list[str] = []

    def config(self) -> Config | None:
        """Return the stored config; its absence is a problem."""
        if not self.run.config.is_file():
            self.problems.append("config.yaml is missing")
            return None
        try:
            return read_config(self.run)
        except (DamagedError, UsageError) as error:
            self.problems.append(f"config.yaml cannot be read: {str(error).partition(': ')[2] or error}")
        return None

    def status(self) -> StatusFile | None:
        """Return what became of the run; its absence is a problem."""
        if not self.run.status.is_file():
            self.problems.append("status.json is missing")
            return None
        return self._read(self.run.status, read_status_file)

    def summary(self) -> Summary | None:
        """Return the final figures, None for a run that has none yet."""
        return self._read(self.run.summary, read_summary)

    def record(self) -> RunRecord | None:
        """Return what the run was made with."""
        return self._read(self.run.environment, read_record)

    def metrics(self) -> list[MetricsRow]:
        """Return all whole rows of metrics.jsonl."""
        return self._rows(self.run.metrics, parse_metrics_row)

    def samples(self) -> list[SampleRow]:
        """Return all whole rows of samples.jsonl."""
        return self._rows(self.run.samples, lambda row: msgspec.convert(row, SampleRow))

    def trials(self) -> tuple[TrialRecord, ...]:
        """Return the trials of searches that the run is."""
        try:
            return read_trials(self.run)
        except DamagedError:
            self.problems.append("trial.json is damaged")
            return ()

    def studies(self, trials: Sequence[TrialRecord]) -> dict[str, StudyRecord]:
        """Return what the sweep's folder records of the trials' studies."""
        found: dict[str, StudyRecord] = {}
        for study in {trial.study for trial in trials if STUDY_NAME.fullmatch(trial.study)}:
            with contextlib.suppress(DamagedError):
                if (record := read_study_record(self.run.path.parent, study)) is not None:
                    found[study] = record
        return found

    def newest_figures(self) -> Summary:
        """Return the final figures, or those in the last row of metrics.jsonl where there is no summary."""
        summary = self.summary()
        if summary is None:
            summary = last_row(self.run.metrics, lambda row: msgspec.convert(parse_metrics_row(row), Summary))
        return summary or Summary()

    def _read(self, path: Path, read: Callable[[RunFolder], T]) -> T | None:
        if not path.is_file():
            return None
        try:
            return read(self.run)
        except DamagedError:
            self.problems.append(f"{path.name} is damaged")
            return None

    def _rows(self, path: Path, parse: Callable[[Any], T]) -> list[T]:
        """Return the rows; half a row at the end, which a running or killed writer leaves, is not a problem."""
        try:
            rows, damaged = scan_rows(path, parse)
        except DamagedError:
            self.problems.append(f"{path.name} cannot be read")
            return []
        if damaged:
            self.problems.append(f"{counted(damaged, 'line')} of {path.name} left out: damaged")
        return rows
