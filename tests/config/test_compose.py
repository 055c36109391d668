"""Composition: what wins over what, sweeps, and a user's own folder."""

import logging
from pathlib import Path

import pytest
from omegaconf import read_write

from tinystories_lm.config.choices import DecayShape, Source
from tinystories_lm.config.compose import (
    ComposedJob,
    compose_config,
    compose_text,
    expand_sweep,
    hardware_choices,
    priced_hardware,
    register,
)
from tinystories_lm.config.fingerprint import config_hash
from tinystories_lm.config.presets import choices_of, conf_folder, swept_settings


def expanded(overrides: list[str], config_dir: Path | None = None) -> list[list[str]]:
    """Return the overrides of each job of a sweep."""
    register()
    return expand_sweep(overrides, config_dir=None if config_dir is None else str(config_dir))


def composed(*overrides: str) -> ComposedJob:
    register()
    return compose_config(overrides)


def test_a_command_line_override_wins_over_a_preset() -> None:
    config = composed("experiment=round2", "training.steps=77", "schedule=wsd", "data=stories").config
    assert (config.training.steps, config.schedule.decay_shape) == (77, DecayShape.linear)
    assert (config.data.source, config.training.batch_size) == (Source.grammar, 64)
    assert config.training.warmup_steps == 3, "a share of the steps, unless it is given"


def test_a_sweep_is_the_product_of_its_choices() -> None:
    assert expanded(["experiment=glob(round*)"]) == [[f"experiment=round{number}"] for number in (1, 2, 3, 4)]
    jobs = expanded(["model=tiny,gpt_28m", "training.seed=range(3)", "training.steps=5"])
    assert len(jobs) == 6
    assert jobs[0] == ["model=tiny", "training.seed=0", "training.steps=5"]
    register()
    assert len({config_hash(compose_config(job).config) for job in jobs}) == 6


def test_a_preset_lists_values_of_its_own_that_the_command_line_overrides(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    lists = "hydra:\n  sweeper:\n    params:\n      training.seed: 0,1\n      model: tiny\n"
    (tmp_path / "experiment" / "mine.yaml").write_text(f"# @package _global_\nname: mine\n{lists}")
    jobs = expanded(["experiment=mine"], tmp_path)
    assert jobs == [[f"training.seed={seed}", "model=tiny", "experiment=mine"] for seed in (0, 1)]
    assert [job[0] for job in expanded(["experiment=mine", "training.seed=5"], tmp_path)] == ["training.seed=5"]


@pytest.mark.parametrize(
    ("launcher", "remote"),
    [
        ("hydra._internal.core_plugins.basic_launcher.BasicLauncher", False),
        ("hydra_plugins.tinystories_lm.ProcessesLauncher", False),
        ("hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher", False),
        ("hydra_plugins.hydra_submitit_launcher.submitit_launcher.LocalLauncher", False),
        ("hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher", True),
        ("hydra_plugins.hydra_rq_launcher.rq_launcher.RQLauncher", True),
    ],
)
def test_a_launcher_that_nobody_knows_may_send_jobs_away(launcher: str, remote: bool) -> None:
    job = composed()
    with read_write(job.composed):
        job.composed.hydra.launcher._target_ = launcher
    assert job.remote is remote


def test_two_compositions_do_not_touch_each_other() -> None:
    first = composed("model=gpt_28m", "training.seed=3").config
    second = composed().config
    assert (first.model.d_model, first.training.seed) == (512, 3)
    assert (second.model.d_model, second.training.seed) == (192, 0)


def test_a_users_own_preset_folder_is_searched(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# @package _global_\nname: mine\ntraining:\n  steps: 3\n")
    register()
    assert compose_config(["experiment=mine"], config_dir=str(tmp_path)).config.training.steps == 3


def test_the_text_of_a_config_is_what_it_composes_to() -> None:
    register()
    text = compose_text(["training.steps=60"], resolve=True)
    assert "  warmup_steps: 3\n" in text and "hydra" not in text
    assert "  warmup_steps: ${share:0.05,${training.steps}}\n" in compose_text(["training.steps=60"], resolve=False)


def test_the_hardware_choices_are_those_that_compose() -> None:
    assert [hardware.name for hardware in hardware_choices()] == choices_of("hardware")
    for hardware in hardware_choices():
        assert composed(f"hardware={hardware.name}").config.hardware == hardware
    assert {"a100", "h100", "h200", "rtx4090"} <= {hardware.name for hardware in priced_hardware()}


def test_swept_settings_are_those_that_differ() -> None:
    jobs = [["model=tiny", "training.seed=0", "+sweep=seeds"], ["model=tiny", "training.seed=1", "+sweep=seeds"]]
    assert swept_settings(jobs) == [{"training.seed": "0"}, {"training.seed": "1"}]
    assert swept_settings([["a=1"], ["b=2"]]) == [{"a": "1"}, {"b": "2"}]


@pytest.mark.parametrize("name", ["own", "presets (copy)", "préréglages", "a,b", "it's", "a=b", "[1]"])
def test_an_own_preset_wins_over_a_built_in_one_and_is_named(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    own = tmp_path / name
    (own / "experiment").mkdir(parents=True)
    (own / "experiment" / "smoke.yaml").write_text("# @package _global_\nname: smoke\ntraining:\n  steps: 7\n")
    (own / "sweep").mkdir()
    (own / "sweep" / "seeds.yaml").write_text(
        "# @package _global_\nhydra:\n  sweeper:\n    params:\n      training.seed: 5,6\n"
    )
    register()
    with caplog.at_level(logging.WARNING):
        assert compose_config(["experiment=smoke"], config_dir=str(own)).config.training.steps == 7
    assert f"{own}/experiment/smoke.yaml is used in place of the built-in experiment=smoke" in caplog.text
    assert len(expanded(["+sweep=seeds"], own)) == 2
    assert compose_config(["experiment=smoke"]).config.training.steps != 7, "the folder counts for its command alone"


def test_an_own_folder_may_stand_beside_a_search_path(tmp_path: Path) -> None:
    for place, preset in (("own", "mine"), ("other", "theirs")):
        (tmp_path / place / "experiment").mkdir(parents=True)
        (tmp_path / place / "experiment" / f"{preset}.yaml").write_text("# @package _global_\nname: x\n")
    register()
    search = f"hydra.searchpath=[file://{tmp_path / 'other'}]"
    for preset in ("mine", "theirs"):
        config = compose_config([f"experiment={preset}", search], config_dir=str(tmp_path / "own")).config
        assert config.name == "x"


def test_own_defaults_are_named_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    own = tmp_path / "config.yaml"
    own.write_text((conf_folder() / "config.yaml").read_text().replace("keep_checkpoints: 2", "keep_checkpoints: 9"))
    register()
    with caplog.at_level(logging.WARNING):
        assert compose_config(["model=tiny"], config_dir=str(tmp_path)).config.training.keep_checkpoints == 9
    assert f"{own} is used in place of the built-in defaults" in caplog.text
