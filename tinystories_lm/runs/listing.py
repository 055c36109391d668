"""List the runs, so that nobody needs to know a folder's name."""

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinystories_lm.config.choices import RunOrder
from tinystories_lm.config.presets import swept_settings
from tinystories_lm.model.flops import count_parameters
from tinystories_lm.runs.folder import RunFolder, overrides_of
from tinystories_lm.runs.lookup import nothing_yet, runs_below, short_name, sweep_named
from tinystories_lm.runs.status import updated_seconds
from tinystories_lm.runs.tolerant_reader import TolerantReader
from tinystories_lm.runs.tree import OUTPUTS
from tinystories_lm.system.console import amount, coloured, shortened, table, width_of
from tinystories_lm.system.stdio import escape_controls

NOT_SHOWN = ("hydra.", "tracking", "training.fresh", "name")  # settings by which nobody tells runs apart
# What is left out, one by one, on a narrow terminal: columns, and the part of a run's path that its name does not need.
DISPENSABLE = ("perplexity", "dollars", "outputs/", "size", "age", "verdict")
LEAST_SETTINGS_COLUMNS = 32  # shown before any column of DISPENSABLE
GAP = 2  # columns between two of a table


@dataclass(frozen=True)
class Listed:
    """One run as far as its folder can be read; None for what cannot be."""

    run: str  # its folder
    short: str  # the shortest name of it that the other commands take
    name: str | None
    status: str
    verdict: str | None
    parameters: int | None
    step: int | None
    steps: int | None
    loss: float | None  # validation
    perplexity: float | None
    dollars: float | None
    age_seconds: float  # since its status last changed
    overrides: list[str]  # that started it
    swept: dict[str, str]  # those in which it differs from the other runs in its parent folder


def list_runs(words: Sequence[str] = (), *, sort: RunOrder = RunOrder.age, outputs: Path = OUTPUTS) -> list[Listed]:
    """Return the runs of the sweeps that are named, or else all below outputs/, which match every other word.

    A word matches a run whose folder, name, status, verdict or overrides contain it.

    Raises UsageError where there are no runs at all.
    """
    found = []
    sweeps = {word: sweep for word in words if (sweep := sweep_named(word, outputs=outputs)) is not None}
    runs = list(_newest_first([sweep.folder for sweep in sweeps.values()] or [outputs]))
    overrides = {run.path: overrides_of(run) for run in runs}
    swept = _swept(overrides)
    shorts: set[str] = set()
    for run in runs:
        short = short_name(run, outputs)
        if short in shorts and outputs in run.path.parents:
            short = run.path.relative_to(outputs).as_posix()
        shorts.add(short)
        with contextlib.suppress(FileNotFoundError):  # it was removed just now
            found.append(_listed(run, short, overrides[run.path], swept[run.path]))
    if not found:
        raise nothing_yet(outputs)
    kept = [one for one in found if all(_matches(one, word.lower()) for word in words if word not in sweeps)]
    keys = {
        "age": lambda one: one.age_seconds,
        "name": lambda one: (one.name or "", one.run),
        "status": lambda one: one.status,
        "size": lambda one: -(one.parameters or 0),
        "steps": lambda one: -(one.step or 0),
        "loss": lambda one: float("inf") if one.loss is None else one.loss,
        "dollars": lambda one: -(one.dollars or 0.0),
    }
    return sorted(kept, key=keys[sort])


def _newest_first(folders: Sequence[Path]) -> Iterator[RunFolder]:
    """Yield the runs below each folder, each run once."""
    seen: set[Path] = set()
    for folder in folders:
        for run in runs_below(folder):
            if run.path not in seen:
                seen.add(run.path)
                yield run


def _swept(overrides: dict[Path, list[str]]) -> dict[Path, dict[str, str]]:
    """Return for each run those of its overrides in which it differs from its siblings."""
    found: dict[Path, dict[str, str]] = {}
    for parent in {path.parent for path in overrides}:
        siblings = [path for path in overrides if path.parent == parent]
        typed = [[one for one in overrides[path] if not one.lstrip("+").startswith(NOT_SHOWN)] for path in siblings]
        found |= dict(zip(siblings, swept_settings(typed), strict=True))
    return found


