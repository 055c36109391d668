"""Describe each setting for people and programs, from the schema alone: type, unit, range, effect and meaning.

Imports no Hydra, so that a shell can complete settings.
"""

import enum
import functools
import re
import types
import typing
from collections.abc import Callable
from typing import Any, NamedTuple

from tinystories_lm.config.fields import Effect
from tinystories_lm.config.rules import Rules, rules_of
from tinystories_lm.config.schema import SETTINGS, Config
from tinystories_lm.config.schema_source import comments

EFFECTS = {
    Effect.changes_numbers: "results",
    Effect.changes_rounding: "rounding",
    Effect.changes_nothing: "nothing",
}
UNITS = ("flops_per_second", "dollars_per_hour", "tokens", "steps", "seconds", "bytes", "hours", "dollars", "nats")
NAMES = {bool: "yes/no", int: "integer", float: "number", str: "text"}


class Setting(NamedTuple):
    """A setting as the schema declares it.

    type: in words; the values of a choice are in `words`.
    words: what it takes, if that is a choice.
    changes: results, rounding or nothing.
    meaning: the comment behind its field.
    """

    key: str
    type: str
    words: tuple[str, ...]
    takes_null: bool
    unit: str
    rules: Rules
    changes: str
    meaning: str


@functools.cache
def reference() -> dict[str, Setting]:
    """Return every setting by its key, in the schema's order."""
    return {key: _setting(key) for key in SETTINGS}


def _setting(key: str) -> Setting:
    section, _, name = key.rpartition(".")
    holder = section_types().get(section, Config).__name__
    info, rules = SETTINGS[key], rules_of(holder).get(name, Rules())
    parts = typing.get_args(info.type) if isinstance(info.type, types.UnionType) else (info.type,)
    return Setting(
        key=key,
        type=describe_type(info.type),
        words=tuple(word for part in parts for word in _words(part) if word not in rules.excluded)
        or tuple(map(str, rules.only or ())),
        takes_null=types.NoneType in parts,
        unit=_unit(name),
        rules=rules,
        changes=EFFECTS[info.effect],
        meaning=comments(holder).get(name, ""),
    )


def section_types() -> dict[str, type]:
    """Return the dataclass of each section."""
    return {name: kind for name, kind in typing.get_type_hints(Config).items() if isinstance(kind, type)} | {"": Config}


def describe_type(kind: Any) -> str:
    """Return a type in words."""
    if isinstance(kind, types.UnionType):
        return " or ".join("null" if part is types.NoneType else describe_type(part) for part in typing.get_args(kind))
    if typing.get_origin(kind) is list:
        return f"list of {describe_type(typing.get_args(kind)[0])}"
    return NAMES.get(kind, "choice")


def _words(kind: Any) -> list[str]:
    if kind is bool:
        return ["true", "false"]
    return [str(choice.value) for choice in kind] if isinstance(kind, type) and issubclass(kind, enum.Enum) else []


def _unit(name: str) -> str:
    if "tokens_per_" in name:
        return "tokens/parameter"
    names = {"flops_per_second": "FLOP/s", "dollars_per_hour": "$/h"}
    found = [unit for unit in UNITS if name.endswith(f"_{unit}") or name == unit]
    return names.get(found[0], found[0]) if found else ""


def describe_value(value: object, code: Callable[[str], str] = str) -> str:
    """Return a value as YAML has it; one that follows from another setting as a formula.

    code: marks what a person would type.
    """
    if isinstance(value, str) and (share := re.fullmatch(r"\$\{share:([\d.]+),\$\{(.+)\}\}", value)):
        return f"{share[1]} × {code(share[2])}"
    if isinstance(value, str) and value.startswith("${") and ":" not in value:
        return f"= {code(value[2:-1])}"
    if isinstance(value, str) and "sweep_or_preset" in value:
        return f"the sweep's name, or {code('name')}"
    if isinstance(value, list):
        return ", ".join(describe_value(item, code) for item in value) or "none"
    if isinstance(value, str):
        return code(value or '""')
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return f"{value:,}" if isinstance(value, int) else re.sub(r"e-0(?=\d)", "e-", f"{value:g}")
