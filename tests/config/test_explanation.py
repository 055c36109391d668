"""`explain` and `config --json` say of each setting what the program does with it."""

import json
from pathlib import Path

import pytest

from tinystories_lm.cli import main
from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.config.explanation import as_record, describe_all, explain
from tinystories_lm.config.fields import Effect
from tinystories_lm.config.fingerprint import config_hash
from tinystories_lm.config.presets import conf_folder
from tinystories_lm.config.schema import SETTINGS
from tinystories_lm.system.errors import UsageError


def test_a_setting_is_explained_with_all_that_is_known_of_it() -> None:
    assert explain("training.warmup_steps").splitlines() == [
        "training.warmup_steps: steps over which the learning rate rises linearly",
        "  type     integer, in steps",
        "  default  0.05 × training.steps",
        "  range    0 to training.steps",
        "  changes  results: another value is another run",
    ]
    shown = explain("model.d_model")
    assert "  rule     refused where it is not a multiple of 2 × model.n_heads" in shown
    assert "set by   model=gpt_28m: 512" in shown and "experiment=round4: 768" in shown
    assert "type     auto, on, off" in explain("hardware.compile") and "rounding" in explain("hardware.compile")
    assert explain("training.steps=5") == explain("training.steps")


@pytest.mark.parametrize("key", SETTINGS)
def test_every_setting_has_a_meaning_and_an_explanation(key: str) -> None:
    first, kind, *_ = explain(key).splitlines()
    assert first.startswith(f"{key}: ") and len(first) > len(f"{key}: ") and kind.startswith("  type ")


def test_a_group_lists_its_choices_and_a_section_its_settings() -> None:
    names = sorted(file.stem for file in (conf_folder() / "model").glob("*.yaml"))
    lines = explain("model").splitlines()
    assert [line.split()[0] for line in lines[1 : len(names) + 1]] == names
    assert next(line for line in lines if line.endswith("(default)")).split()[0] == "tiny"
    assert "  model.n_layers " in explain("model") and "  training.steps " in explain("training")
    assert "  smoke " in explain("experiment") and "  seeds " in explain("sweep")
    assert "training.seed: 0,1,2" in explain("+sweep=seeds")
    assert "model.n_layers: 8" in explain("model=gpt_28m")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("training.warmup", "did you mean training.warmup_steps"),
        ("modle", "did you mean model"),
        ("model=gpt_28", "did you mean gpt_28m"),
        ("experiment=none", "choose one of round1"),
        ("hydra.run.dir", "belongs to Hydra"),
        ("", "there is no such setting"),
    ],
)
def test_what_does_not_exist_is_one_line_with_the_nearest_name(name: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        explain(name)


def test_ones_own_presets_are_explained_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "experiment").mkdir()
    own = "# @package _global_\n# What is mine?\ntraining: {steps: 77}\n"
    (tmp_path / "experiment" / "mine.yaml").write_text(own)
    for name, says in (("training.steps", "experiment=mine: 77"), ("experiment", "What is mine?")):
        assert main.run(["explain", name, "--config-dir", str(tmp_path)]) == 0
        assert says in capsys.readouterr().out
    assert main.run(["explain", "training.steps", "--config-dir", "nowhere"]) == 2
    assert "--config-dir=nowhere is not a folder" in capsys.readouterr().err


def test_the_record_describes_every_group_choice_and_setting(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["config", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record == as_record()
    assert [setting["key"] for setting in record["settings"]] == list(SETTINGS)
    groups = {group["group"]: group for group in record["groups"]}
    folders = {folder.name for folder in conf_folder().iterdir() if folder.is_dir() and folder.name[0] not in "._"}
    assert set(groups) == folders - {"hydra"}
    assert groups["model"]["default"] == "tiny" and groups["experiment"]["default"] is None
    assert groups["sweep"]["override"] == "+sweep="
    settings = {setting["key"]: setting for setting in record["settings"]}
    lr = settings["optimizer.lr"]
    assert (lr["type"], lr["minimum"], lr["minimum_allowed"], lr["maximum"]) == ("number", 0, False, 10)
    assert settings["data.path"]["nullable"] and settings["data.path"]["type"] == "text"
    assert settings["tracking.mode"]["choices"] == ["auto", "online", "offline", "off"]
    assert all(setting["help"] and setting["changes"] for setting in record["settings"])
    lines = describe_all().splitlines()
    assert [line.split()[0] for line in lines] == list(SETTINGS)


def test_what_changes_the_results_changes_the_runs_name() -> None:
    register()
    base = compose_config(["training.steps=50"]).config
    changes = {setting["key"]: setting["changes"] for setting in as_record()["settings"]}
    for override in ("training.seed=1", "model.qk_norm=true", "training.keep_checkpoints=3", "tracking.mode=off"):
        other = compose_config(["training.steps=50", override]).config
        is_other_run = config_hash(other) != config_hash(base)
        assert is_other_run is (changes[override.partition("=")[0]] == "results"), override
    assert {info.effect for info in SETTINGS.values()} == set(Effect)
