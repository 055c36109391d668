"""Compare a round with its published figures, and list why they may differ."""

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

PERPLEXITY_TOLERANCE = 0.05  # relative; the published figures have two or three digits
LOSS_TOLERANCE = 0.05  # nats
COUNT_TOLERANCE = 0.05  # relative, of the number of parameters
PRICE_TOLERANCE = 0.25  # relative, of minutes and dollars, which were published with a "~"
WHOLE_CORPUS_SHARE = 0.9  # with a smaller share of the published tokens the corpus is called partial


class ComparedFigure(NamedTuple):
    """A published number and the one that the run measured; None where one is missing."""

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
    figures: list[ComparedFigure]
    reasons: list[str]  # why they may differ


def read_published(name: str) -> dict[str, Any] | None:
    """Read the published figures of a round from experiments/ or the installed package; None for other names."""
    package = Path(__file__).resolve().parents[1]
    in_checkout = package.parent / "experiments" / name / "published.yaml"
    for file in (in_checkout, package / "published_rounds" / f"{name}.yaml"):
        if file.is_file():
            found = OmegaConf.to_container(OmegaConf.load(file))
            assert isinstance(found, dict)
            published: dict[str, Any] = found["published"]
            return published
    return None


def compare(run: RunFolder) -> Comparison | None:
    """Compare a finished run of a round with its published figures; None for any other run."""
    config = read_config(run)
    published = read_published(config.name)
    if published is None or not run.summary.is_file():
        return None
    measured = pair_figures(published, read_summary(run, whole=True), read_metrics(run))
    return Comparison(measured, list_differences(published, config, read_record(run)))


def pair_figures(
    published: Mapping[str, Any], summary: Summary, rows: Sequence[Mapping[str, Any]]
) -> list[ComparedFigure]:
    """Pair every published figure with the one that the run measured."""
    losses = {row["progress/step"]: row["val/loss"] for row in rows if "val/loss" in row}
    found = [
        ComparedFigure("parameters", published["model"]["parameters"], summary.parameters, COUNT_TOLERANCE),
        ComparedFigure("perplexity", published["perplexity"], summary.val_perplexity, PERPLEXITY_TOLERANCE),
    ]
    for step, loss in published.get("validation_loss", {}).items():
        measured = losses.get(step, losses.get(step + 1))  # the published steps are counted from 0
        found.append(ComparedFigure(f"validation loss at step {step:,}", loss, measured, LOSS_TOLERANCE))
    minutes = None if summary.train_seconds is None else summary.train_seconds / 60
    found.append(ComparedFigure("minutes", published["wall_clock_minutes"], minutes, PRICE_TOLERANCE))
    found.append(ComparedFigure("dollars", published["cost_usd"], summary.dollars, PRICE_TOLERANCE))
    return found


def list_differences(published: Mapping[str, Any], config: Config, record: RunRecord) -> list[str]:
    """List the known differences from the published set-up."""
    found = []
    device = record.segments[-1].machine.device_name
    if device not in published["hardware"] and published["hardware"].split()[0] not in device:
        found.append(f"the machine differs: this run used {device}, the published one {published['hardware']}")
    for what, ours in (("steps", config.training.steps), ("batch_size", config.training.batch_size)):
        if published[what] is None:
            found.append(f"training.{what}={ours:,} is this project's choice, because it was not published")
        elif published[what] != ours:
            found.append(f"training.{what}={ours:,}, published {published[what]:,}")
    tokens = record.corpus_tokens
    if tokens is not None and tokens < WHOLE_CORPUS_SHARE * published["corpus_tokens"]:
        found.append(f"the corpus is partial: {amount(tokens)} tokens of about {amount(published['corpus_tokens'])}")
    found.append("learning rate, warm-up and schedule are this project's choice, because they were not published")
    return found


def describe(comparison: Comparison) -> str:
    marks = {True: "yes", False: "no", None: ""}
    rows = [
        [
            figure.what,
            _format(figure.published),
            _format(figure.measured),
            _format(figure.difference, sign=True),
            marks[figure.within],
        ]
        for figure in comparison.figures
    ]
    text = table(["", "published", "measured", "difference", "within tolerance"], rows, right=(1, 2, 3))
    return "\n".join([text, *(f"  possible reason: {reason}" for reason in comparison.reasons)])


def _format(value: float | None, *, sign: bool = False) -> str:
    if value is None:
        return ""
    if abs(value) >= 1e5:
        return f"{'+' if sign and value > 0 else ''}{'-' if value < 0 else ''}{amount(abs(value))}"
    digits = 3 if value and math.fabs(value) < 10 else 1
    return f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"
