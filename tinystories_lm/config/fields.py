"""Describe a setting beyond its name and type: its effect on a run's numbers, and what older runs meant without it."""

import dataclasses
from dataclasses import MISSING, field
from enum import StrEnum
from typing import Any, NamedTuple


class Effect(StrEnum):
    """What changing a setting does to a run; the values are those that `report --json` writes."""

    changes_numbers = "exact"  # another run: neither resumed nor found under the same folder name
    changes_rounding = "numerics"  # the same run with different rounding: resumed with a warning
    changes_nothing = "free"  # the same numbers: where files lie, what is shown, what is allowed


class SettingInfo(NamedTuple):
    type: Any
    effect: Effect
    before: Any  # what runs meant that were stored before the setting existed; MISSING for the oldest settings


def changes_rounding(*, before: Any = MISSING) -> Any:
    """Return a field whose value only changes how results are rounded."""
    return field(metadata={"effect": Effect.changes_rounding, "before": before})


def changes_nothing(*, before: Any = MISSING) -> Any:
    """Return a field whose value changes no result; declared for a section, the default of the section's fields."""
    return field(metadata={"effect": Effect.changes_nothing, "before": before})


def added_later(*, before: Any) -> Any:
    """Return a field that came after the first runs were stored; they all meant the value `before`.

    Its effect is that of its section; a field without any declaration changes the numbers.
    """
    return field(metadata={"before": before})


def describe_settings(schema: type) -> dict[str, SettingInfo]:
    """Return every setting as `section.key`, in the schema's order."""
    found: dict[str, SettingInfo] = {}
    for section in dataclasses.fields(schema):
        effect = section.metadata.get("effect", Effect.changes_numbers)
        keys = dataclasses.fields(section.type) if dataclasses.is_dataclass(section.type) else ()
        for key in keys or (section,):
            name = f"{section.name}.{key.name}" if keys else section.name
            own = key.metadata.get("effect", effect)
            found[name] = SettingInfo(key.type, own, key.metadata.get("before", MISSING))
    return found


class SetOnce:
    """A section of the settings: its attributes cannot be set twice (Hydra cannot compose frozen dataclasses)."""

    def __setattr__(self, name: str, value: object) -> None:
        if hasattr(self, name):
            raise AttributeError(f"{type(self).__name__}.{name} is already set: configs are not changed after parsing")
        object.__setattr__(self, name, value)

    def require(self, rule: str, **holds: bool) -> None:
        """Raise ValueError, as `section.key=value rule`, for the first key whose condition does not hold."""
        section = type(self).__name__.removesuffix("Config").lower()
        for key, condition in holds.items():
            if not condition:
                raise ValueError(f"{section}.{key}={getattr(self, key)} {rule}")

    def require_at_least_1(self, *keys: str) -> None:
        """Raise ValueError for the first key whose value is below 1."""
        self.require("must be at least 1", **{key: getattr(self, key) >= 1 for key in keys})
