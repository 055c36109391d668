"""A removed setting is refused in one line that names the last commit with it; its default is still accepted."""

from pathlib import Path
from typing import Any

import pytest

from tests.config.test_compose import expanded
from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.config.fingerprint import config_hash
from tinystories_lm.config.removed import LAST_COMMIT, REMOVED, pop_removed
from tinystories_lm.system.errors import ExitCode, UsageError

OTHER_VALUES = {
    "model.mlp": "relu2",
    "model.zero_init": "true",
    "training.rows_begin": "document",
    "training.batch_doublings": "2",
}


def refusal(*overrides: str, config_dir: Path | None = None) -> str:
    register()
    with pytest.raises(UsageError) as refused:
        compose_config(overrides, config_dir=str(config_dir) if config_dir else None)
    assert refused.value.exit_code is ExitCode.USAGE and "\n" not in str(refused.value)
    return str(refused.value)


def test_the_table_and_these_tests_have_the_same_settings() -> None:
    assert OTHER_VALUES.keys() == REMOVED.keys()


@pytest.mark.parametrize("key", REMOVED)
@pytest.mark.parametrize("sign", ["", "+", "++"])
def test_another_value_than_the_default_is_refused_with_the_last_commit_that_has_it(key: str, sign: str) -> None:
    expected = (
        f"{key}={OTHER_VALUES[key]} was removed in this version; commit {LAST_COMMIT} is the last one that has it"
    )
    assert refusal(f"{sign}{key}={OTHER_VALUES[key]}").lstrip("+") == expected


@pytest.mark.parametrize("key", REMOVED)
def test_the_default_is_accepted_and_changes_nothing(key: str) -> None:
    register()
    override = f"{key}={str(REMOVED[key].default).lower()}"
    assert compose_config([override]).config == compose_config([]).config
    assert expanded([override, "training.seed=0,1"]) == [["training.seed=0"], ["training.seed=1"]]


@pytest.mark.parametrize("key", REMOVED)
def test_a_preset_file_with_a_removed_setting_is_refused(key: str, tmp_path: Path) -> None:
    section, _, name = key.partition(".")
    (tmp_path / "experiment").mkdir()
    text = f"# @package _global_\nname: mine\n{section}:\n  {name}: {OTHER_VALUES[key]}\n"
    (tmp_path / "experiment" / "mine.yaml").write_text(text)
    assert refusal("experiment=mine", config_dir=tmp_path).startswith(f"{key} was removed in this version; commit ")


def test_a_stored_config_loses_its_removed_settings() -> None:
    def stored(**values: Any) -> dict[str, Any]:
        defaults = {key: removed.default for key, removed in REMOVED.items()} | values
        config: dict[str, Any] = {"model": {"d_ff": 4}, "training": {"steps": 3}}
        for key, value in defaults.items():
            section, _, name = key.partition(".")
            config[section][name] = value
        return config

    config = stored()
    assert pop_removed(config) == {}
    assert config == {"model": {"d_ff": 4}, "training": {"steps": 3}}
    config = stored(**{"model.zero_init": True, "model.mlp": "relu2"})
    assert pop_removed(config) == {"model.zero_init": True, "model.mlp": "relu2"}
    assert config == {"model": {"d_ff": 4}, "training": {"steps": 3}}
    for damaged in ({}, {"model": 3}, {"model": None, "training": []}):
        assert pop_removed(damaged) == {}


def test_the_hash_is_that_of_the_version_that_had_the_settings() -> None:
    register()
    overrides = ["hardware=h100", "model.zero_init=false", "data.version=1"]
    assert config_hash(compose_config(overrides).config) == "976bedbd"
