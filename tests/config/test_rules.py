"""The ranges that are read from the schema's source are those that it enforces: values are tried on both sides."""

import dataclasses
import operator
from typing import Any

import pytest

from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.config.reference import reference
from tinystories_lm.config.rules import Bound, rules_of
from tinystories_lm.config.schema import Config

BOUNDED = [key for key, setting in reference().items() if setting.rules.lower or setting.rules.upper]


@pytest.fixture(scope="module")
def config() -> Config:
    register()
    return compose_config([]).config


def refusal(config: Config, key: str, value: Any) -> str:
    """Return why the schema refuses a value of this setting; empty where it does not, or for another setting."""
    section, _, name = key.rpartition(".")
    try:
        dataclasses.replace(operator.attrgetter(section)(config), **{name: value})
    except ValueError as error:
        return str(error) if str(error).startswith(f"{key}=") else ""
    return ""


def number(config: Config, bound: Bound) -> float:
    value = operator.attrgetter(bound.value)(config) if isinstance(bound.value, str) else bound.value
    return float(value) if isinstance(value, float) else int(value)


@pytest.mark.parametrize("key", BOUNDED)
def test_a_value_is_refused_exactly_outside_its_range(key: str, config: Config) -> None:
    setting, whole = reference()[key], reference()[key].type == "integer"
    for bound, outwards in ((setting.rules.lower, -1), (setting.rules.upper, 1)):
        if bound is None:
            continue
        at = number(config, bound)
        step = 1 if whole else max(abs(at) * 1e-6, 1e-13)
        assert ("must" in refusal(config, key, at)) is not bound.is_inside, key
        assert "must" in refusal(config, key, at + outwards * step), key
        assert "must" not in refusal(config, key, at - outwards * step), key


def test_a_setting_without_a_range_takes_any_number(config: Config) -> None:
    numbers = [key for key, setting in reference().items() if setting.type in ("integer", "number")]
    free = [key for key in numbers if key not in BOUNDED and not reference()[key].rules.only]
    for key in free:
        assert not any("must" in refusal(config, key, value) for value in (-1e30, -1, 0, 1, 1e30)), key
    for key in set(numbers) & set(BOUNDED):
        if reference()[key].rules.upper is None:
            assert "must" not in refusal(config, key, 10**15), key


def test_what_is_no_range_is_read_too(config: Config) -> None:
    assert reference()["data.version"].words == ("1", "2")
    assert refusal(config, "data.version", 3) and not refusal(config, "data.version", 1)
    assert reference()["hardware.residual"].words == ("float32", "bfloat16")
    assert "residual=auto is not offered" in refusal(config, "hardware.residual", type(config.hardware.residual).auto)
    assert rules_of("ModelConfig")["d_model"].others == ("is not a multiple of 2 × model.n_heads",)
    assert rules_of("TrackingConfig")["group"].others == ("must have at most 128 characters",)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("model.context_tokens", "1 to 1,048,576"),
        ("optimizer.lr", "above 0, below 10"),
        ("training.warmup_steps", "0 to training.steps"),
        ("training.seed", "at least 0, below 2^63"),
        ("data.version", "1 or 2"),
        ("verdict.flat_nats", "above 0, at most verdict.steep_nats"),
        ("model.qk_norm", ""),
    ],
)
def test_a_range_is_said_in_words(key: str, words: str) -> None:
    assert reference()[key].rules.describe_range() == words
