"""Files that are there whole or not at all, and locks that die with their holder."""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tinystories_lm import faults
from tinystories_lm.errors import CannotWriteError

REFUSALS = {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE,
    errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG,
}  # fmt: skip
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
            faults.reach("file.before_rename", path)
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


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Fill a temporary folder, which becomes `path` in one rename when the block ends without an error."""
    temporary = path.with_name(f".tmp-{path.name}-{os.getpid()}")
    with writing(path):
        try:
            temporary.mkdir(parents=True)
            yield temporary
            for file in temporary.iterdir():
                fsync(file)
            fsync(temporary)
            faults.reach("folder.before_rename", path)
            temporary.rename(path)
            faults.reach("folder.after_rename", path)
            fsync(path.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def remove_folder(path: Path) -> None:
    """Delete a folder; a crash in the middle leaves no half of it under its name."""
    doomed = path.with_name(f".del-{path.name}-{os.getpid()}")
    with writing(path):
        path.rename(doomed)
    faults.reach("folder.half_removed", path)
    shutil.rmtree(doomed, ignore_errors=True)


def sweep_leftovers(folder: Path) -> None:
    """Remove what a killed process left half-written or half-deleted. Only for the holder of the folder's lock."""
    for leftover in (*folder.glob(".tmp-*"), *folder.glob(".del-*")):
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


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
    status = path.stat()
    key, state = str(path.resolve()), [status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns]
    if status.st_size < LEAST_REMEMBERED_BYTES:
        return Hashed(sha256_of(path), True)
    known = _read_notes(notes)
    if isinstance(note := known.get(key), dict) and note.get("state") == state:
        return Hashed(str(note.get("sha256")), False)
    found = sha256_of(path)
    if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > 2e9:
        with contextlib.suppress(OSError, CannotWriteError):  # a folder that only others may write to
            write_json(
                notes,
                {key_: note for key_, note in known.items() if Path(key_).exists()}
                | {key: {"state": state, "sha256": found}},
            )
    return Hashed(found, True)


def _read_notes(notes: Path) -> dict[str, Any]:
    try:
        found = json.loads(notes.read_text(encoding="utf-8"))
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
        file = path.open("a+", encoding="utf-8")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield _holder(path)
            return
        file.truncate(0)
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        file.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since}))
        file.flush()
        yield None


def _holder(path: Path) -> dict[str, Any]:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        return holder if isinstance(holder, dict) else {"pid": "unknown"}
    except (OSError, ValueError):  # it has the lock but has not written its name yet
        return {"pid": "unknown"}
