"""Read and write trial.json: which trials of which studies a run is."""

from pathlib import Path

import msgspec

from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.records import read_as
from tinystories_lm.runs.schemas import Count, Record
from tinystories_lm.system.json_files import write_json

FILE = "trial.json"


class TrialRecord(Record, frozen=True, kw_only=True):
    """One trial of a study."""

    study: str  # its fingerprint
    number: Count
    params: dict[str, str]  # the searched settings, as they are typed
    rung: Count = 0  # the number of the last rung that it was sent to
    refused: str = ""  # why its settings make no run; such a trial has a folder without a run


class TrialsFile(Record, frozen=True, kw_only=True):
    """trial.json: several records where equal settings were drawn twice, or by several studies."""

    trials: tuple[TrialRecord, ...] = ()


class StudyRecord(Record, frozen=True, kw_only=True):
    """What a search has found out about its study: for reports, and written again at the end of each start.

    logarithmic: settings that were drawn evenly in their logarithm; importance: the share of each setting in what makes
    a trial good, the largest first, empty for too few trials.
    """

    study: str
    sampler: str = ""
    seed: int = 0
    logarithmic: tuple[str, ...] = ()
    importance: dict[str, float] = msgspec.field(default_factory=dict)


def read_study_record(folder: Path, study: str) -> StudyRecord | None:
    """Return the record of a study in a sweep's folder; None where there is none; raises DamagedError."""
    path = _study_path(folder, study)
    return read_as(path, StudyRecord) if path.is_file() else None


def write_study_record(folder: Path, record: StudyRecord) -> None:
    write_json(_study_path(folder, record.study), msgspec.to_builtins(record))


def _study_path(folder: Path, study: str) -> Path:
    return folder / f"study-{study}.json"


def read_trials(run: RunFolder) -> tuple[TrialRecord, ...]:
    """Return the trials that the run is, none where it has no trial.json; raises DamagedError."""
    path = trials_path(run)
    return read_as(path, TrialsFile).trials if path.is_file() else ()


def write_trial(run: RunFolder, trial: TrialRecord) -> None:
    """Add a trial to the run's file, or replace the one of its study and number; the file is whole at any moment.

    Raises CannotWriteError, and DamagedError where the file cannot be read.
    """
    others = [one for one in read_trials(run) if (one.study, one.number) != (trial.study, trial.number)]
    write_json(trials_path(run), msgspec.to_builtins(TrialsFile(trials=(*others, trial))))


def trials_path(run: RunFolder) -> Path:
    return run.path / FILE
