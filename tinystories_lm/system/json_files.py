"""Read and write JSON files; a sealed one holds its own sha256, so that a later change is noticed.

A file that is read may be damaged or may come from somebody else.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from tinystories_lm.system.errors import DamagedError
from tinystories_lm.system.files import read_plain, write_text

SEAL = "sha256"
LARGEST_INTEGER = 2**63  # what is larger, no count of ours reaches and no float holds


def to_json(value: Any, **options: Any) -> str:
    """Return JSON text; a NaN or an infinity in it is a bug, and a ValueError."""
    return json.dumps(value, allow_nan=False, ensure_ascii=False, **options)


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
    """Return a JSON object without its seal.

    Raises DamagedError where the file cannot be read, holds something else, or was changed after it was sealed.
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
    except (RecursionError, ValueError) as error:  # some depths can be read but not written
        raise DamagedError(f"{path} cannot be read: it is nested too deep") from error
    if not whole:
        raise DamagedError(f"{path} was changed since it was written")
    if shape is not None and (what := misfit(value, shape)):
        raise DamagedError(f"{path} is damaged: {what}")
    return value


def seal(value: Mapping[str, Any]) -> str:
    """Return a sha256 that is equal for two JSON objects only when their contents are."""
    return hashlib.sha256(to_json(json.loads(to_json(value)), sort_keys=True).encode()).hexdigest()


def write_sealed(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON object with its seal."""
    write_json(path, {**value, SEAL: seal(value)})
