"""How far a fitted law can be trusted: held-out runs are predicted, and what the runs leave undetermined is listed."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tinystories_lm.analysis.scaling.fit import LARGEST_EXPONENT, Fit, Interval, Sample, fit
from tinystories_lm.analysis.scaling.law import SMALLEST_EXPONENT
from tinystories_lm.analysis.scaling.observations import Observation, sample_of
from tinystories_lm.system.errors import UsageError

NARROW_SPAN = 4.0  # ratio of the largest to the smallest, below which an exponent is poorly determined
ALIGNED = 0.95  # correlation of log N and log D
LARGE_SCATTER = 0.05  # relative, of the loss


class Prediction(NamedTuple):
    """A held-out run and its predicted loss."""

    point: Observation
    loss: float  # predicted from the cheaper runs
    interval: Interval

    @property
    def relative_error(self) -> float:
        """Return the relative error; above 0 where the prediction is too high."""
        return self.loss / self.point.loss - 1


class Validation(NamedTuple):
    """The predictions of the held-out runs, or the reason why there are none."""

    fitted_points: int
    predicted: tuple[Prediction, ...]
    held: Mapping[str, str]  # fixed in the smaller fit
    reason: str  # why nothing was held out

    @property
    def mean_absolute_error(self) -> float:
        return sum(abs(one.relative_error) for one in self.predicted) / len(self.predicted)


def hold_out(points: Sequence[Observation]) -> Validation:
    """Fit the cheaper runs and predict the most expensive third by compute; runs of equal compute are not separated.

    points: sorted by compute, the cheapest first.
    """
    cut = points[len(points) - math.ceil(len(points) / 3)].flops * (1 - 1e-9)
    cheaper = [point for point in points if point.flops < cut]
    expensive = [point for point in points if point.flops >= cut]
    try:
        found = fit(sample_of(cheaper))
    except UsageError:
        return Validation(len(cheaper), (), {}, f"the cheaper two thirds have {len(cheaper)} runs, which is too few")
    predicted = [
        Prediction(point, found.law.loss(*where), found.loss_interval(*where))
        for point in expensive
        for where in [(point.parameters, point.tokens)]
    ]
    return Validation(len(cheaper), tuple(predicted), found.held, "")


def caveats(found: Fit, sample: Sample) -> list[str]:
    """Return one line for each thing that the fit leaves undetermined."""
    return [
        *_held_parameters(found),
        *_spans(found, sample),
        *_irreducible_loss(found, sample),
        *_exponent(found, "alpha", "size"),
        *_exponent(found, "beta", "tokens"),
        *_scatter(found),
    ]


def _held_parameters(found: Fit) -> list[str]:
    exponents = [name for name in ("alpha", "beta") if name in found.held and getattr(found.law, name[0].upper())]
    lines = [f"{name} is held fixed: {found.held[name]}" for name in ("alpha", "beta") if name in found.held]
    if exponents:
        lines.append(
            f"the intervals leave out the uncertainty of {' and '.join(exponents)}, which differs between corpora"
        )
    return lines


def _spans(found: Fit, sample: Sample) -> list[str]:
    lines = []
    for values, what in ((sample.parameters, "sizes"), (sample.tokens, "token counts")):
        span = max(values) / min(values)
        if 1.01 < span < NARROW_SPAN:
            lines.append(f"the {what} span only {span:.1f}x: a range a few times wider would determine their exponent")
    if found.law.A and found.law.B:  # neither size nor tokens is constant
        logs = ([math.log(value) for value in values] for values in (sample.parameters, sample.tokens))
        if abs(statistics.correlation(*logs)) > ALIGNED:
            lines.append("size and tokens rise together in these runs, so their effects cannot be separated")
    return lines


def _irreducible_loss(found: Fit, sample: Sample) -> list[str]:
    low, high = found.interval("E")
    best = min(sample.losses)
    if 0.02 * best > found.law.E:
        return ["E, the irreducible loss, is fitted as 0: the losses do not flatten yet, so it is unknown"]
    if high - low > 0.5 * found.law.E:
        return [f"E, the irreducible loss, is poorly determined: anything from {low:.2f} to {high:.2f} fits"]
    return []


def _exponent(found: Fit, name: str, what: str) -> list[str]:
    if name in found.held:
        return []
    value, (low, high) = getattr(found.law, name), found.interval(name)
    if value < SMALLEST_EXPONENT:
        return [f"{name} is 0: more {what} did not lower the loss of these runs, so no size is the best to buy"]
    if value > 0.99 * LARGEST_EXPONENT:
        return [f"{name} is at the largest value searched ({LARGEST_EXPONENT:g}): it and its term are not identified"]
    if high - low > 0.75 * value:
        return [f"{name} is poorly determined: anything from {low:.2f} to {high:.2f} fits, and its factor with it"]
    return []


def _scatter(found: Fit) -> list[str]:
    scatter = math.sqrt(statistics.fmean(x * x for x in found.log_residuals))
    if scatter < LARGE_SCATTER:
        return []
    return [f"the runs lie {scatter:.0%} off the law: something other than size and tokens affects their loss"]
