"""Write files and folders whole or not at all, and read only plain files."""

import contextlib
import errno
import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from tinystories_lm.system import failpoints
from tinystories_lm.system.errors import CannotReadError, CannotWriteError, DamagedError

FULL = (errno.ENOSPC, errno.EDQUOT)
LOST = (*FULL, errno.EIO, errno.ESTALE)  # with these, fsync reports data that did not reach the disk
# What the file itself is; every other error is the system's refusal to read it, whatever it holds.
MALFORMED = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EINVAL, errno.EFBIG, errno.ENXIO)
MOST_BYTES = 1 << 28  # of a file that is read whole
REPLACED = ".old-"  # prefix of a folder whose successor is about to take its name
LEFTOVER = re.compile(r"\.(tmp-\d+-.+|(tmp|del)-.+-\d+)")  # the temporary names below, with the pid of their process


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the system's refusal to write below `path` into a CannotWriteError of one line."""
    try:
        yield
    except OSError as error:
        where, reason = error.filename or path, error.strerror or error
        advice = "free some space or name another folder" if error.errno in FULL else "name another folder"
        raise CannotWriteError(f"cannot write {where}: {reason}: {advice}") from error


def unreadable(path: Path, error: Exception) -> DamagedError:
    """Return the error of a file that could not be read: damaged, or intact for all one knows and not given out."""
    if isinstance(error, OSError) and error.errno not in MALFORMED:
        return CannotReadError(
            f"cannot read {error.filename or path}: {error.strerror or error}: "
            "it may be intact, so nothing was changed; check its permissions and its disk"
        )
    return DamagedError(f"{path} cannot be read: {error}")


def fsync(path: Path) -> None:
    """Wait until a file's contents, or a folder's list of names, are on the disk.

    Some file systems cannot do that, most often for folders; they are left to write when they will.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:  # a folder that may be written to and not listed
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno in LOST:
            raise
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary file to fill; it then replaces `path` in one step: a crash leaves the old or the new one."""
    temporary = path.with_name(f".tmp-{os.getpid()}-{path.name}")
    with writing(path):
        if path.exists() and not path.is_file():
            raise OSError(errno.EINVAL, "it is neither a file nor a free name", str(path))
        try:
            yield temporary
            fsync(temporary)
            failpoints.hit("file.before_rename", path)
            temporary.replace(path)
            fsync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all; raises CannotWriteError."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def open_plain(path: Path, flags: int) -> int:
    """Return a descriptor of a plain file; raises OSError for a link, a pipe, a device or a folder."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a plain file", str(path))
    return descriptor


def read_plain(path: Path, *, most_bytes: int = MOST_BYTES) -> bytes:
    """Return the bytes of a plain file; raises OSError, also for a file of more than `most_bytes`."""
    with os.fdopen(open_plain(path, os.O_RDONLY), "rb") as file:
        if (size := os.fstat(file.fileno()).st_size) > most_bytes:
            raise OSError(errno.EFBIG, f"{size:,} bytes are more than {most_bytes:,}", str(path))
        return file.read(most_bytes)


def has_holes(status: os.stat_result) -> bool:
    """Return whether a large file is mostly unwritten: it would take long to read, and this program writes none."""
    return status.st_size > MOST_BYTES and status.st_blocks * 512 < status.st_size / 64


def find_link(folder: Path, *, beside: frozenset[str] = frozenset()) -> Path | None:
    """Return the first entry below the folder that is neither file nor folder, None where there is none.

    What is written to a link lands elsewhere.

    beside: names in the folder itself whose contents are not checked.
    """
    for where, folders, files in os.walk(folder):
        for name in (*folders, *files):
            with contextlib.suppress(FileNotFoundError):  # the holder of the folder has just removed it
                mode = os.lstat(found := Path(where, name)).st_mode
                if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
                    return found
        if Path(where) == folder:
            folders[:] = [name for name in folders if name not in beside]
    return None


@contextlib.contextmanager
def new_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yield a temporary folder to fill; it becomes `path` in one rename when the block ends without an error.

    An empty folder that is there already stays, as a mount point and a shell's working directory must: it then gets the
    files one by one.

    replace: allow an older folder of that name. It stays until the new one is on the disk; after a crash between the
        two renames, `sweep_leftovers` puts it back.
    """
    temporary, replaced = path.with_name(f".tmp-{path.name}-{os.getpid()}"), path.with_name(f"{REPLACED}{path.name}")
    stays = path.is_dir() and not replace and not any(path.iterdir())
    if stays:
        temporary = path / temporary.name
    with writing(path):
        try:
            temporary.mkdir(parents=True)
            yield temporary
            for file in temporary.iterdir():
                fsync(file)
            fsync(temporary)
            failpoints.hit("folder.before_rename", path)
            if replace and path.exists():
                move_folder(path, replaced)
                failpoints.hit("folder.replaced", path)
            if stays:
                for file in sorted(temporary.iterdir()):
                    file.rename(path / file.name)
            else:
                temporary.rename(path)
            failpoints.hit("folder.after_rename", path)
            fsync(path.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
            if replace:
                _put_back_or_remove(replaced)


def move_folder(old: Path, new: Path) -> None:
    """Rename a folder, or copy it where its file system cannot rename folders; raises OSError."""
    try:
        old.rename(new)
    except OSError as error:
        if new.exists():  # what stands there is not ours to replace
            raise
        try:
            shutil.copytree(old, new)
        except (OSError, shutil.Error):
            shutil.rmtree(new, ignore_errors=True)
            raise error from None
        shutil.rmtree(old)


def remove_folder(path: Path) -> None:
    """Delete a folder; a crash in the middle leaves no part of it under its name."""
    doomed = path.with_name(f".del-{path.name}-{os.getpid()}")
    with writing(path):
        try:
            path.rename(doomed)
        except OSError:  # the file system cannot rename folders, or nobody may write here
            shutil.rmtree(path)
            return
    failpoints.hit("folder.half_removed", path)
    shutil.rmtree(doomed, ignore_errors=True)


def sweep_leftovers(folder: Path) -> None:
    """Remove what a killed process left half-written or half-deleted; only for the holder of the folder's lock."""
    for replaced in folder.glob(f"{REPLACED}step-*"):
        _put_back_or_remove(replaced)
    for leftover in (path for path in folder.glob(".*") if LEFTOVER.fullmatch(path.name)):
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def _put_back_or_remove(replaced: Path) -> None:
    """Give a folder its name back, unless another has taken its place."""
    path = replaced.with_name(replaced.name.removeprefix(REPLACED))
    if replaced.is_dir() and not path.exists():
        failpoints.hit("folder.before_put_back", path)
        replaced.rename(path)
    shutil.rmtree(replaced, ignore_errors=True)
