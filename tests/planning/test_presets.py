"""The list of presets is made of their files and their plans."""

import json
from pathlib import Path

import pytest

from tests.conftest import Command
from tinystories_lm.config.compose import register
from tinystories_lm.config.presets import choices_of
from tinystories_lm.planning.presets import list_presets


def test_each_preset_has_its_question_its_command_and_its_cost(command: Command) -> None:
    shown = command("presets")
    assert shown.returncode == 0, shown.stderr
    found = [json.loads(line) for line in command("presets", "--json").stdout.splitlines()]
    assert [preset["name"] for preset in found] == choices_of("experiment")
    round2 = next(preset for preset in found if preset["name"] == "round2")
    assert round2["dollars"] == pytest.approx(0.30, rel=0.05) and round2["tokens"] == 15_000 * 64 * 512
    for preset in found:
        assert preset["question"].partition(":")[0].rstrip(".") and preset["question"] in shown.stdout
        assert f"train experiment={preset['name']}" in shown.stdout


def test_own_presets_are_listed_beside_the_built_in_ones(tmp_path: Path) -> None:
    own = tmp_path / "experiment" / "mine.yaml"
    own.parent.mkdir()
    own.write_text("# @package _global_\n# Is it mine?\nname: mine\ntraining:\n  steps: 7\n")
    register()
    mine = next(preset for preset in list_presets(str(tmp_path)) if preset.name == "mine")
    assert mine.question == "Is it mine?" and mine.tokens % 7 == 0