def _matches(one: Listed, word: str) -> bool:
    return any(word in str(text).lower() for text in (one.run, one.name, one.status, one.verdict, *one.overrides))


def _listed(run: RunFolder, short: str, overrides: list[str], swept: dict[str, str]) -> Listed:
    reader = TolerantReader(run)
    config, status, figures = reader.config(), reader.status(), reader.newest_figures()
    parameters = figures.parameters
    if parameters is None and config is not None:
        parameters = count_parameters(config.model, vocab_size=config.data.vocab_size).total
    step = figures.step
    if step is None and status is not None:
        step = status.step
    return Listed(
        run=os.path.relpath(run.path),
        short=short,
        name=config.name if config is not None else None,
        status=str(status.status) if status is not None else "damaged",
        verdict=figures.verdict.name if figures.verdict is not None else None,
        parameters=parameters,
        step=step,
        steps=config.training.steps if config is not None else None,
        loss=figures.val_loss,
        perplexity=figures.val_perplexity,
        dollars=figures.dollars,
        age_seconds=max(0.0, time.time() - updated_seconds(run)),
        overrides=overrides,
        swept=swept,
    )


def describe(runs: Sequence[Listed], *, columns: int) -> str:
    """Return the runs as a table that fits a terminal of so many columns, unless the runs' names alone are wider."""
    cells = {"run": [escape_controls(one.run) for one in runs], **_cells(runs)}
    if not any(cells["settings"]):
        del cells["settings"]
    widths = {name: max(map(width_of, [name, *column])) for name, column in cells.items()}
    least = min(LEAST_SETTINGS_COLUMNS, widths.get("settings", 0))
    for name in DISPENSABLE:
        if _spare(widths, columns) >= least:
            break
        if name == "outputs/":
            cells["run"] = [escape_controls(one.short) for one in runs]
            widths["run"] = max(map(width_of, ["run", *cells["run"]]))
        else:
            del widths[name]
    if "settings" in widths:
        most = max(least, _spare(widths, columns))
        cells["settings"] = [shortened(cell, most) for cell in cells["settings"]]
    rows = [*zip(*(cells[name] for name in widths), strict=True)]
    numbers = [place for place, name in enumerate(widths) if name not in ("run", "settings", "status", "verdict")]
    return table([*widths], rows, right=numbers)


def _spare(widths: dict[str, int], columns: int) -> int:
    """Return the columns of the terminal that the others leave for the settings; below 0 where there are too few."""
    others = sum(width + GAP for name, width in widths.items() if name != "settings")
    return columns - (others if "settings" in widths else others - GAP)


def _cells(runs: Sequence[Listed]) -> dict[str, list[str]]:
    return {
        "settings": [escape_controls(_settings(one)) for one in runs],
        "status": [coloured(one.status) for one in runs],
        "verdict": [coloured(escape_controls(one.verdict or "")) for one in runs],
        "size": ["" if one.parameters is None else amount(one.parameters) for one in runs],
        "steps": [f"{one.step if one.step is not None else '?'}/{one.steps or '?'}" for one in runs],
        "loss": ["" if one.loss is None else f"{one.loss:.3f}" for one in runs],
        "perplexity": ["" if one.perplexity is None else f"{one.perplexity:.2f}" for one in runs],
        "dollars": ["" if one.dollars is None else f"${one.dollars:.2f}" for one in runs],
        "age": [_age(one.age_seconds) for one in runs],
    }


def _settings(one: Listed) -> str:
    """Return what distinguishes the run, with the settings' last names: `seed=0 lr=0.003`."""
    return " ".join(f"{key.lstrip('+').rpartition('.')[2]}={value}" for key, value in one.swept.items())


def _age(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"
