"""Write and read files with one JSON object per line that grow during a run."""

import contextlib
import errno
import hashlib
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Generic, NamedTuple, TypeVar

from tinystories_lm.system import failpoints
from tinystories_lm.system.files import open_plain, read_plain, unreadable, writing
from tinystories_lm.system.json_files import from_json, to_json

LONGEST_ROW_BYTES = 8192  # of a metrics.jsonl
MOST_ROWS = 1_000_000  # more than a run writes
log = logging.getLogger(__name__)
T = TypeVar("T")


def _ends_within_a_row(file: BinaryIO) -> bool:
    """Return whether the last line has no line break; leave the file at its end."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 1))
    return file.read(1) not in (b"", b"\n")


class JsonlWriter:
    """A growing file of rows, cut back on opening to the length that a checkpoint recorded.

    keep_bytes, sha256: of that length; a file that is shorter or differs costs a warning.
    """

    def __init__(self, path: Path, *, keep_bytes: int, sha256: str = "") -> None:
        with writing(path):
            failpoints.hit("rows.before_cut", path)
            with os.fdopen(open_plain(path, os.O_RDWR | os.O_CREAT), "r+b") as file:
                if (there := os.fstat(file.fileno()).st_size) < keep_bytes:
                    log.warning("%s: the last %s bytes of its rows are missing", path, f"{keep_bytes - there:,}")
                file.truncate(min(there, keep_bytes))
                self._digest = hashlib.file_digest(file, "sha256")
                if _ends_within_a_row(file):
                    self._digest.update(b"\n")
                    file.write(b"\n")  # otherwise the next row would continue the broken one
            if sha256 and there >= keep_bytes and self.sha256 != sha256:
                log.warning("%s: its rows were changed after they were written", path)
            self._file = path.open("ab", buffering=0)
        self._path = path
        self._unwritten = b""

    def append(self, row: Mapping[str, Any]) -> None:
        """Write a row, after those that could not be written earlier.

        Raises CannotWriteError; what could not be written waits for the next call, or for `sync`.
        """
        self._unwritten += (to_json(row) + "\n").encode()
        with writing(self._path):
            failpoints.hit("row.before", self._path)
            self._write()

    def sync(self) -> None:
        """Wait until all rows are on the disk; raises CannotWriteError."""
        with writing(self._path):
            self._write()
            os.fsync(self._file.fileno())
            if not os.fstat(self._file.fileno()).st_nlink:
                raise FileNotFoundError(errno.ENOENT, "it was deleted during the run", str(self._path))

    def _write(self) -> None:
        while self._unwritten:
            done = self._file.write(self._unwritten)  # a full disk may take only the first half of a line
            self._digest.update(self._unwritten[:done])
            self._unwritten = self._unwritten[done:]

    @property
    def unwritten_bytes(self) -> int:
        return len(self._unwritten)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    @property
    def size_bytes(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        self._file.close()


class Rows(NamedTuple, Generic[T]):
    rows: list[T]
    damaged: int  # lines that were left out; half a line at the end does not count


def scan_rows(path: Path, parse: Callable[[Any], T]) -> Rows[T]:
    """Return all whole rows of a file that a running or killed process may have left in the middle of a line.

    parse: makes a row of a JSON value; raises ValueError for a damaged one.

    Raises DamagedError for what is not a plain file, or has more rows than a run writes.
    """
    try:
        lines = read_plain(path).split(b"\n")
        if len(lines) - 1 > MOST_ROWS:
            raise OSError(errno.EFBIG, f"{len(lines) - 1:,} rows are more than {MOST_ROWS:,}", str(path))
    except FileNotFoundError:
        return Rows([], 0)
    except OSError as error:
        raise unreadable(path, error) from error
    rows: list[T] = []
    damaged = 0
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(parse(from_json(line)))
        except ValueError:
            damaged += bool(line.strip()) and number < len(lines)
    return Rows(rows, damaged)


def read_rows(path: Path, parse: Callable[[Any], T]) -> list[T]:
    """Return all whole rows as `scan_rows` does, with a warning of the damaged ones."""
    rows, damaged = scan_rows(path, parse)
    if damaged:
        log.warning("%s: %d damaged row%s left out", path, damaged, "s" * (damaged > 1))
    return rows


def last_row(path: Path, parse: Callable[[Any], T]) -> T | None:
    """Return the last whole row without reading the others; None where there is none."""
    try:
        with os.fdopen(open_plain(path, os.O_RDONLY), "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - LONGEST_ROW_BYTES))
            lines = file.read(LONGEST_ROW_BYTES).split(b"\n")
    except OSError:
        return None
    for line in reversed(lines):
        with contextlib.suppress(ValueError):
            return parse(from_json(line))
    return None
