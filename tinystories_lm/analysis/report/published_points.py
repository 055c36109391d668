"""Convert the published figures of a round to points for the charts."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tinystories_lm.analysis.published import read_published
from tinystories_lm.analysis.report.curves import DOLLARS, FLOPS, SECONDS, STEP, TOKENS
from tinystories_lm.analysis.report.read_runs import Run
from tinystories_lm.model.flops import training_flops


def published_rounds(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Return the published rounds that the runs replay, each with its points and final perplexity.

    The keys of a point are those of metrics.jsonl. A value that was not published and does not follow
    from published ones is absent.
    """
    found = []
    for config in {run.config.name: run.config for run in runs if run.config is not None}.values():
        figures = read_published(config.name)
        if figures is not None:
            flops_per_token = training_flops(config.model, vocab_size=config.data.vocab_size).total
            points = published_points(figures, flops_per_token=flops_per_token)
            found.append({"name": config.name, "points": points, "perplexity": figures.get("perplexity")})
    return found


def published_points(figures: Mapping[str, Any], *, flops_per_token: float) -> list[dict[str, float]]:
    """Return one point per published validation loss, or the last step alone where none was published.

    Perplexity is exp(loss), except at the last point, which has the published perplexity, time and dollars.
    """
    perplexity, steps, batch = figures.get("perplexity"), figures.get("steps"), figures.get("batch_size")
    losses: dict[int, float] = dict(figures.get("validation_loss") or {})
    if not losses and perplexity and steps:
        losses = {steps: math.log(perplexity)}
    context = figures.get("model", {}).get("context_tokens")
    points = []
    for step, loss in sorted(losses.items()):
        point: dict[str, float] = {STEP: step, "val/loss": loss, "val/perplexity": math.exp(loss)}
        if batch and context:
            point |= {TOKENS: step * batch * context, FLOPS: step * batch * context * flops_per_token}
        points.append(point)
    if points:
        final_values = {
            "val/perplexity": perplexity,
            SECONDS: figures["wall_clock_minutes"] * 60 if "wall_clock_minutes" in figures else None,
            DOLLARS: figures.get("cost_usd"),
        }
        points[-1] |= {name: value for name, value in final_values.items() if value is not None}
    return points
