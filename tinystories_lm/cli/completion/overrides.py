"""Find overrides of settings that begin with a word: groups, keys, and the values of each."""

import importlib.util
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tinystories_lm.cli.completion.names import Candidate, choices, paths, runs_or_paths
from tinystories_lm.config.presets import conf_folder

# Settings of Hydra's section that people type, with the words that each takes; tests compare them with Hydra's.
HYDRAS_SETTINGS = {
    "hydra.mode": ("RUN", "MULTIRUN"),
    "hydra.output_subdir": ("null",),
    "hydra.run.dir": (),
    "hydra.searchpath": (),
    "hydra.sweep.dir": (),
    "hydra.sweep.subdir": (),
    "hydra.verbose": ("true", "false"),
}
IN_HYDRAS_STORE = {"hydra/launcher": ("basic",), "hydra/sweeper": ("basic",)}  # choices that have no file
SWEEP = Candidate("sweep=", "a named sweep, with -m", is_open=True)


def find_overrides(word: str, config_dir: str | None) -> Iterator[Candidate]:
    """Yield the overrides that the word may become, a level at a time: `training.`, then its settings."""
    prefix, typed = re.fullmatch(r"(\+{0,2})(.*)", word, re.DOTALL).groups()  # type: ignore[union-attr]
    name, equals, value = typed.partition("=")
    if not equals:
        keys: Iterable[Candidate] = [SWEEP] if prefix == "+" else _keys(typed, config_dir)
        yield from (key._replace(text=f"{prefix}{key.text}") for key in keys)
        if not prefix:
            yield SWEEP._replace(text=f"+{SWEEP.text}")
        return
    before, comma, last = ("", "", value) if _is_path(name) else value.rpartition(",")  # a sweep has several values
    for found in _values(name, last, config_dir):
        yield found._replace(text=f"{prefix}{name}={before}{comma}{found.text}")


def _keys(typed: str, config_dir: str | None) -> Iterator[Candidate]:
    if typed.startswith("hydra"):
        yield from (Candidate(f"{group}=", is_open=True) for group in _groups_below("hydra", config_dir))
        yield from (Candidate(f"{key}=", is_open=True) for key in HYDRAS_SETTINGS)
        return
    if "." in typed:
        yield from _settings(typed.partition(".")[0])
        return
    for group in _groups(config_dir):
        yield Candidate(f"{group}=", f"a choice of {group}", is_open=True)
    yield from _sections()
    yield Candidate("hydra.", "Hydra's own settings", is_open=True)
    yield Candidate("hydra/", "Hydra's own groups", is_open=True)


def _groups(config_dir: str | None) -> list[str]:
    folders = [conf_folder(), *([Path(config_dir)] if config_dir is not None else [])]
    found = {name for folder in folders for name in _folders(folder)}
    return sorted(found - {"hydra", "sweep"})


def _groups_below(group: str, config_dir: str | None) -> list[str]:
    folders = [conf_folder() / group, *_hydras_folders()]
    if config_dir is not None:
        folders.append(Path(config_dir) / group)
    return sorted({f"{group}/{name}" for folder in folders for name in _folders(folder)} | {*IN_HYDRAS_STORE})


def _folders(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if entry.is_dir() and entry.name[0] not in "._"]
    except OSError:
        return []


def _hydras_folders() -> list[Path]:
    """Return the folder of Hydra's own choices, without importing it."""
    found = importlib.util.find_spec("hydra")
    return [Path(place) / "conf" / "hydra" for place in (found and found.submodule_search_locations) or ()]


def _sections() -> Iterator[Candidate]:
    import dataclasses

    from tinystories_lm.config.schema import Config

    for section in dataclasses.fields(Config):
        if dataclasses.is_dataclass(section.type):
            first_line = (section.type.__doc__ or "").strip().partition("\n")[0]
            yield Candidate(f"{section.name}.", first_line, is_open=True)
        else:
            yield from _settings("")


def _settings(section: str) -> Iterator[Candidate]:
    """Yield the settings of a section with their descriptions; those of the top level for an empty name."""
    import dataclasses

    from tinystories_lm.config.reference import comments
    from tinystories_lm.config.schema import SETTINGS, Config

    kinds = {field.name: field.type for field in dataclasses.fields(Config)} | {"": Config}
    if section not in kinds or not isinstance(kind := kinds[section], type):
        return
    for name in SETTINGS:
        place, _, key = name.rpartition(".")
        if place == section:
            yield Candidate(f"{name}=", comments(kind.__name__).get(key, ""), is_open=True)


def _is_path(key: str) -> bool:
    from tinystories_lm.config.overrides import PATHS

    return key in PATHS


def _values(key: str, value: str, config_dir: str | None) -> Iterable[Candidate]:
    if key == "training.init_from":
        return runs_or_paths(value)
    if _is_path(key):
        return paths(value, only_folders=key != "data.path")
    if key in HYDRAS_SETTINGS:
        return map(Candidate, HYDRAS_SETTINGS[key])
    if key.startswith("hydra/"):
        own = [file.stem for folder in _hydras_folders() for file in (folder.parent / key).glob("*.yaml")]
        return [*choices(key, config_dir), *map(Candidate, [*IN_HYDRAS_STORE.get(key, ()), *own])]
    if key == "sweep" or key in _groups(config_dir):
        return choices(key, config_dir)
    from tinystories_lm.config.reference import words_of
    from tinystories_lm.config.schema import SETTINGS

    return map(Candidate, words_of(SETTINGS[key].type)) if key in SETTINGS else []
