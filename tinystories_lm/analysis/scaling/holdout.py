"""Would the law have been right? The dearest third of the points, foretold from the others."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tinystories_lm.analysis.scaling.fit import Interval, fit
from tinystories_lm.analysis.scaling.observations import Point, sample_of
from tinystories_lm.system.errors import UsageError


class Foretold(NamedTuple):
    point: Point
    loss: float  # as the cheaper points have it
    interval: Interval

    @property
    def relative_error(self) -> float:
        """Above 0 where the law foretold too much."""
        return self.loss / self.point.loss - 1


class Validation(NamedTuple):
    fitted_points: int
    foretold: tuple[Foretold, ...]
    held: Mapping[str, str]  # in this smaller fit
    reason: str  # why there is none

    @property
    def mean_absolute_error(self) -> float:
        """Relative, of the loss as it is."""
        return sum(abs(one.relative_error) for one in self.foretold) / len(self.foretold)


def validate(points: Sequence[Point]) -> Validation:
    """Fit the cheaper points, foretell the dearest third by compute; equal compute is never split.

    points: the cheapest first.
    """
    cut = points[len(points) - math.ceil(len(points) / 3)].flops * (1 - 1e-9)
    cheaper = [point for point in points if point.flops < cut]
    dearer = [point for point in points if point.flops >= cut]
    try:
        found = fit(sample_of(cheaper)) if cheaper else None
    except UsageError:
        found = None
    if found is None:
        return Validation(len(cheaper), (), {}, f"without the dearest third {len(cheaper)} points are left, too few")
    foretold = [
        Foretold(point, found.law.loss(*where), found.loss_interval(*where))
        for point in dearer
        for where in [(point.parameters, point.tokens)]
    ]
    return Validation(len(cheaper), tuple(foretold), found.held, "")
