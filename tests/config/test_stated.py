"""The values that are read from the files of conf/ are those that Hydra composes."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from tinystories_lm.config.compose import compose_text, register
from tinystories_lm.config.presets import choice_files
from tinystories_lm.config.schema import SETTINGS
from tinystories_lm.config.stated import defaults, groups, setters, stated, values_with
from tinystories_lm.system.errors import UsageError

CHOICES = [f"{group}={choice}" for group in groups() for choice in choice_files(group)]


def composed(*overrides: str, config_dir: str | None = None) -> dict[str, object]:
    register()
    found = OmegaConf.to_container(
        OmegaConf.create(compose_text(overrides, config_dir=config_dir, resolve=False)), resolve=False
    )
    assert isinstance(found, dict)
    flat = dict(found)
    for section, part in found.items():
        if isinstance(part, dict):
            flat |= {f"{section}.{key}": value for key, value in part.items()}
    return {key: flat[key] for key in SETTINGS}


def test_the_defaults_are_those_that_are_composed() -> None:
    assert defaults() == composed()


@pytest.mark.parametrize("choice", [choice for choice in CHOICES if choice.startswith("experiment=")][:3])
def test_a_preset_has_the_values_that_are_composed(choice: str) -> None:
    assert values_with(*choice.split("=")) == composed(choice)


@pytest.mark.slow
@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_has_the_values_that_are_composed(choice: str) -> None:
    assert values_with(*choice.split("=")) == composed(choice)


def test_ones_own_choices_may_be_based_on_others(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "base.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /model: gpt_28m\ntraining:\n  steps: 7\n  seed: 1\n"
    )
    for name, order in (("after", "  - base\n  - _self_\n"), ("before", "  - base\n")):
        text = f"# @package _global_\ndefaults:\n{order}training:\n  steps: 9\n"
        (tmp_path / "experiment" / f"{name}.yaml").write_text(text)
        found = stated("experiment", name, str(tmp_path))
        assert found["model.n_layers"] == 8 and found["training.seed"] == 1
        assert values_with("experiment", name, str(tmp_path)) == composed(
            f"experiment={name}", config_dir=str(tmp_path)
        )
    assert {("experiment=base", 7), ("experiment=after", 9), ("experiment=smoke", 600)} <= set(
        setters("training.steps", str(tmp_path))
    )


def test_a_choice_that_is_selected_takes_the_place_of_the_default_one() -> None:
    found = dict(setters("schedule.final_lr_fraction"))
    assert (found["schedule=cosine"], found["schedule=linear"], found["experiment=speedrun_28m"]) == (0.1, 0.0, 0.0)
    assert "experiment=smoke" not in found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "cannot be read as YAML"),
        ("- 1", "is a list"),
        ("# @package _global_\ndefaults: [bad]", "experiment=bad is based on itself"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "bad.yaml").write_text(text)
    with pytest.raises(UsageError, match=says):
        stated("experiment", "bad", str(tmp_path))
