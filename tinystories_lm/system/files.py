"""Files that are there whole or not at all, and locks that die with their holder."""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tinystories_lm.system import failpoints
from tinystories_lm.system.errors import CannotWriteError, DamagedError

REFUSALS = {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE,
    errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ENOENT, errno.EISDIR, errno.ENOTEMPTY, errno.ELOOP,
    errno.ENXIO, errno.ENODEV, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE,
}  # fmt: skip
MOST_BYTES = 1 << 28  # of a file that is read whole
REPLACED = ".old-"  # before the name of a folder whose successor is about to take it
LEFTOVER = re.compile(r"\.(tmp-\d+-.+|(tmp|del)-.+-\d+)")  # the names that the functions below give, with their pid
LEAST_REMEMBERED_BYTES = 10_000_000  # hashed in a hundredth of a second


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the system's refusal to write below `path` into one clear line."""
    try:
        yield
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        where = error.filename or path
        raise CannotWriteError(
            f"cannot write {where}: {error.strerror}: free some space or name another folder"
        ) from error


def fsync(path: Path) -> None:
    """Wait until a file's contents, or a folder's list of names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Fill a temporary file, which becomes `path` at once: a reader, or a crash, sees the old one or the new."""
    temporary = path.with_name(f".tmp-{os.getpid()}-{path.name}")
    with writing(path):
        try:
            yield temporary
            fsync(temporary)
            failpoints.hit("file.before_rename", path)
            temporary.replace(path)
            fsync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def to_json(value: Any, **options: Any) -> str:
    """JSON text; a NaN or an infinity in it is our mistake."""
    return json.dumps(value, allow_nan=False, ensure_ascii=False, **options)


def write_json(path: Path, value: Any) -> None:
    write_text(path, to_json(value, indent=2) + "\n")


def open_plain(path: Path, flags: int) -> int:
    """A descriptor of a plain file, and never of what is behind a link, a pipe or a device.

    Raises OSError.
    """
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no plain file", str(path))
    return descriptor


def read_plain(path: Path, *, most_bytes: int = MOST_BYTES) -> bytes:
    """The bytes of a plain file that fits in memory; raises OSError."""
    with os.fdopen(open_plain(path, os.O_RDONLY), "rb") as file:
        if (size := os.fstat(file.fileno()).st_size) > most_bytes:
            raise OSError(errno.EFBIG, f"{size:,} bytes are more than {most_bytes:,}", str(path))
        return file.read(most_bytes)


def has_holes(status: os.stat_result) -> bool:
    """Whether most of a large file is nothing: it would take long to read, and none of ours is so."""
    return status.st_size > MOST_BYTES and status.st_blocks * 512 < status.st_size / 64


def find_link(folder: Path, *, beside: frozenset[str] = frozenset()) -> Path | None:
    """The first thing below the folder that is neither file nor folder: what is written to a link lands elsewhere.

    beside: names in the folder itself whose insides are not looked at.
    """
    for where, folders, files in os.walk(folder):
        for name in (*folders, *files):
            with contextlib.suppress(FileNotFoundError):  # whoever holds the folder has just removed it
                mode = os.lstat(found := Path(where, name)).st_mode
                if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
                    return found
        if Path(where) == folder:
            folders[:] = [name for name in folders if name not in beside]
    return None


@contextlib.contextmanager
def new_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Fill a temporary folder, which becomes `path` in one rename when the block ends without an error.

    replace: an older folder may have that name. It stays until the new one is on the disk, and a crash between the two
        renames leaves it to `sweep_leftovers`, which puts it back.
    """
    temporary, replaced = path.with_name(f".tmp-{path.name}-{os.getpid()}"), path.with_name(f"{REPLACED}{path.name}")
    with writing(path):
        try:
            temporary.mkdir(parents=True)
            yield temporary
            for file in temporary.iterdir():
                fsync(file)
            fsync(temporary)
            failpoints.hit("folder.before_rename", path)
            if replace and path.exists():
                path.rename(replaced)
                failpoints.hit("folder.replaced", path)
            temporary.rename(path)
            failpoints.hit("folder.after_rename", path)
            fsync(path.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
            if replace:
                _put_back_or_remove(replaced)


def remove_folder(path: Path) -> None:
    """Delete a folder; a crash in the middle leaves no half of it under its name."""
    doomed = path.with_name(f".del-{path.name}-{os.getpid()}")
    with writing(path):
        path.rename(doomed)
    failpoints.hit("folder.half_removed", path)
    shutil.rmtree(doomed, ignore_errors=True)


def sweep_leftovers(folder: Path) -> None:
    """Remove what a killed process left half-written or half-deleted. Only for the holder of the folder's lock."""
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


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Hashed(NamedTuple):
    sha256: str
    just_now: bool  # and not remembered from an earlier time


def remembered_sha256(path: Path, notes: Path) -> Hashed:
    """The file's sha256, read from `notes` where neither its size, its inode nor its times have changed since.

    Whoever writes to a file, or sets its modification time back, changes the time of its last change, which only the
    system sets. What is not seen: bits that rot on the disk after the file was hashed; `notes` may be deleted at any
    time. Small files are always read, and so is one that was changed within the last two seconds, whose next change
    its times might not show.
    """
    now, status = time.time_ns(), path.stat()
    key, state = str(path.resolve()), [status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns]
    if status.st_size < LEAST_REMEMBERED_BYTES:
        return Hashed(sha256_of(path), True)
    known = _read_notes(notes)
    if isinstance(note := known.get(key), dict) and note.get("state") == state:
        return Hashed(str(note.get("sha256")), False)
    found = sha256_of(path)
    if now - max(status.st_mtime_ns, status.st_ctime_ns) > 2e9:
        with contextlib.suppress(OSError, ValueError, CannotWriteError):  # a folder that only others may write to
            write_json(
                notes,
                {key_: note for key_, note in known.items() if Path(key_).exists()}
                | {key: {"state": state, "sha256": found}},
            )
    return Hashed(found, True)


def _read_notes(notes: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_plain(notes))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


@contextlib.contextmanager
def lock(path: Path, *, wait: bool) -> Iterator[dict[str, Any] | None]:
    """Hold an advisory lock on `path`, which the system frees when this process ends, however it ends.

    Yields None when the lock is ours. With `wait` false and another holder, yields what is known of that
    holder (pid, host, since) and holds nothing.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _open_lock(path)
    with os.fdopen(descriptor, "r", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield _holder(path)
            return
        except OSError as error:  # of a network's file system that was mounted without them
            raise CannotWriteError(
                f"cannot lock {path}: {error.strerror}: name a folder whose disk has locks"
            ) from error
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        name = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since})
        with contextlib.suppress(OSError):  # on a full disk: the name is for people, the lock is the system's
            os.truncate(file.fileno(), 0)
            os.write(file.fileno(), name.encode())
        yield None


def _open_lock(path: Path) -> int:
    try:
        return open_plain(path, os.O_RDWR | os.O_CREAT)
    except PermissionError:
        if not path.exists():
            raise
        return open_plain(path, os.O_RDONLY)  # another person's, which can be held without a name in it
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EINVAL, errno.ENXIO, errno.EISDIR):
            raise DamagedError(f"{path} is no plain file, as a lock has to be: delete it") from error
        raise


def _holder(path: Path) -> dict[str, Any]:
    try:
        holder = json.loads(read_plain(path))
        return holder if isinstance(holder, dict) else {"pid": "unknown"}
    except (OSError, ValueError, RecursionError):  # it has the lock but has not written its name yet
        return {"pid": "unknown"}
