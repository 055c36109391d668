"""Summarise a figure over runs that differ in their seed alone: mean and sample standard deviation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

SEED = "training.seed"


@dataclass(frozen=True)
class Spread:
    """A mean of `count` values and their sample standard deviation (n - 1), which a single value does not have."""

    mean: float
    deviation: float | None
    count: int


def spread(values: Sequence[float]) -> Spread:
    """Return mean and deviation of at least one finite value; they are infinite or NaN where they overflow."""
    mean = sum(values) / len(values)
    if len(values) == 1:
        return Spread(mean, None, 1)
    squares = sum((value - mean) * (value - mean) for value in values)
    return Spread(mean, math.sqrt(squares / (len(values) - 1)), len(values))
