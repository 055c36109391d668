"""JSON as this program keeps it: objects with a seal, rows in a file that grows, each of a shape that is known.

Whatever is read was perhaps damaged on its way, or made by somebody else: what does not fit is refused by its place,
and never found out about later.
"""

import hashlib
import json
import logging
import math
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from tinystories_lm.system.errors import DamagedError
from tinystories_lm.system.files import read_plain, to_json, write_json

SEAL = "sha256"
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
