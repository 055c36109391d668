"""Ranges of a search, as Hydra's grammar has them."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from tinystories_lm.sweeps.search.space import Choices, Dimension, Range, Space, read_space
from tinystories_lm.system.errors import UsageError


def space(*words: str) -> Space:
    return read_space(OverridesParser.create().parse_overrides(list(words)))


@pytest.mark.parametrize(
    ("word", "dimension"),
    [
        ("a.b=interval(1e-4,1e-2)", Range("a.b", 1e-4, 1e-2, is_integer=False)),
        ("a.b=interval(1,8)", Range("a.b", 1, 8, is_integer=False)),
        ("a.b=tag(log,interval(1e-4,1e-2))", Range("a.b", 1e-4, 1e-2, is_integer=False, log=True)),
        ("a.b=int(interval(1,8))", Range("a.b", 1, 8, is_integer=True)),
        ("a.b=tag(log,int(interval(1,8)))", Range("a.b", 1, 8, is_integer=True, log=True)),
        ("training.warmup_steps=interval(0,80)", Range("training.warmup_steps", 0, 80, is_integer=True)),
        ("a.b=range(1,10,3)", Range("a.b", 1, 7, is_integer=True, step=3)),
        ("a.b=range(0.0,0.3,0.1)", Range("a.b", 0.0, 0.2, is_integer=False, step=0.1)),
        ("optimizer=choice(adamw,muon)", Choices("optimizer", ("adamw", "muon"))),
        ("+a=1,2,x", Choices("+a", ("1", "2", "x"))),
        ("a='x y','z'", Choices("a", ("'x y'", "'z'"))),
    ],
)
def test_each_form_of_hydra_is_a_range(word: str, dimension: Dimension) -> None:
    (found,) = space(word).dimensions
    assert found == dimension or (
        isinstance(found, Range) and isinstance(dimension, Range) and found.high == pytest.approx(dimension.high)
    )


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("a=3", "nothing to search"),
        ("a=interval(2,1)", "must be above"),
        ("a=tag(log,interval(0,1))", "above 0"),
        ("a=tag(log,choice(1,2))", "log needs an interval"),
        ("a=tag(log,range(1,9))", "tag(log,interval(LOW,HIGH))"),
        ("a=tag(soon,interval(1,2))", "the tag soon"),
        ("a=shuffle(1,2,3)", "remove shuffle"),
        ("a=choice(1)", "one value"),
        ("a=range(1,2)", "fewer than two"),
        ("training.warmup_steps=interval(0,0.5)", "is an integer"),
        ("hydra.sweep.dir=a,b", "not Hydra's own"),
    ],
)
def test_what_cannot_be_searched_is_one_line_with_a_way_out(word: str, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("(", r"\(").replace(")", r"\)")):
        space(word)


def test_the_last_form_of_a_setting_counts_and_the_rest_is_shared() -> None:
    found = space("lr=interval(1,2)", "seed=1", "lr=interval(3,4)", "decay=interval(0,1)", "decay=0.1")
    assert found.dimensions == (Range("lr", 3, 4, is_integer=False),)
    assert found.overrides({"lr": "3.5"}) == ["seed=1", "decay=0.1", "lr=3.5"]


@pytest.mark.parametrize("value", [1e-4, 3.1415926e-3, 0.0099999999, 1e-2])
def test_a_drawn_number_is_short_and_stays_within_the_range(value: float) -> None:
    (dimension,) = space("a=interval(1e-4,0.01)").dimensions
    assert isinstance(dimension, Range)
    text = dimension.text(value)
    assert 1e-4 <= float(text) <= 0.01 and float(text) == pytest.approx(value, rel=1e-4)
    assert len(text.strip("0.")) <= 8


def test_a_number_on_a_grid_stays_on_it() -> None:
    (dimension,) = space("a=range(0.123456,0.9,0.1)").dimensions
    assert isinstance(dimension, Range) and dimension.text(0.223456) == "0.223456"
