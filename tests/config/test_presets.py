"""The files of conf/: each choice composes, states its purpose, and holds only what differs from the defaults."""

import pytest
import yaml

from tinystories_lm.config.choices import Boundary
from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.config.presets import choices_of, conf_folder
from tinystories_lm.config.schema import Config
from tinystories_lm.model.flops import count_parameters

PRESETS = choices_of("experiment")


def config_of(*overrides: str) -> Config:
    register()
    return compose_config(overrides).config


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_composes_and_is_named_as_its_file(preset: str) -> None:
    assert config_of(f"experiment={preset}").name == preset


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_says_in_its_head_what_to_type_and_holds_no_hydra_keys(preset: str) -> None:
    text = (conf_folder() / "experiment" / f"{preset}.yaml").read_text(encoding="utf-8")
    assert text.startswith("# @package _global_\n")
    assert f"tinystories-lm train experiment={preset}" in text
    assert "\nhydra:" not in text
    assert len([line for line in text.splitlines() if line and not line.startswith("#")]) <= 15


@pytest.mark.parametrize("group", ["model", "data", "optimizer", "schedule", "hardware", "tracking", "sampling"])
def test_every_choice_of_every_group_composes(group: str) -> None:
    for choice in (conf_folder() / group).glob("*.yaml"):
        config_of(f"{group}={choice.stem}")


@pytest.mark.parametrize("group", ["model", "schedule", "hardware"])
def test_a_choice_repeats_no_default(group: str) -> None:
    defaults = yaml.safe_load((conf_folder() / "config.yaml").read_text(encoding="utf-8"))[group]
    for choice in (conf_folder() / group).glob("*.yaml"):
        given = yaml.safe_load(choice.read_text(encoding="utf-8"))
        assert not {key for key, value in given.items() if key in defaults and defaults[key] == value}, choice


@pytest.mark.parametrize(
    ("preset", "model", "steps", "corpus"),
    [("round2", (8, 512, 8), 15_000, "tinystories"), ("round3", (8, 512, 8), 50_000, "tinystories"),
     ("round4", (12, 768, 12), 30_000, "tinystories")],
)  # fmt: skip
def test_the_rounds_carry_the_published_settings(
    preset: str, model: tuple[int, int, int], steps: int, corpus: str
) -> None:
    config = config_of(f"experiment={preset}")
    assert (config.model.n_layers, config.model.d_model, config.model.n_heads) == model
    assert (config.training.steps, config.training.batch_size, config.model.context_tokens) == (steps, 64, 512)
    assert (config.data.name, config.data.vocab_size, config.hardware.name) == (corpus, 4096, "auto")


def test_round1_is_the_28m_model_on_wikitext2() -> None:
    config = config_of("experiment=round1")
    assert (config.model.n_layers, config.model.d_model, config.model.context_tokens) == (8, 512, 512)
    assert (config.data.name, config.data.boundary) == ("wikitext2", Boundary.wikitext)


@pytest.mark.parametrize(("model", "millions"), [("gpt_28m", 28), ("gpt_91m", 91)])
def test_the_models_are_within_five_percent_of_their_names(model: str, millions: int) -> None:
    config = config_of(f"model={model}")
    assert count_parameters(config.model, vocab_size=4096).total == pytest.approx(millions * 1e6, rel=0.05)
