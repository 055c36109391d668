"""Delete runs, so that no half of one is ever listed, resumed or taken for whole."""

import contextlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from tinystories_lm.runs.folder import RunFolder, locked
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.files import writing

HIDDEN = ".deleted-"  # begins the name of a folder that is being deleted, and that no command looks into


def size_of(run: RunFolder) -> int:
    """Return the bytes of the run's files."""
    found = 0
    for path in run.path.rglob("*"):
        with contextlib.suppress(OSError):  # it was removed just now
            found += path.lstat().st_size if not path.is_dir() else 0
    return found


def delete_runs(runs: Sequence[RunFolder]) -> None:
    """Delete the folders of the runs, and a sweep's folder that is empty then.

    All are locked before the first is deleted. What an earlier deletion left when it was killed is deleted too.

    Raises UsageError for a run whose folder is a link, RunFolderInUseError for one that is being trained, and
    CannotWriteError.
    """
    for run in runs:
        if run.path.is_symlink():
            raise UsageError(f"{run.path} is a link: delete the link itself, or the run that it points to")
    with contextlib.ExitStack() as stack:
        for run in runs:
            stack.enter_context(locked(run.path))
        for run in runs:
            _delete(run.path)
    for parent in {run.path.parent for run in runs}:
        for left in parent.glob(f"{HIDDEN}*"):
            shutil.rmtree(left, ignore_errors=True)
        with contextlib.suppress(OSError):  # other things are in it
            parent.rmdir()


def _delete(folder: Path) -> None:
    with writing(folder):
        hidden = folder.rename(folder.with_name(f"{HIDDEN}{folder.name}"))
        shutil.rmtree(hidden)
