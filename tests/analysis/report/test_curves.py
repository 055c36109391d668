"""Thinning keeps what stands out; the page's columns hold the values of the rows."""

import json
import math
import random
from typing import Any

import pytest

from tests.analysis.report.runs import rows_of
from tinystories_lm.analysis.report.curves import AXES, TRAINING, VALIDATION, encode, short, thin


@pytest.mark.parametrize("count", [0, 1, 5, 599, 600, 601, 5000, 12345])
@pytest.mark.parametrize("limit", [4, 60, 600])
def test_thinning_keeps_ends_and_extremes_within_its_limit(count: int, limit: int) -> None:
    values = [random.Random(count).gauss(0, 1) for _ in range(count)]
    kept = thin(values, limit)
    assert kept == sorted(set(kept)) and len(kept) <= limit
    if count <= limit:
        assert kept == list(range(count))
    else:
        assert {0, count - 1, values.index(min(values)), values.index(max(values))} <= set(kept)


def test_a_single_spike_of_a_long_curve_survives() -> None:
    for place in range(1, 9999, 371):
        values = [1.0] * 10_000
        values[place] = 7.0
        assert place in thin(values, 100)


def test_a_thinned_curve_has_the_envelope_of_the_whole() -> None:
    """Over any window of a few stretches the extremes kept are about those of all."""
    values = [math.sin(number / 300) + (number % 2) * 0.2 for number in range(20_000)]
    kept = thin(values, 600)
    for start in range(0, 19_000, 500):
        window = values[start : start + 500]
        seen = [values[place] for place in kept if start <= place < start + 500]
        assert max(seen) == pytest.approx(max(window), abs=0.25) and min(seen) == pytest.approx(min(window), abs=0.25)


def decode(table: dict[str, Any], name: str) -> list[float | None]:
    column = table[name]
    if isinstance(column, list):
        return column
    return [None if value is None else value * column["times"] for value in decode(table, column["of"])]


def test_columns_say_what_the_rows_say() -> None:
    rows = rows_of(400)
    for names in (TRAINING, VALIDATION):
        table = json.loads(json.dumps(encode(rows, names, limit=600)))
        whole = [row for row in rows if names[0] in row]
        for name in (*AXES, *names):
            assert decode(table, name) == pytest.approx([row[name] for row in whole], rel=1e-5)


def test_what_is_a_multiple_is_stored_as_one_number() -> None:
    table = encode(rows_of(400), TRAINING, limit=600)
    assert table["progress/tokens"] == {"of": "progress/step", "times": 1024}
    assert isinstance(table["time/train_seconds"], list)  # a start-up of one second stands before the first step


def test_a_price_that_changed_on_the_way_is_kept() -> None:
    rows = rows_of(400)
    for row in rows[20:]:
        row["cost/usd"] += 5.0
    table = encode(rows, TRAINING, limit=600)
    assert decode(table, "cost/usd") == pytest.approx(
        [row["cost/usd"] for row in rows if "train/loss" in row], rel=1e-5
    )


@pytest.mark.parametrize("value", [0.0, 1, 123456789, 1.23456789, 1e-9, 5.5e17, -3.14159265, 2.0])
def test_short_numbers_are_right_to_six_digits(value: float) -> None:
    assert short(value) == pytest.approx(value, rel=1e-5)
    assert len(json.dumps(short(value))) <= 12
