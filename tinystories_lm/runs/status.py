"""Read and write status.json: what became of a run."""

import contextlib
import time
from datetime import datetime
from enum import StrEnum

import msgspec
from msgspec import Struct

from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.records import read_as
from tinystories_lm.runs.schemas import Count
from tinystories_lm.system.errors import CannotWriteError, DamagedError
from tinystories_lm.system.json_files import write_json
from tinystories_lm.system.locks import lock
from tinystories_lm.system.redaction import redact

TIME_FORMAT = "%Y-%m-%dT%H:%M:%S%z"


class Status(StrEnum):
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    DONE = "done"


class StatusFile(Struct, frozen=True, kw_only=True):
    """status.json; reason, step and updated are empty in a file that lacks them."""

    status: Status
    reason: str = ""
    step: Count = 0
    updated: str = ""  # local time with its offset from UTC

    @property
    def updated_seconds(self) -> float | None:
        """Return the time since 1970; None where the file has none that can be read."""
        with contextlib.suppress(ValueError, OverflowError):
            return datetime.strptime(self.updated, TIME_FORMAT).timestamp()
        return None


def write_status(run: RunFolder, status: Status, *, reason: str, step: int) -> None:
    """Write status.json, without keys and passwords in the reason."""
    now = time.strftime(TIME_FORMAT)
    file = StatusFile(status=status, reason=redact(reason), step=step, updated=now)
    write_json(run.status, msgspec.to_builtins(file))


def read_status_file(run: RunFolder) -> StatusFile:
    """Return the content of status.json; `running` becomes `interrupted` when no process holds the run's folder.

    Raises DamagedError where the file is missing or damaged.
    """
    try:
        file = read_as(run.status, StatusFile)
    except DamagedError as error:
        raise DamagedError(f"{error}; run the command that trained it again to write the file") from error
    if file.status is Status.RUNNING and not _is_held(run):
        return msgspec.structs.replace(file, status=Status.INTERRUPTED)
    return file


def _is_held(run: RunFolder) -> bool:
    try:
        with lock(run.lock, wait=False) as holder:
            return holder is not None
    except CannotWriteError:  # on a read-only disk nobody can ask: the file is believed
        return True


def read_status(run: RunFolder) -> Status:
    """Return what became of the run; raises DamagedError where status.json is missing or damaged."""
    return read_status_file(run).status


def updated_seconds(run: RunFolder) -> float:
    """Return when the status last changed, in seconds since 1970: as recorded, since a copy has other file times.

    Raises OSError where there is no status.json; for a damaged one the file's own time stands.
    """
    written = run.status.stat().st_mtime
    with contextlib.suppress(DamagedError):
        return read_as(run.status, StatusFile).updated_seconds or written
    return written


def step_reached(run: RunFolder) -> int:
    """Return the step in status.json; 0 for a run that was never started, or whose file is damaged."""
    try:
        return read_status_file(run).step
    except DamagedError:
        return 0


def is_running(run: RunFolder) -> bool:
    """Return whether a process is training the run; a run whose status is missing or damaged is not running."""
    try:
        return read_status(run) is Status.RUNNING
    except DamagedError:
        return False
