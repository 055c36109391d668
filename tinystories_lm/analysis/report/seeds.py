"""Gather the runs that differ in their seed alone, and average their figures and curves."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tinystories_lm.analysis.report.curves import AXES, STEP, encode, thin
from tinystories_lm.analysis.report.labels import Label, is_sweep, without_time
from tinystories_lm.analysis.report.read_runs import Run
from tinystories_lm.analysis.spread import SEED, Spread, spread
from tinystories_lm.config.fields import Effect
from tinystories_lm.config.schema import SETTINGS, settings
from tinystories_lm.runs.schemas import MetricsRow
from tinystories_lm.runs.status import Status

DEVIATION = "/deviation"  # ending of a column that holds the deviations of another


@dataclass(frozen=True)
class Setting:
    """The runs of a group that are equal in everything that affects results, except for the seed.

    label: the settings that distinguish it; the group's name where only the seed was varied.
    values: a short form of the label.
    runs: the places of all its runs in the list of runs.
    seeds: of these, one for each seed: a finished one, or else the newest.
    finished: those of `seeds` that are done, by which figures are averaged.
    """

    label: str
    values: str
    runs: tuple[int, ...]
    seeds: tuple[int, ...]
    finished: tuple[int, ...]


def gather_settings(runs: Sequence[Run], labels: Sequence[Label]) -> list[Setting]:
    """Return the settings in the order of their first runs; a run whose config cannot be read is one of its own."""
    groups: dict[object, list[int]] = {}
    for number, run in enumerate(runs):
        groups.setdefault((run.group, _identity(run)), []).append(number)
    return [_setting(runs, labels, numbers) for numbers in groups.values()]


def _identity(run: Run) -> object:
    if run.config is None:
        return run.path
    return tuple(
        str(value)
        for key, value in settings(run.config).items()
        if key != SEED and SETTINGS[key].effect is not Effect.changes_nothing
    )


def _setting(runs: Sequence[Run], labels: Sequence[Label], numbers: Sequence[int]) -> Setting:
    first = runs[numbers[0]]
    by_seed: dict[object, int] = {}
    for number in sorted(numbers, key=lambda number: (runs[number].state == Status.DONE, runs[number].updated or 0.0)):
        config = runs[number].config
        by_seed[None if config is None else config.training.seed] = number
    seeds = tuple(sorted(by_seed.values()))
    label, values = labels[numbers[0]].setting, labels[numbers[0]].values
    if not label or not (is_sweep(first.group_name) or len(numbers) > 1):
        name = first.group_name.removeprefix("sweep ") if len(seeds) > 1 else without_time(labels[numbers[0]].text)
        label, values = name, name
    finished = tuple(number for number in seeds if runs[number].state == Status.DONE)
    return Setting(label, values, tuple(numbers), seeds, finished)


def average_figures(runs: Sequence[Run]) -> dict[str, Spread]:
    """Return the spread of each figure that all the runs have."""
    if not runs:
        return {}
    names = [name for name in runs[0].figures if all(name in run.figures for run in runs)]
    found = {name: spread([run.figures[name] for run in runs]) for name in names}
    return {name: one for name, one in found.items() if math.isfinite(one.mean) and math.isfinite(one.deviation or 0.0)}


def encode_means(rows_of_runs: Sequence[Sequence[MetricsRow]], names: Sequence[str], *, limit: int) -> dict[str, Any]:
    """Encode the mean of several runs' rows at the steps that all of them have, as `encode` does.

    For each of `names` there is a second column, NAME/deviation.
    """
    first = names[0]
    by_step = [{row[STEP]: row for row in rows if first in row and STEP in row} for rows in rows_of_runs]
    steps = sorted(set.intersection(*(set(rows) for rows in by_step))) if by_step else []
    means = [sum(rows[step][first] for rows in by_step) / len(by_step) for step in steps]
    chosen = [steps[place] for place in thin(means, limit)]
    averaged = [_average([rows[step] for rows in by_step], names) for step in chosen]
    return encode(averaged, (*names, *(f"{name}{DEVIATION}" for name in names)), limit=limit)


def _average(rows: Sequence[MetricsRow], names: Sequence[str]) -> MetricsRow:
    found: MetricsRow = {}
    for name in (*AXES, *names):
        if all(name in row for row in rows):
            one = spread([row[name] for row in rows])
            found[name] = one.mean
            if name in names and one.deviation is not None:
                found[f"{name}{DEVIATION}"] = float(f"{one.deviation:.3g}")  # as exact as a band can be seen
    return {name: value for name, value in found.items() if math.isfinite(value)}
