"""Keep status.json current around a job."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

from tinystories_lm.analysis.diagnose import describe, diagnose
from tinystories_lm.config.schema import Config
from tinystories_lm.hardware.detect import check_hardware
from tinystories_lm.hardware.memory import is_out_of_memory, peak_bytes, usable_bytes
from tinystories_lm.planning.memory import what_would_fit
from tinystories_lm.runs.checkpoint import Progress
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.status import Status, write_status
from tinystories_lm.system.console import storage
from tinystories_lm.system.errors import (
    CannotWriteError,
    CommandError,
    DamagedError,
    DivergedError,
    Interrupted,
    UsageError,
)
from tinystories_lm.system.files import read_plain, replacing

log = logging.getLogger(__name__)


@contextlib.contextmanager
def _status_kept(run: RunFolder, config: Config, progress: Progress) -> Iterator[None]:
    """Status running within the block, and after it what became of the run.

    A refusal changes nothing: what the run was before, it still is.
    """
    new, first_step = not run.status.is_file(), progress.step
    before = {path: read_plain(path) if path.is_file() else None for path in (run.config, run.environment, run.status)}
    write_status(run, Status.RUNNING, reason="", step=progress.step)

    def note(status: Status, reason: str) -> None:
        with contextlib.suppress(CannotWriteError):  # why the run ended is the news
            write_status(run, status, reason=reason, step=progress.step)

    try:
        check_hardware(config.hardware)
        usable = usable_bytes(config.hardware.device)
        yield
    except (Interrupted, KeyboardInterrupt) as error:
        note(Status.INTERRUPTED, "signal")
        if isinstance(error, Interrupted):
            raise
        raise Interrupted("stopped before the first step: run the same command again to go on") from error
    except (UsageError, DamagedError) as error:
        if new or progress.step > first_step:
            note(Status.FAILED, str(error))
        else:
            with contextlib.suppress(CannotWriteError):
                for path, content in before.items():
                    _put_back(path, content)
        raise
    except BaseException as error:
        if is_out_of_memory(error):
            peak = storage(peak_bytes(config.hardware.device))
            what = f"{_first_line(error)}; the peak was {peak}; {what_would_fit(config, usable)}"
            note(Status.FAILED, f"oom: {what}")
            raise CommandError(f"out of memory: {what}") from error
        reason = str(error) if isinstance(error, DivergedError) else f"{type(error).__name__}: {error}"
        note(Status.FAILED, reason)
        if isinstance(error, DivergedError):
            with contextlib.suppress(CommandError):  # what went wrong with the run is the news
                log.info("%s", describe(diagnose(run)))
        raise
    write_status(run, Status.DONE, reason="", step=progress.step)


def _put_back(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
        return
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _exit_code(error: BaseException | None) -> int:
    if isinstance(error, CommandError):
        return error.exit_code
    return 0 if error is None else 1
