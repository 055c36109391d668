"""Read and write JSON files; a sealed one holds its own sha256, so that a later change is noticed.

A file that is read may be damaged or may come from somebody else.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinystories_lm.system.errors import DamagedError
from tinystories_lm.system.files import read_plain, unreadable, write_text

SEAL = "sha256"


def to_json(value: Any, **options: Any) -> str:
    """Return JSON text; a NaN or an infinity in it is a bug, and a ValueError."""
    return json.dumps(value, allow_nan=False, ensure_ascii=False, **options)


def to_ascii_json(value: Any, **options: Any) -> str:
    """Return JSON text for a stream, whose encoding may lack any other character."""
    return json.dumps(value, allow_nan=False, **options)


def write_json(path: Path, value: Any) -> None:
    """Write an indented JSON file whole or not at all; raises CannotWriteError."""
    write_text(path, to_json(value, indent=2) + "\n")


def from_json(text: str | bytes) -> Any:
    """Return the value of a JSON text; raises ValueError for invalid JSON, NaN, an infinity, or too deep nesting."""
    try:
        return json.loads(text, parse_constant=_finite, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not a finite number")
    return value


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object without its seal.

    Raises DamagedError where the file cannot be read, holds something else, or was changed after it was sealed.
    """
    try:
        value = from_json(read_plain(path))
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    if not isinstance(value, dict):
        raise DamagedError(f"{path} holds no JSON object")
    sealed = value.pop(SEAL, None)
    try:
        whole = sealed is None or sealed == seal(value)
    except (RecursionError, ValueError) as error:  # some depths can be read but not written
        raise DamagedError(f"{path} cannot be read: it is nested too deep") from error
    if not whole:
        raise DamagedError(f"{path} was changed since it was written")
    return value


def read_json_if_whole(path: Path) -> dict[str, Any]:
    """Return a JSON object as `read_json` does, empty where it is missing or damaged."""
    try:
        return read_json(path)
    except DamagedError:
        return {}


def seal(value: Mapping[str, Any]) -> str:
    """Return a sha256 that is equal for two JSON objects only when their contents are."""
    return hashlib.sha256(to_json(json.loads(to_json(value)), sort_keys=True).encode()).hexdigest()


def write_sealed(path: Path, value: Mapping[str, Any]) -> None:
    write_json(path, {**value, SEAL: seal(value)})
