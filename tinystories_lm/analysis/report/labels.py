"""Label runs by what distinguishes them, in an order that follows the labels' values."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tinystories_lm.analysis.report.read_runs import Run, shown
from tinystories_lm.analysis.spread import SEED
from tinystories_lm.config.presets import swept_settings

START_TIME = re.compile(r"^\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d_(?=.)")  # with which a folder's name begins


@dataclass(frozen=True)
class Label:
    """What distinguishes a run from the others of its group.

    text: the settings that were swept, the seed last; elsewhere the folder's name.
    setting: the varied settings without the seed; empty where only the seed was varied.
    values: those of `setting` without their names, for where there is little room.
    order: sorts the runs of a group by these values, numbers by size, the seed last.
    """

    text: str
    setting: str
    values: str
    order: tuple[Any, ...]


def label_runs(runs: Sequence[Run]) -> list[Label]:
    """Return each run's label."""
    labels = [Label(run.folder, "", "", (1, _natural(run.folder))) for run in runs]
    groups: dict[str, list[int]] = {}
    for number, run in enumerate(runs):
        if run.overrides:
            groups.setdefault(run.group, []).append(number)
    for numbers in groups.values():
        varied = swept_settings([_own(runs[number].overrides) for number in numbers])
        keys = sorted(dict.fromkeys(key for swept in varied for key in swept), key=_is_seed)
        for number, swept in zip(numbers, varied, strict=True):
            labels[number] = _label(runs[number], {key: swept[key] for key in keys if key in swept}, keys)
    return labels


def _own(overrides: Sequence[str]) -> list[str]:
    return [override for override in overrides if not override.startswith(("hydra.", "hydra/"))]


def _is_seed(key: str) -> bool:
    return key.lstrip("+") == SEED


def _label(run: Run, swept: Mapping[str, str], keys: Sequence[str]) -> Label:
    words = {key: f"{key.lstrip('+').rpartition('.')[2]}={shown(value)}" for key, value in swept.items()}
    of_setting = [key for key in swept if not _is_seed(key)]
    in_sweep = is_sweep(run.group_name) and bool(words)
    by_value = tuple(_value_order(run, key, swept.get(key)) for key in keys)
    return Label(
        text=" ".join(words.values()) if in_sweep else run.folder,
        setting=" ".join(words[key] for key in of_setting),
        values=" ".join(shown(swept[key]) for key in of_setting),
        order=(0, by_value, _natural(run.folder)) if is_sweep(run.group_name) else (1, _natural(run.folder)),
    )


def is_sweep(group_name: str) -> bool:
    return group_name.startswith("sweep ")


def without_time(folder: str) -> str:
    """Return the name of a run's folder without the time at its start."""
    return START_TIME.sub("", folder)


def _value_order(run: Run, key: str, value: str | None) -> tuple[int, float, tuple[Any, ...]]:
    """Sort numbers by size, models by their parameters, and other words by the numbers in them; no value is first."""
    if value is None:
        return (0, 0.0, ())
    if key.lstrip("+") == "model" and "parameters" in run.figures:
        return (1, run.figures["parameters"], _natural(value))
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    return (1, number, ()) if math.isfinite(number) else (2, 0.0, _natural(value))


def _natural(text: str) -> tuple[Any, ...]:
    """Return a key by which `run-9` comes before `run-10`."""
    parts = re.findall(r"[0-9]{1,18}|[^0-9]+", text)
    return tuple((0, int(part), "") if part[0] in "0123456789" else (1, 0, part) for part in parts)
