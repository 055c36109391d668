"""What W&B's SDK keeps of a run on the disk, and the command that sends it."""

import contextlib
import shlex
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import wandb

# What the SDK's own log says of an upload given up for good; its finish() returns as if nothing were amiss.
UPLOAD_FAILURES = ("filestream: fatal error", "failed to log artifact")
WRITE_FAILURE = "failed to save record"


def pieces_of(run: "wandb.Run") -> list[Path]:
    """The folders of the run that were written offline, before a resume and now."""
    return sorted(Path(run.settings.sync_dir).parent.glob(f"offline-run-*-{run.id}*"))  # …-1 for two in one second


def was_online(folder: Path, run_id: str) -> bool:
    """Whether an earlier process of the run in `folder` was online, or tried to be: W&B may have rows of it."""
    return any((folder / "wandb").glob(f"run-*-{run_id}*"))


def is_unsent(piece: Path) -> bool:
    return not list(piece.glob("*.synced"))


def unsent_pieces(run: "wandb.Run") -> list[Path]:
    """The run's offline pieces that no one sent yet."""
    return [piece for piece in pieces_of(run) if is_unsent(piece)]


def remove_pieces(pieces: Iterable[Path]) -> None:
    """Delete what is kept elsewhere too: W&B's copies, never the run's own rows."""
    for piece in pieces:
        shutil.rmtree(piece, ignore_errors=True)


def sync_command(run: "wandb.Run") -> str:
    """What uploads the run's unsent pieces."""
    return shlex.join(["wandb", "sync", *(_shown(folder) for folder in unsent_pieces(run))])


def upload_command(folder: Path, *, anew: bool = False) -> str:
    """What uploads what W&B lacks of the run in `folder`, from the run's own files, or `anew` the whole run."""
    return shlex.join(["tinystories-lm", "upload", _shown(folder), *(["--anew"] if anew else [])])


def is_uploaded(run: "wandb.Run") -> bool:
    """Whether the SDK gave nothing up, of a run that is finished."""
    return not any(failure in _said(run) for failure in UPLOAD_FAILURES)


def is_written(run: "wandb.Run") -> bool:
    """Whether the SDK's own files have all of a finished run: on a full disk it drops rows and says so in its log only.

    On that disk the log is cut short, too.
    """
    said = _said(run)
    return said.endswith("\n") and WRITE_FAILURE not in said


def _said(run: "wandb.Run") -> str:
    return Path(run.settings.log_internal).read_text(encoding="utf-8", errors="replace")


def _shown(folder: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(folder.relative_to(Path.cwd()))
    return str(folder)
