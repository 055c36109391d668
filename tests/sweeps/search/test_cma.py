"""CMA-ES without a state of its own."""

import pytest

from tinystories_lm.sweeps.search.cma import from_share, to_share
from tinystories_lm.sweeps.search.space import Range

RANGES = [
    Range("a", 1e-4, 1e-1, is_integer=False, log=True),
    Range("a", -2, 3, is_integer=False),
    Range("a", 1, 8, is_integer=True),
    Range("a", 1, 512, is_integer=True, log=True),
    Range("a", 0.1, 0.7, is_integer=False, step=0.2),
]


@pytest.mark.parametrize("one", RANGES)
def test_a_place_in_a_range_and_its_number_belong_together(one: Range) -> None:
    found = [from_share(one, place / 200) for place in range(201)]
    assert found == sorted(found) and (found[0], found[-1]) == (one.low, pytest.approx(one.high))
    for value in found:
        assert from_share(one, to_share(one, value)) == pytest.approx(value)


def test_whole_numbers_have_equal_parts_of_a_range_and_a_logarithm_equal_factors() -> None:
    counts = [sum(from_share(RANGES[2], (place + 0.5) / 800) == number for place in range(800)) for number in (1, 4, 8)]
    assert counts == [100, 100, 100]
    assert from_share(RANGES[0], 1 / 3) == pytest.approx(1e-3) and to_share(RANGES[0], 1e-2) == pytest.approx(2 / 3)
