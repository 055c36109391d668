"""status.json: what became of a run."""

import time
from enum import StrEnum
from typing import NamedTuple

from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.system.errors import DamagedError
from tinystories_lm.system.files import lock, write_json
from tinystories_lm.system.json_files import read_json
from tinystories_lm.system.redaction import redact


class Status(StrEnum):
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    DONE = "done"


def write_status(run: RunFolder, status: Status, *, reason: str, step: int) -> None:
    value = {
        "status": status,
        "reason": redact(reason),
        "step": step,
        "updated": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
    write_json(run.status, value)


class StatusFile(NamedTuple):
    """What status.json says."""

    status: Status
    reason: str
    step: int


def read_status_file(run: RunFolder) -> StatusFile:
    """Raises DamagedError where status.json is missing or damaged."""
    try:
        said = read_json(run.status, {"status": Status, "reason?": str, "step?": int})
    except DamagedError as error:
        raise DamagedError(f"{error}; the command that trained the run writes it anew") from error
    return StatusFile(Status(said["status"]), said.get("reason", ""), said.get("step", 0))


def step_reached(run: RunFolder) -> int:
    """The step that status.json names; 0 for a run that was never begun, or does not say."""
    try:
        return read_status_file(run).step
    except DamagedError:
        return 0


def read_status(run: RunFolder) -> Status:
    """What became of the run: a run that says it is running, while no process holds its folder, was killed.

    Raises DamagedError where its status.json is missing or damaged.
    """
    status = read_status_file(run).status
    if status is Status.RUNNING:
        with lock(run.lock, wait=False) as holder:
            return Status.RUNNING if holder else Status.INTERRUPTED
    return status


def is_running(run: RunFolder) -> bool:
    """Whether the run is going on; one whose status is missing or damaged is not."""
    try:
        return read_status(run) is Status.RUNNING
    except DamagedError:
        return False
