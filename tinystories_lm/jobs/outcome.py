"""Write status.json when a job starts and when it ends."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

from tinystories_lm.analysis.diagnose import describe, diagnose
from tinystories_lm.config.schema import Config
from tinystories_lm.hardware.detect import check_hardware
from tinystories_lm.hardware.memory import Available, available_memory, is_out_of_memory, peak_bytes
from tinystories_lm.planning.memory import what_would_fit
from tinystories_lm.runs.checkpoint import Progress
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.status import Status, write_status
from tinystories_lm.system.console import storage
from tinystories_lm.system.errors import (
    CannotWriteError,
    CommandError,
    DamagedError,
    DeadlineError,
    DivergedError,
    Interrupted,
    Paused,
    UsageError,
)
from tinystories_lm.system.files import read_plain, replacing

log = logging.getLogger(__name__)


@contextlib.contextmanager
def update_status(run: RunFolder, config: Config, progress: Progress) -> Iterator[None]:
    """Write status.json: `running` inside the block, the outcome after it.

    Where a resumed run fails its checks before its next step, its previous files are restored.
    """
    files = (run.config, run.environment, run.status)
    previous = {path: read_plain(path) if path.is_file() else None for path in files}
    first_step, memory = progress.step, Available(0.0, 0.0, 0.0)
    write_status(run, Status.RUNNING, reason="", step=progress.step)
    try:
        check_hardware(config.hardware)
        memory = available_memory(config.hardware.device)
        yield
    except BaseException as error:
        raised = _error_to_raise(error, config, memory)
        with contextlib.suppress(CannotWriteError):  # the original error matters more
            was_started, took_steps = previous[run.status] is not None, progress.step > first_step
            if isinstance(raised, UsageError | DamagedError) and was_started and not took_steps:
                _restore(previous)
            else:
                status, reason = _outcome(raised)
                write_status(run, status, reason=reason, step=progress.step)
        if isinstance(raised, DivergedError):
            with contextlib.suppress(CommandError):  # an error in the diagnosis must not replace the DivergedError
                log.info("%s", describe(diagnose(run)))
        if raised is error:
            raise
        raise raised from error
    write_status(run, Status.DONE, reason="", step=progress.step)


class _OutOfMemoryError(CommandError):
    """An error for a run that needed more memory than the machine has."""


def _error_to_raise(error: BaseException, config: Config, memory: Available) -> BaseException:
    """Return the error to raise: a CommandError for Ctrl-C and for memory that ran out, else `error` itself."""
    if isinstance(error, KeyboardInterrupt):
        return Interrupted("stopped before the first step; run the same command again to resume")
    if not isinstance(error, Interrupted | UsageError | DamagedError) and is_out_of_memory(error):
        message = str(error).strip().partition("\n")[0] or type(error).__name__
        peak = storage(peak_bytes(config.hardware.device))
        return _OutOfMemoryError(f"out of memory: {message}; the peak was {peak}; {what_would_fit(config, memory)}")
    return error


def _outcome(error: BaseException) -> tuple[Status, str]:
    match error:
        case Paused():
            return Status.INTERRUPTED, str(error)
        case Interrupted():
            return Status.INTERRUPTED, "signal"
        case _OutOfMemoryError():
            return Status.FAILED, str(error).replace("out of memory", "oom", 1)
        case UsageError() | DamagedError() | DivergedError() | DeadlineError():
            return Status.FAILED, str(error)
    return Status.FAILED, f"{type(error).__name__}: {error}"


def _restore(contents: dict[Path, bytes | None]) -> None:
    for path, content in contents.items():
        if content is None:
            path.unlink(missing_ok=True)
            continue
        with replacing(path) as temporary:
            temporary.write_bytes(content)


def exit_code(error: BaseException | None) -> int:
    """Return the exit code that a run ends with, for W&B."""
    if isinstance(error, CommandError):
        return error.exit_code
    return 0 if error is None else 1
