"""JSON as this program keeps it: objects with a seal, rows in a file that grows, each of a shape that is known.

Whatever is read was perhaps damaged on its way, or made by somebody else: what does not fit is refused by its place,
and never found out about later.
"""

import contextlib
import errno
import hashlib
import json
import logging
import math
import os
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from tinystories_lm import faults
from tinystories_lm.errors import DamagedError
from tinystories_lm.files import open_plain, read_plain, to_json, write_json, writing

SEAL = "sha256"
LONGEST_ROW_BYTES = 8192  # of metrics.jsonl
MOST_ROWS = 1_000_000  # of a run that writes one for each of so many steps
LARGEST_INTEGER = 2**63  # what is larger, no count of ours reaches and no float holds

DEEPEST_YAML = 20
YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # makes plain values only

log = logging.getLogger(__name__)


def from_json(text: str | bytes) -> Any:
    """The value of a JSON text; raises ValueError for what is none, a NaN or an infinity, or nested too deep."""
    try:
        return json.loads(text, parse_constant=_finite, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number")
    return value


def plain_yaml(text: str) -> str:
    """The text as it is, where it can be read in a moment: nested a little, and without aliases.

    An alias makes of a line a million; raises ValueError, or yaml.YAMLError for what is no YAML.
    """
    depth = 0
    for event in yaml.parse(text, Loader=YAML_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST_YAML or isinstance(event, yaml.AliasEvent):
            raise ValueError("it has aliases, or is nested too deep")
    return text


def misfit(value: Any, shape: Any, place: str = "") -> str | None:
    """Where a JSON value is not of the shape, in words; None where it is.

    shape: a type (float takes whole numbers too), a StrEnum for one of its words, a pattern for a whole text, `[shape]`
        for a list, or a dictionary: what stands under each of its keys, of which those that end in `?` may be missing;
        `*` stands for every other key, which else may hold anything.
    """
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return f"{place or 'it'} is no object"
        known = {key.removesuffix("?"): inner for key, inner in shape.items() if key != "*"}
        if missing := [name for name in known if name not in value and name in shape]:
            return f"{f'{place}.{missing[0]}'.lstrip('.')} is missing"
        parts = [(name, each, known.get(name, shape.get("*"))) for name, each in value.items()]
        misfits = (misfit(each, inner, f"{place}.{name}".lstrip(".")) for name, each, inner in parts if inner)
        return next((found for found in misfits if found), None)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{place} is no list"
        misfits = (misfit(each, shape[0], f"{place}[{number}]") for number, each in enumerate(value))
        return next((found for found in misfits if found), None)
    if _is(value, shape):
        return None
    if isinstance(value, dict | list):  # of which there may be no end
        return f"{place} is {'an object' if isinstance(value, dict) else 'a list'}"
    return f"{place} is {json.dumps(value)[:40]}"


def _is(value: Any, shape: Any) -> bool:
    if isinstance(shape, re.Pattern):
        return isinstance(value, str) and shape.fullmatch(value) is not None
    if issubclass(shape, StrEnum):
        return isinstance(value, str) and value in set(shape)
    if type(value) is int and shape in (int, float):
        return abs(value) < LARGEST_INTEGER
    return type(value) is shape


def read_json(path: Path, shape: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A JSON object, without its seal.

    Raises DamagedError where there is none of that shape, or it is not as it was sealed.
    """
    try:
        value = from_json(read_plain(path))
    except (OSError, ValueError) as error:
        raise DamagedError(f"{path} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise DamagedError(f"{path} holds no JSON object")
    sealed = value.pop(SEAL, None)
    try:
        whole = sealed is None or sealed == seal(value)
    except (RecursionError, ValueError) as error:  # what is read and cannot be written is none of ours
        raise DamagedError(f"{path} cannot be read: it is nested too deep") from error
    if not whole:
        raise DamagedError(f"{path} was changed since it was written")
    if shape is not None and (what := misfit(value, shape)):
        raise DamagedError(f"{path} is damaged: {what}")
    return value


def seal(value: Mapping[str, Any]) -> str:
    """A sha256 that two JSON objects share only when they say the same."""
    return hashlib.sha256(to_json(json.loads(to_json(value)), sort_keys=True).encode()).hexdigest()


def write_sealed(path: Path, value: Mapping[str, Any]) -> None:
    """A JSON object with its own seal, so that a later change is seen."""
    write_json(path, {**value, SEAL: seal(value)})


def _ends_within_a_row(file: BinaryIO) -> bool:
    """Whether the last line is not closed; leaves the file at its end."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 1))
    return file.read(1) not in (b"", b"\n")


class Records:
    """A file of one JSON object a line, cut back on opening to what the checkpoint knows of, and compared with it."""

    def __init__(self, path: Path, *, keep_bytes: int, sha256: str = "") -> None:
        with writing(path):
            faults.reach("rows.before_cut", path)
            with os.fdopen(open_plain(path, os.O_RDWR | os.O_CREAT), "r+b") as file:
                if (there := os.fstat(file.fileno()).st_size) < keep_bytes:
                    log.warning("%s: the last %s bytes of its rows are gone", path, f"{keep_bytes - there:,}")
                file.truncate(min(there, keep_bytes))
                self._digest = hashlib.file_digest(file, "sha256")
                if _ends_within_a_row(file):
                    self._digest.update(b"\n")
                    file.write(b"\n")  # else the next row would be a part of it
            if sha256 and there >= keep_bytes and self.sha256 != sha256:
                log.warning("%s: its rows were changed since they were written", path)
            self._file = path.open("ab", buffering=0)
        self._path = path
        self._unwritten = b""

    def append(self, row: Mapping[str, Any]) -> None:
        """Write a row, after those that could not be written before.

        Raises CannotWriteError; what is not in the file then waits for the next call, or for `sync`.
        """
        self._unwritten += (to_json(row) + "\n").encode()
        with writing(self._path):
            faults.reach("row.before", self._path)
            self._write()

    def sync(self) -> None:
        """Wait until the rows are on the disk, all of them."""
        with writing(self._path):
            self._write()
            os.fsync(self._file.fileno())
            if not os.fstat(self._file.fileno()).st_nlink:
                raise FileNotFoundError(errno.ENOENT, "it was deleted under the run", str(self._path))

    def _write(self) -> None:
        while self._unwritten:
            done = self._file.write(self._unwritten)  # on a full disk the first half of a line
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


def read_lines(path: Path) -> list[bytes]:
    """The lines of a file of rows, the last perhaps not whole; raises OSError, also for more than a run writes."""
    content = read_plain(path)
    if (count := content.count(b"\n")) > MOST_ROWS:
        raise OSError(errno.EFBIG, f"{count:,} rows are more than {MOST_ROWS:,}", str(path))
    return content.split(b"\n")


def read_records(path: Path, shape: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """All whole rows of the shape; the half row of a killed writer is left out, and with a warning what is damaged.

    Raises DamagedError for what is no plain file.
    """
    try:
        lines = read_lines(path)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DamagedError(f"{path} cannot be read: {error}") from error
    found = [_row(line, shape) for line in lines]
    damaged = sum(row is None and bool(line.strip()) for row, line in zip(found[:-1], lines, strict=False))
    if damaged:
        log.warning("%s: %d damaged row%s left out", path, damaged, "s" * (damaged > 1))
    return [row for row in found if row is not None]


def _row(line: bytes, shape: Mapping[str, Any] | None) -> dict[str, Any] | None:
    with contextlib.suppress(ValueError):
        row = from_json(line)
        if isinstance(row, dict) and (shape is None or misfit(row, shape) is None):
            return row
    return None


def last_record(path: Path, shape: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The last whole row, without reading the others; empty where there is none."""
    try:
        with os.fdopen(open_plain(path, os.O_RDONLY), "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - LONGEST_ROW_BYTES))
            lines = file.read(LONGEST_ROW_BYTES).split(b"\n")
    except OSError:
        return {}
    return next((row for line in reversed(lines) if (row := _row(line, shape)) is not None), {})
