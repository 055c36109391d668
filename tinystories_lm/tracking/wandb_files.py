"""Find what W&B's SDK keeps of a run on disk, and name the command that uploads it.

Each process of a run that tracks it offline leaves a folder of its own, a segment.
"""

import contextlib
import shlex
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import wandb

# What the SDK's own log has when an upload was given up for good; its finish() returns as after a success.
UPLOAD_FAILURES = ("filestream: fatal error", "failed to log artifact")
WRITE_FAILURE = "failed to save record"


def offline_segments(run: "wandb.Run") -> list[Path]:
    """Return the folders of the run that were written offline, by earlier processes and this one."""
    return sorted(Path(run.settings.sync_dir).parent.glob(f"offline-run-*-{run.id}*"))  # …-1 for two in one second


def was_online(folder: Path, run_id: str) -> bool:
    """Return whether an earlier process of the run in `folder` was online, or tried to be: W&B may have rows of it."""
    return any((folder / "wandb").glob(f"run-*-{run_id}*"))


def is_unsent(segment: Path) -> bool:
    """Return whether `wandb sync` has not uploaded the segment yet."""
    return not list(segment.glob("*.synced"))


def unsent_segments(run: "wandb.Run") -> list[Path]:
    """Return the run's offline segments that were not uploaded yet."""
    return [segment for segment in offline_segments(run) if is_unsent(segment)]


def remove_segments(segments: Iterable[Path]) -> None:
    """Delete segments whose rows are elsewhere too; the run's own rows are never among them."""
    for segment in segments:
        shutil.rmtree(segment, ignore_errors=True)


def sync_command(run: "wandb.Run") -> str:
    """Return the command that uploads the run's unsent segments."""
    return shlex.join(["wandb", "sync", *(_relative(segment) for segment in unsent_segments(run))])


def upload_command(folder: Path, *, as_new_run: bool = False) -> str:
    """Return the command that uploads what W&B lacks of the run in `folder`, or all of it `as_new_run`."""
    return shlex.join(["tinystories-lm", "upload", _relative(folder), *(["--anew"] if as_new_run else [])])


def is_uploaded(run: "wandb.Run") -> bool:
    """Return whether the SDK has uploaded everything of a finished run."""
    return not any(failure in _sdk_log(run) for failure in UPLOAD_FAILURES)


def is_written(run: "wandb.Run") -> bool:
    """Return whether the SDK's own files have all rows of a finished run.

    On a full disk the SDK drops rows and reports it in its log only, and that log may be cut short there too.
    """
    text = _sdk_log(run)
    return text.endswith("\n") and WRITE_FAILURE not in text


def _sdk_log(run: "wandb.Run") -> str:
    return Path(run.settings.log_internal).read_text(encoding="utf-8", errors="replace")


def _relative(folder: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(folder.relative_to(Path.cwd()))
    return str(folder)
