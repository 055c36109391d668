"""Read which values the files of conf/ state: the defaults, and what each choice and preset sets.

Without Hydra, which needs a third of a second for each preset; tests compare the values with those that it composes.
"""

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from tinystories_lm.config.presets import choice_files, conf_folder
from tinystories_lm.config.schema import SETTINGS
from tinystories_lm.system.errors import UsageError


def groups() -> dict[str, str]:
    """Return the groups with their default choices; "" for none."""
    entries = _load(conf_folder() / "config.yaml")["defaults"]
    plain = {key: value for entry in entries if isinstance(entry, dict) for key, value in entry.items()}
    return {group: choice or "" for group, choice in plain.items() if not group.startswith("override ")}


def defaults() -> dict[str, Any]:
    """Return the value of every setting without any override; one that follows from another as an interpolation."""
    return values_with("experiment", "")


def values_with(group: str, choice: str, config_dir: str | None = None) -> dict[str, Any]:
    """Return the value of every setting with one choice or preset in the place of the default one."""
    selected = groups() | {group: choice} | _Choice.read(group, choice, config_dir).selected
    preset = selected.pop("experiment")
    found = dict(_flat(_load(conf_folder() / "config.yaml"), ""))
    for name, value in selected.items():
        found |= _Choice.read(name, value, config_dir).own
    found |= _Choice.read("experiment", preset, config_dir).own
    return {key: found[key] for key in SETTINGS}


def stated(group: str, choice: str, config_dir: str | None = None) -> dict[str, Any]:
    """Return the settings that a choice of a group states, itself or by the choices it selects.

    A named sweep states what it varies, as its values stand in the file.
    """
    read = _Choice.read(group, choice, config_dir)
    found: dict[str, Any] = {}
    for name, value in read.selected.items():
        found |= _Choice.read(name, value, config_dir).own
    return found | read.own


def setters(key: str, config_dir: str | None = None) -> Iterator[tuple[str, Any]]:
    """Yield `group=choice` and the value, for the choices and presets that state a setting or change its default."""
    default = defaults()[key]
    for group in (key.partition(".")[0], "experiment"):
        for choice in choice_files(group, config_dir):
            value = values_with(group, choice, config_dir)[key]
            if value != default or key in stated(group, choice, config_dir):
                yield f"{group}={choice}", value


class _Choice(NamedTuple):
    """The content of a choice's file and of those in its defaults list.

    selected: choices of other groups.
    """

    own: dict[str, Any]
    selected: dict[str, str]

    @staticmethod
    def read(
        group: str, choice: str, config_dir: str | None, within: frozenset[tuple[str, str]] = frozenset()
    ) -> "_Choice":
        """Read a choice; one that has no file here, such as Hydra's own, states nothing.

        within: the choices that are based on this one.

        Raises UsageError for a file that is not a mapping, or that is based on itself.
        """
        file = choice_files(group, config_dir).get(choice)
        if file is None or group.startswith("hydra"):
            return _Choice({}, {})
        if (group, choice) in within:
            raise UsageError(f"{file}: {group}={choice} is based on itself; remove it from the defaults")
        content = _load(file)
        if group == "sweep":
            return _Choice(dict(content.get("params") or {}), {})
        is_global = group == "experiment" or "@package _global_" in file.read_text(encoding="utf-8").partition("\n")[0]
        own: dict[str, Any] = {}
        selected: dict[str, str] = {}
        entries = content.get("defaults") or []
        for entry in entries if "_self_" in entries else [*entries, "_self_"]:
            if entry == "_self_":
                own.update(_flat(content, "" if is_global else f"{group}."))
            elif isinstance(entry, str):
                base = _Choice.read(group, entry, config_dir, within | {(group, choice)})
                own, selected = own | base.own, selected | base.selected
            elif isinstance(entry, Mapping):
                names = {name.removeprefix("override ").lstrip("/"): value for name, value in entry.items()}
                selected |= {name: str(value) for name, value in names.items()}
        return _Choice(own, selected)


@functools.cache
def _load(file: Path) -> dict[str, Any]:
    try:
        found = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
    except (OSError, ValueError, YAMLError, OmegaConfBaseException) as error:
        raise UsageError(f"{file} cannot be read as YAML: {error}") from error
    if not isinstance(found, dict):
        raise UsageError(f"{file} is a list: a choice has settings and their values")
    return {str(key): value for key, value in found.items()}


def _flat(content: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield the settings within a file's content as section.key."""
    for name, value in content.items():
        key = f"{prefix}{name}"
        if key in SETTINGS:
            yield key, value
        elif isinstance(value, Mapping) and not prefix and any(known.startswith(f"{key}.") for known in SETTINGS):
            yield from _flat(value, f"{key}.")
