"""Show one run: what made it, how far it came, its figures and its loss curve in a line of the terminal."""

import os
import shlex
from dataclasses import asdict, dataclass
from typing import Any

from tinystories_lm.config.schema import settings
from tinystories_lm.model.flops import count_parameters
from tinystories_lm.runs.folder import RunFolder, overrides_of
from tinystories_lm.runs.tolerant_reader import TolerantReader
from tinystories_lm.system.console import amount, coloured, duration, plain
from tinystories_lm.system.stdio import escape_controls

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 60  # columns of the curve


@dataclass(frozen=True)
class Shown:
    """What is known of a run; None for what its folder does not tell."""

    run: str
    status: str
    reason: str
    step: int | None
    steps: int | None
    command: str  # that started it
    parameters: int | None
    settings: dict[str, Any]  # all of them, by name
    val_loss: float | None
    best_val_loss: float | None
    best_step: int | None
    tokens: int | None
    train_seconds: float | None
    dollars: float | None
    verdict: str | None
    validation: list[tuple[int, float]]  # step and loss of each evaluation
    problems: list[str]  # what could not be read


def read_shown(run: RunFolder) -> Shown:
    """Return what a run's folder tells; never raises for what it may hold."""
    reader = TolerantReader(run)
    config, status, figures, rows = reader.config(), reader.status(), reader.newest_figures(), reader.metrics()
    parameters = figures.parameters
    if parameters is None and config is not None:
        parameters = count_parameters(config.model, vocab_size=config.data.vocab_size).total
    return Shown(
        run=os.path.relpath(run.path),
        status=str(status.status) if status is not None else "unknown",
        reason=status.reason if status is not None else "",
        step=figures.step,
        steps=config.training.steps if config is not None else None,
        command=shlex.join(["tinystories-lm", "train", *overrides_of(run)]),
        parameters=parameters,
        settings=dict(settings(config)) if config is not None else {},
        val_loss=figures.val_loss,
        best_val_loss=figures.best_val_loss,
        best_step=figures.best_step,
        tokens=figures.tokens,
        train_seconds=figures.train_seconds,
        dollars=figures.dollars,
        verdict=figures.verdict.name if figures.verdict is not None else None,
        validation=[(int(row["progress/step"]), float(row["val/loss"])) for row in rows if "val/loss" in row],
        problems=reader.problems,
    )


def describe(shown: Shown) -> str:
    """Return the run in lines for a person."""
    lines = {
        "run": escape_controls(shown.run),
        "status": f"{coloured(shown.status)}, step {_count(shown.step)} of {_count(shown.steps)}",
        "reason": escape_controls(shown.reason),
        "started by": escape_controls(shown.command),
        "parameters": amount(shown.parameters) if shown.parameters is not None else "",
        "loss": _loss(shown),
        "took": _cost(shown),
        "verdict": coloured(escape_controls(shown.verdict or "")),
        "validation": curve([loss for _, loss in shown.validation]),
        "problems": escape_controls("; ".join(shown.problems)),
    }
    return "\n".join(f"{name:<12} {text}" for name, text in lines.items() if text)


def curve(losses: list[float]) -> str:
    """Return the losses as a line of bars, from the first to the last."""
    if len(losses) < 2:
        return ""
    chosen = [losses[round(place * (len(losses) - 1) / (WIDTH - 1))] for place in range(WIDTH)]
    chosen = losses if len(losses) <= WIDTH else chosen
    low, high = min(losses), max(losses)
    bars = "".join(BARS[round((loss - low) / (high - low or 1.0) * (len(BARS) - 1))] for loss in chosen)
    return f"{bars}  {losses[0]:.3f} → {losses[-1]:.3f}"


def _loss(shown: Shown) -> str:
    if shown.val_loss is None:
        return ""
    best = "" if shown.best_val_loss is None else f"; best {shown.best_val_loss:.4f} at step {_count(shown.best_step)}"
    return f"validation {shown.val_loss:.4f}{best}"


def _cost(shown: Shown) -> str:
    if shown.train_seconds is None or shown.tokens is None:
        return ""
    return f"{duration(shown.train_seconds)}, ${plain(shown.dollars or 0.0)}, {amount(shown.tokens)} tokens"


def _count(number: int | None) -> str:
    return "?" if number is None else f"{number:,}"


def as_record(shown: Shown) -> dict[str, Any]:
    """Return the run as plain values, for programs."""
    return asdict(shown)
