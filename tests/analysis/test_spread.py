"""A spread is the mean with the sample standard deviation."""

import random
import statistics

import pytest

from tinystories_lm.analysis.spread import Spread, spread


@pytest.mark.parametrize("count", [2, 3, 5, 100])
def test_mean_and_deviation_are_those_of_the_standard_library(count: int) -> None:
    draw = random.Random(count)
    values = [draw.gauss(3, 0.01) for _ in range(count)]
    found = spread(values)
    assert (found.mean, found.count) == (pytest.approx(statistics.fmean(values), rel=1e-14), count)
    assert found.deviation == pytest.approx(statistics.stdev(values), rel=1e-9)


def test_a_single_value_has_no_deviation_and_huge_ones_raise_nothing() -> None:
    assert spread([2.5]) == Spread(2.5, None, 1)
    assert spread([1.7e308, 1.7e308]).mean == float("inf")
