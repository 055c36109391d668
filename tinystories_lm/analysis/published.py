"""A round beside what was published of it: figure by figure, and why they may differ."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import OmegaConf

from tinystories_lm.config.schema import Config
from tinystories_lm.runs.folder import RunFolder, read_config
from tinystories_lm.runs.records import read_metrics, read_record, read_summary
from tinystories_lm.runs.schemas import RunRecord, Summary
from tinystories_lm.system.console import amount, table

PERPLEXITY_TOLERANCE = 0.05  # of the published figure; they are given with two or three digits
LOSS_TOLERANCE = 0.05  # nats
COUNT_TOLERANCE = 0.05
PRICE_TOLERANCE = 0.25  # of minutes and dollars, published with a "~"
PART_OF_THE_CORPUS = 0.9


class Figure(NamedTuple):
    """One published figure and ours; None where a figure is missing."""

    what: str
    published: float | None
    measured: float | None
    tolerance: float  # relative, or absolute for a loss

    @property
    def difference(self) -> float | None:
        if self.published is None or self.measured is None:
            return None
        return self.measured - self.published

    @property
    def within(self) -> bool | None:
        if self.difference is None or self.published is None:
            return None
        scale = 1.0 if self.what.startswith("validation loss") else abs(self.published)
        return abs(self.difference) <= self.tolerance * scale


class Comparison(NamedTuple):
    figures: list[Figure]
    reasons: list[str]  # why they may differ


def read_published(name: str) -> dict[str, Any] | None:
    """What was published of a round, from the lab notebook or the installed package; None for any other name."""
    package = Path(__file__).resolve().parents[1]
    beside = package.parent / "experiments" / name / "published.yaml"
    for file in (beside, package / "published_rounds" / f"{name}.yaml"):
        if file.is_file():
            found = OmegaConf.to_container(OmegaConf.load(file))
            assert isinstance(found, dict)
            published: dict[str, Any] = found["published"]
            return published
    return None


def compare(run: RunFolder) -> Comparison | None:
    """The finished run of a round beside its published figures; None for a run of something else."""
    config = read_config(run)
    published = read_published(config.name)
    if published is None or not run.summary.is_file():
        return None
    measured = figures(published, read_summary(run, whole=True), read_metrics(run))
    return Comparison(measured, reasons(published, config, read_record(run)))


def figures(published: Mapping[str, Any], summary: Summary, rows: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """Every published figure that a run measures as well."""
    losses = {row["progress/step"]: row["val/loss"] for row in rows if "val/loss" in row}
    found = [
        Figure("parameters", published["model"]["parameters"], summary.parameters, COUNT_TOLERANCE),
        Figure("perplexity", published["perplexity"], summary.val_perplexity, PERPLEXITY_TOLERANCE),
    ]
    for step, loss in published.get("validation_loss", {}).items():
        measured = losses.get(step, losses.get(step + 1))  # the published last step is counted from 0
        found.append(Figure(f"validation loss at step {step:,}", loss, measured, LOSS_TOLERANCE))
    minutes = None if summary.train_seconds is None else summary.train_seconds / 60
    found.append(Figure("minutes", published["wall_clock_minutes"], minutes, PRICE_TOLERANCE))
    found.append(Figure("dollars", published["cost_usd"], summary.dollars, PRICE_TOLERANCE))
    return found


def reasons(published: Mapping[str, Any], config: Config, record: RunRecord) -> list[str]:
    """What was otherwise than published, as far as that is known."""
    found = []
    device = record.segments[-1].machine.device_name
    if device not in published["hardware"] and published["hardware"].split()[0] not in device:
        found.append(f"another machine: {device}, published on {published['hardware']}")
    for what, ours in (("steps", config.training.steps), ("batch_size", config.training.batch_size)):
        if published[what] is None:
            found.append(f"training.{what}={ours:,} is ours: it was not published")
        elif published[what] != ours:
            found.append(f"training.{what}={ours:,}, published {published[what]:,}")
    tokens = record.corpus_tokens
    if tokens is not None and tokens < PART_OF_THE_CORPUS * published["corpus_tokens"]:
        found.append(f"a part of the corpus: {amount(tokens)} tokens of about {amount(published['corpus_tokens'])}")
    found.append("learning rate, warm-up and schedule are ours: they were not published")
    return found


def describe(comparison: Comparison) -> str:
    """The table, and below it why the figures may differ."""
    marks = {True: "yes", False: "no", None: ""}
    rows = [
        [
            figure.what,
            _shown(figure.published),
            _shown(figure.measured),
            "" if figure.difference is None else f"{_shown(figure.difference, sign=True)}",
            marks[figure.within],
        ]
        for figure in comparison.figures
    ]
    text = table(["", "published", "measured", "difference", "within tolerance"], rows, right=(1, 2, 3))
    return "\n".join([text, *(f"  may differ by: {reason}" for reason in comparison.reasons)])


def as_record(comparison: Comparison) -> dict[str, Any]:
    return {
        "figures": [
            {**figure._asdict(), "difference": figure.difference, "within": figure.within}
            for figure in comparison.figures
        ],
        "reasons": comparison.reasons,
    }


def _shown(value: float | None, *, sign: bool = False) -> str:
    if value is None:
        return ""
    if abs(value) >= 1e5:
        return f"{'+' if sign and value > 0 else ''}{'-' if value < 0 else ''}{amount(abs(value))}"
    digits = 3 if value and math.fabs(value) < 10 else 1
    return f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"
