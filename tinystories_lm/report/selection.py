"""Which runs a person means: names as find_run knows them, sweeps, and folders with runs somewhere below."""

import difflib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from tinystories_lm.errors import UsageError
from tinystories_lm.run_folder import OUTPUTS, RunFolder, find_run, runs_below

DEEPEST = 4  # levels below a named folder at which runs are looked for
MARKS = ("config.yaml", "status.json", "summary.json", "metrics.jsonl")  # one of them makes a folder a run's


def select(names: Sequence[str], *, outputs: Path = OUTPUTS) -> list[RunFolder]:
    """The runs that the names mean, each once, in the names' order; all under outputs/ without a name.

    Raises UsageError for a name that means none, with what comes near to it.
    """
    found: dict[Path, RunFolder] = {}
    for name in names:
        for run in _named(name, outputs=outputs):
            found.setdefault(run.path.resolve(), run)
    if not names:
        found = {folder.resolve(): RunFolder(folder) for folder in _below(outputs)}
        if not found:
            raise UsageError(f"there is no run under {outputs}/ yet: start one with `tinystories-lm train`")
    return list(found.values())


def _named(name: str, *, outputs: Path) -> list[RunFolder]:
    for folder in (Path(name), outputs / "sweeps" / name):
        if name and (runs := [RunFolder(path) for path in _below(folder)]):
            return runs
    try:
        return [find_run(name, outputs=outputs)]
    except UsageError:
        if name and (runs := [RunFolder(path) for path in _below(outputs / name)]):
            return runs
        raise UsageError(_unknown(name, outputs=outputs)) from None


def _below(folder: Path, depth: int = 0) -> Iterator[Path]:
    """The run folders at `folder` or below; what begins with a dot or an underscore is none."""
    if any(os.path.isfile(folder / mark) for mark in MARKS):
        yield folder
        return
    try:
        inner = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    except OSError:
        return
    for name in inner if depth < DEEPEST else []:
        if not name.startswith((".", "_")):
            yield from _below(folder / name, depth + 1)


def _unknown(name: str, *, outputs: Path) -> str:
    if os.path.isdir(name):
        return f"{name}: no run lies in this folder or below it"
    sweeps = [path.name for path in sorted((outputs / "sweeps").glob("*")) if path.is_dir()]
    runs = [run.path for run in runs_below(outputs)]
    presets = dict.fromkeys(path.parent.name for path in runs if path.parent.name not in sweeps)
    near = difflib.get_close_matches(name, [*sweeps, *presets, *(path.name for path in runs)], n=3, cutoff=0.5)
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    elif sweeps or presets:
        hint = f"there are: {', '.join([*sweeps, *presets][:12])}"
    else:
        hint = f"there is none under {outputs}/ yet"
    return f"{name}: there is no such run or sweep; {hint} (a run, a sweep, or a folder with runs below)"
