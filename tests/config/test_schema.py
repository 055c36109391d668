"""The schema: every setting is typed, described and set once."""

import dataclasses

import pytest

from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.config.fields import Effect
from tinystories_lm.config.schema import SETTINGS, Config, settings, values_of_older_runs


def config() -> Config:
    register()
    return compose_config([]).config


def test_a_config_is_set_once() -> None:
    with pytest.raises(AttributeError, match="already set"):
        config().training.steps = 5


def test_settings_has_every_field_of_every_section_once() -> None:
    made = config()
    found = settings(made)
    sections = [section.name for section in dataclasses.fields(Config) if section.name != "name"]
    assert found["name"] == "run"
    for section in sections:
        assert vars(getattr(made, section)) == {
            name.partition(".")[2]: value for name, value in found.items() if name.startswith(f"{section}.")
        }
    assert len(found) == 1 + sum(len(dataclasses.fields(getattr(made, section))) for section in sections)


def test_a_field_declares_its_effect_or_has_that_of_its_section() -> None:
    assert SETTINGS["optimizer.lr"].effect is Effect.changes_numbers
    assert SETTINGS["hardware.threads"].effect is Effect.changes_rounding
    assert SETTINGS["training.keep_checkpoints"].effect is Effect.changes_nothing
    assert SETTINGS["tracking.artifacts"].effect is Effect.changes_nothing, "declared for the section"
    assert SETTINGS["optimizer.kind"].effect is Effect.changes_numbers, "later settings too"


def test_what_older_runs_meant_are_values_of_the_settings_types() -> None:
    made = config()
    for section, values in values_of_older_runs().items():
        dataclasses.replace(getattr(made, section), **values)  # checks the rules
        for key, value in values.items():
            assert isinstance(value, type(getattr(getattr(made, section), key))) or value == 0, f"{section}.{key}"


def test_the_widest_rate_follows_the_root_of_the_width() -> None:
    optimizer = dataclasses.replace(config().optimizer, lr=8e-3, tuned_at_width=128)
    assert optimizer.peak_lr(512) == pytest.approx(4e-3)
    assert dataclasses.replace(optimizer, tuned_at_width=0).peak_lr(512) == 8e-3
