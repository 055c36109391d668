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


def find_settings(word: str, config_dir: str | None) -> Iterator[Candidate]:
    """Yield the settings, sections, groups and choices that the word may become, for `explain`."""
    for found in find_overrides(word, config_dir):
        if found.text.startswith("hydra"):
            continue
        if "=" in word or found.text[-1] == ".":
            yield found
        else:
            yield found._replace(text=found.text.rstrip("=").lstrip("+"), is_open=False)


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
    from tinystories_lm.config.reference import section_types

    for section, kind in section_types().items():
        if section:
            yield Candidate(f"{section}.", (kind.__doc__ or "").partition("\n")[0], is_open=True)
    yield from _settings("")


def _settings(section: str) -> Iterator[Candidate]:
    """Yield the settings of a section with their meanings; those of the top level for an empty name."""
    from tinystories_lm.config.reference import reference

    for key, setting in reference().items():
        if key.rpartition(".")[0] == section:
            yield Candidate(f"{key}=", setting.meaning, is_open=True)


def _is_path(key: str) -> bool:
    from tinystories_lm.config.overrides import PATHS

    return key in PATHS


def _values(name: str, value: str, config_dir: str | None) -> Iterable[Candidate]:
    if name == "training.init_from":
        return runs_or_paths(value)
    if _is_path(name):
        return paths(value, only_folders=name != "data.path")
    if name in HYDRAS_SETTINGS:
        return map(Candidate, HYDRAS_SETTINGS[name])
    if name.startswith("hydra/"):
        own = [file.stem for folder in _hydras_folders() for file in (folder.parent / name).glob("*.yaml")]
        return [*choices(name, config_dir), *map(Candidate, [*IN_HYDRAS_STORE.get(name, ()), *own])]
    if name == "sweep" or name in _groups(config_dir):
        return choices(name, config_dir)
    from tinystories_lm.config.reference import reference

    setting = reference().get(name)
    return map(Candidate, [*setting.words, *["null"] * setting.takes_null] if setting is not None else [])
