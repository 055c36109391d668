"""List what a word may name: runs, sweeps, choices of conf/, files and folders."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tinystories_lm.config.presets import choice_files, question_of
from tinystories_lm.runs.tree import OUTPUTS, name_below, run_paths


class Candidate(NamedTuple):
    """A word that may stand there.

    is_open: more of the same word follows, so that no space comes after it.
    """

    text: str
    help: str = ""
    is_open: bool = False


def choices(group: str, config_dir: str | None) -> list[Candidate]:
    """Return the choices of a group, built-in and the user's own."""
    return [Candidate(name, question_of(file)) for name, file in choice_files(group, config_dir).items()]


def runs_or_paths(word: str) -> list[Candidate]:
    """Return the runs that a word may name, and the folders."""
    return [*runs(word), *paths(word, only_folders=True)]


def runs(word: str) -> Iterator[Candidate]:
    """Yield what names a run: `latest`, presets and sweeps; after their names and a slash, the runs of each."""
    name, slash, _ = word.partition("/")
    if slash:
        for folder in (OUTPUTS / name, OUTPUTS / "sweeps" / name) if name.strip(".") else ():
            yield from (Candidate(name_below(OUTPUTS, run), str(run)) for run in run_paths(folder))
        return
    groups = [*_groups(OUTPUTS), *_groups(OUTPUTS / "sweeps")]
    if groups:
        yield Candidate("latest", "the newest run")
    for group in groups:
        yield group
        yield Candidate(f"{group.text}/", "one of its runs", is_open=True)


def sweeps() -> Iterator[Candidate]:
    """Yield the names of sweeps that have runs."""
    return _groups(OUTPUTS / "sweeps")


def _groups(folder: Path) -> Iterator[Candidate]:
    """Yield the folders of runs below outputs/ or outputs/sweeps/, by name."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        if name == "sweeps" or name.startswith("."):
            continue
        first = next(run_paths(folder / name), None)
        if first is not None and first != folder / name:
            yield Candidate(name, f"the runs in {folder / name}")


def or_folders(found: list[Candidate], word: str) -> list[Candidate]:
    """Return the candidates, and folders where the word is the beginning of none of them."""
    fitting = [candidate for candidate in found if candidate.text.startswith(word)]
    return fitting or paths(word, only_folders=True)


def paths(word: str, *, only_folders: bool = False) -> list[Candidate]:
    """Return the files and folders whose path begins with the word; `~/` is the home folder."""
    folder, start = os.path.split(os.path.expanduser(word))
    before = word[: len(word) - len(start)]
    found = []
    try:
        with os.scandir(folder or ".") as entries:
            for entry in entries:
                if not entry.name.startswith(start) or (entry.name.startswith(".") and not start):
                    continue
                if entry.is_dir():
                    found.append(Candidate(f"{before}{entry.name}/", is_open=True))
                elif not only_folders:
                    found.append(Candidate(f"{before}{entry.name}"))
    except (OSError, ValueError):
        return []
    return found
