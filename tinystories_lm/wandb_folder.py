"""What W&B's SDK keeps of a run on the disk, and the command that sends it."""

import contextlib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import wandb


def pieces_of(run: "wandb.Run") -> list[Path]:
    """The folders of the run that were written offline, before a resume and now."""
    return sorted(Path(run.settings.sync_dir).parent.glob(f"offline-run-*-{run.id}*"))  # …-1 for two in one second


def is_unsent(piece: Path) -> bool:
    return not list(piece.glob("*.synced"))


def unsent_pieces(run: "wandb.Run") -> list[Path]:
    """The run's offline pieces that no one sent yet."""
    return [piece for piece in pieces_of(run) if is_unsent(piece)]


def sync_command(run: "wandb.Run", *, unfinished: bool = False) -> str:
    """What uploads the run's unsent pieces, and with `unfinished` what an online run could not send."""
    online = unfinished and not run.offline
    folders = [*unsent_pieces(run), *([Path(run.settings.sync_dir)] if online else [])]
    words = ["wandb", "sync", *(["--include-online"] if online else [])]
    return shlex.join([*words, *(_shown(folder) for folder in folders)])


def _shown(folder: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(folder.relative_to(Path.cwd()))
    return str(folder)
