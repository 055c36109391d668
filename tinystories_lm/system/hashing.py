"""Hash files, and remember the hashes of large ones."""

import contextlib
import hashlib
import time
from pathlib import Path
from typing import NamedTuple

from tinystories_lm.system.errors import CannotWriteError
from tinystories_lm.system.json_files import read_json_if_whole, write_json

LEAST_REMEMBERED_BYTES = 10_000_000  # a smaller file is hashed in a hundredth of a second
SETTLING_NANOSECONDS = 2e9  # a file's times may not show a second change that follows this soon


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Hashed(NamedTuple):
    sha256: str
    just_now: bool  # computed, not remembered


def remembered_sha256(path: Path, notes: Path) -> Hashed:
    """Return the file's sha256, from `notes` where neither its size, its inode nor its times have changed since.

    Writing to a file, or setting its modification time back, changes its status time, which only the system sets. Bits
    that rot on the disk after the file was hashed are not noticed. Small files are always read, and so is one that was
    changed within the last two seconds. `notes` may be deleted at any time.
    """
    now, status = time.time_ns(), path.stat()
    key, state = str(path.resolve()), [status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns]
    if status.st_size < LEAST_REMEMBERED_BYTES:
        return Hashed(sha256_of(path), True)
    known = read_json_if_whole(notes)
    if isinstance(note := known.get(key), dict) and note.get("state") == state:
        return Hashed(str(note.get("sha256")), False)
    found = sha256_of(path)
    if now - max(status.st_mtime_ns, status.st_ctime_ns) > SETTLING_NANOSECONDS:
        there = {other: note for other, note in known.items() if Path(other).exists()}
        with contextlib.suppress(OSError, ValueError, CannotWriteError):  # a folder that only others may write to
            write_json(notes, there | {key: {"state": state, "sha256": found}})
    return Hashed(found, True)
