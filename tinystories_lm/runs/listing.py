"""List the runs, so that nobody needs to know a folder's name."""

import contextlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tinystories_lm.config.choices import RunOrder
from tinystories_lm.model.flops import count_parameters
from tinystories_lm.runs.folder import OUTPUTS, RunFolder, overrides_of
from tinystories_lm.runs.lookup import nothing_yet, runs_below
from tinystories_lm.runs.status import updated_seconds
from tinystories_lm.runs.tolerant_reader import TolerantReader
from tinystories_lm.system.console import amount, coloured, table
from tinystories_lm.system.stdio import escape_controls


@dataclass(frozen=True)
class Listed:
    """One run as far as its folder can be read; None for what cannot be."""

    run: str  # its folder, as the other commands take it
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


def list_runs(words: Sequence[str] = (), *, sort: RunOrder = RunOrder.age, outputs: Path = OUTPUTS) -> list[Listed]:
    """Return the runs below outputs/ whose folder, name, status, verdict or overrides contain every word.

    Raises UsageError where there are no runs at all.
    """
    found = []
    for run in runs_below(outputs):
        with contextlib.suppress(FileNotFoundError):  # it was removed just now
            found.append(_listed(run))
    if not found:
        raise nothing_yet(outputs)
    kept = [one for one in found if all(_matches(one, word.lower()) for word in words)]
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


def _matches(one: Listed, word: str) -> bool:
    return any(word in str(text).lower() for text in (one.run, one.name, one.status, one.verdict, *one.overrides))


def _listed(run: RunFolder) -> Listed:
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
        overrides=overrides_of(run),
    )


def describe(runs: Sequence[Listed]) -> str:
    """Return the runs as a table."""
    rows = [
        [
            escape_controls(one.run),
            coloured(one.status),
            coloured(escape_controls(one.verdict or "")),
            "" if one.parameters is None else amount(one.parameters),
            f"{one.step if one.step is not None else '?'}/{one.steps or '?'}",
            "" if one.loss is None else f"{one.loss:.3f}",
            "" if one.perplexity is None else f"{one.perplexity:.2f}",
            "" if one.dollars is None else f"${one.dollars:.2f}",
            _age(one.age_seconds),
        ]
        for one in runs
    ]
    header = ["run", "status", "verdict", "size", "steps", "loss", "perplexity", "dollars", "age"]
    return table(header, rows, right=range(3, 9))


def _age(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"
