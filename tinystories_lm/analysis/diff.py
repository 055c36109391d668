"""Compare two runs: what was set, what they were trained with, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tinystories_lm.config.schema import settings
from tinystories_lm.runs.conditions import compare_conditions
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.lookup import short_name
from tinystories_lm.runs.schemas import MetricsRow, Summary
from tinystories_lm.runs.tolerant_reader import TolerantReader
from tinystories_lm.system.console import amount, duration, table
from tinystories_lm.system.stdio import escape_controls

LOSSES = ("train/loss", "val/loss")
FIGURES: dict[str, Callable[[float], str]] = {
    "parameters": amount,
    "step": "{:,.0f}".format,
    "tokens": amount,
    "val_loss": "{:.4f}".format,
    "val_perplexity": "{:.2f}".format,
    "best_val_loss": "{:.4f}".format,
    "train_seconds": duration,
    "dollars": "${:.2f}".format,
}


@dataclass(frozen=True)
class Difference:
    """What differs between two runs; of a pair, the first value is the first run's."""

    runs: tuple[str, str]
    settings: dict[str, tuple[Any, Any]]
    conditions: list[str]  # versions, machine and text, a line each
    figures: dict[str, tuple[float | None, float | None]]  # the newest of each run, equal or not
    same_losses: int  # steps with equal losses before the first that differs
    first_step: int | None  # the first step in both whose loss differs; None where there is none
    problems: list[str]  # what could not be read


def compare(first: RunFolder, second: RunFolder) -> Difference:
    """Return how two runs differ, as far as their folders can be read."""
    readers = TolerantReader(first), TolerantReader(second)
    configs = [reader.config() for reader in readers]
    chosen = [settings(config) if config is not None else {} for config in configs]
    both = [name for name in chosen[0] if name in chosen[1]]
    one, other = (reader.record() for reader in readers)
    figures = [reader.newest_figures() for reader in readers]
    equal, parting = _parting(readers[0].metrics(), readers[1].metrics())
    return Difference(
        runs=(short_name(first), short_name(second)),
        settings={name: (chosen[0][name], chosen[1][name]) for name in both if chosen[0][name] != chosen[1][name]},
        conditions=compare_conditions(one, other) if one is not None and other is not None else [],
        figures={name: (_figure(figures[0], name), _figure(figures[1], name)) for name in FIGURES},
        same_losses=equal,
        first_step=parting,
        problems=[f"{reader.run.path}: {problem}" for reader in readers for problem in reader.problems],
    )


def _figure(figures: Summary, name: str) -> float | None:
    found = getattr(figures, name)
    return None if found is None else float(found)


def _parting(first: list[MetricsRow], second: list[MetricsRow]) -> tuple[int, int | None]:
    """Return how many steps have equal losses, and the first step in both whose loss differs."""
    before, after = _losses(first), _losses(second)
    equal = 0
    for step in sorted(before.keys() & after.keys()):
        if any(before[step][name] != after[step][name] for name in before[step].keys() & after[step].keys()):
            return equal, step
        equal += 1
    return equal, None


def _losses(rows: list[MetricsRow]) -> dict[int, dict[str, float]]:
    found: dict[int, dict[str, float]] = {}
    for row in rows:
        losses = {name: float(row[name]) for name in LOSSES if name in row}
        found.setdefault(int(row["progress/step"]), {}).update(losses)
    return found


def describe(found: Difference) -> str:
    """Return the difference in lines for a person."""
    rows = [[name, *map(str, pair)] for name, pair in found.settings.items()]
    rows += [[name.replace("_", " "), *_figures(name, pair)] for name, pair in found.figures.items() if any(pair)]
    parts = [table(["", *found.runs], [[*map(escape_controls, row)] for row in rows], right=(1, 2))]
    if found.first_step is not None:
        before = f"; they are equal at the {found.same_losses} steps before" if found.same_losses else ""
        parts.append(f"losses differ from step {found.first_step:,} on{before}")
    elif found.same_losses:
        parts.append(f"losses are equal at all {found.same_losses} steps that both runs logged")
    for title, lines in (("first run, second run:", found.conditions), ("could not be read:", found.problems)):
        if lines:
            parts.append("\n".join([title, *(f"  {escape_controls(line)}" for line in lines)]))
    return "\n\n".join(parts)


def _figures(name: str, pair: tuple[float | None, float | None]) -> list[str]:
    return ["" if value is None else FIGURES[name](value) for value in pair]
