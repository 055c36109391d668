"""Validate a law: predict the most expensive third of the runs from the others."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tinystories_lm.analysis.scaling.fit import Interval, fit
from tinystories_lm.analysis.scaling.observations import Observation, sample_of
from tinystories_lm.system.errors import UsageError


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
        """Return the mean absolute relative error of the predicted losses."""
        return sum(abs(one.relative_error) for one in self.predicted) / len(self.predicted)


def hold_out(points: Sequence[Observation]) -> Validation:
    """Fit the cheaper runs and predict the most expensive third by compute; runs of equal compute are not separated.

    points: sorted by compute, the cheapest first.
    """
    cut = points[len(points) - math.ceil(len(points) / 3)].flops * (1 - 1e-9)
    cheaper = [point for point in points if point.flops < cut]
    expensive = [point for point in points if point.flops >= cut]
    try:
        found = fit(sample_of(cheaper)) if cheaper else None
    except UsageError:
        found = None
    if found is None:
        return Validation(len(cheaper), (), {}, f"the cheaper two thirds have {len(cheaper)} runs, which is too few")
    predicted = [
        Prediction(point, found.law.loss(*where), found.loss_interval(*where))
        for point in expensive
        for where in [(point.parameters, point.tokens)]
    ]
    return Validation(len(cheaper), tuple(predicted), found.held, "")
