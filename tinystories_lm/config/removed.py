"""List the settings that were removed, and handle the overrides and stored runs that still have them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

LAST_COMMIT = "537aa6a"  # the last one that has them


class RemovedSetting(NamedTuple):
    default: Any  # what this version does; stored runs and overrides may still have it
    changes_model: bool  # weights that were trained with another value do not fit this version's model


REMOVED = {
    "model.mlp": RemovedSetting("swiglu", changes_model=True),
    "model.zero_init": RemovedSetting(False, changes_model=False),
    "training.rows_begin": RemovedSetting("anywhere", changes_model=False),
    "training.batch_doublings": RemovedSetting(0, changes_model=False),
}


def describe_removal(setting: str) -> str:
    """Return the message for `key` or `key=value`."""
    return f"{setting} was removed in this version; commit {LAST_COMMIT} is the last one that has it"


def removed_defaults(section: str) -> dict[str, Any]:
    """Return a section's removed settings, for the hashes of older versions that included them."""
    names = {key: removed.default for key, removed in REMOVED.items() if key.startswith(f"{section}.")}
    return {key.partition(".")[2]: default for key, default in names.items()}


def without_removed(overrides: Sequence[str]) -> list[str]:
    """Return the overrides without those that give a removed setting its default."""
    return [override for override in overrides if not _is_default(override)]


def _is_default(override: str) -> bool:
    key, _, value = override.partition("=")
    return key in REMOVED and value.strip(" '\"").lower() == str(REMOVED[key].default).lower()


def pop_removed(stored: dict[str, Any]) -> dict[str, Any]:
    """Take the removed settings out of a stored config; return those with another value than the default."""
    found: dict[str, Any] = {}
    for name, removed in REMOVED.items():
        section, _, key = name.partition(".")
        part = stored.get(section)
        if isinstance(part, dict) and key in part and (value := part.pop(key)) != removed.default:
            found[name] = value
    return found
