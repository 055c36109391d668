"""The published figures of the rounds, as points to draw beside the runs that replay them."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tinystories_lm.report.curves import DOLLARS, SECONDS, STEP, TOKENS, is_finite


@dataclass(frozen=True)
class Published:
    """What was published of a round.

    points: under the names of metrics.jsonl; an axis that was not published is not there.
    perplexity: of the whole round, also where no step was published for it.
    """

    name: str
    points: tuple[dict[str, float], ...]
    perplexity: float | None


def notebook_folder() -> Path:
    """The lab notebook of the checkout; an installed package has none beside it."""
    return Path(__file__).resolve().parent.parent.parent / "experiments"


def read_published(folder: Path) -> dict[str, Published]:
    """Every round by its name; one whose file cannot be read is left out."""
    found = {}
    for path in sorted(folder.glob("*/published.yaml")):
        try:
            figures = yaml.safe_load(path.read_text(encoding="utf-8"))["published"]
            found[path.parent.name] = _published(path.parent.name, figures)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError):
            continue
    return found


def _published(name: str, figures: dict[str, Any]) -> Published:
    perplexity = figures.get("perplexity")
    perplexity = float(perplexity) if is_finite(perplexity) else None
    losses = {int(step): float(loss) for step, loss in (figures.get("validation_loss") or {}).items()}
    steps, batch = figures.get("steps"), figures.get("batch_size")
    if not losses and perplexity and steps:
        losses = {int(steps): math.log(perplexity)}
    context = figures["model"]["context_tokens"]
    points = []
    for step, loss in sorted(losses.items()):
        point = {STEP: float(step), "val/loss": loss, "val/perplexity": math.exp(loss)}
        if batch:
            point[TOKENS] = float(step * batch * context)
        points.append(point)
    if points and perplexity:  # of the end the perplexity, the time and the dollars were published too
        points[-1]["val/perplexity"] = perplexity
        points[-1] |= {
            axis: float(value)
            for axis, value in (
                (SECONDS, figures["wall_clock_minutes"] * 60),
                (DOLLARS, figures["cost_usd"]),
            )
        }
    return Published(name, tuple(points), perplexity)
