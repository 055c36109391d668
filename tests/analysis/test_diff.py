"""Two runs side by side: what was set, what they were trained with, where their losses part."""

import json
from pathlib import Path

import pytest

from tests.analysis.report.runs import loss_at, make_run
from tests.conftest import Command
from tinystories_lm.analysis.diff import compare, describe


def test_settings_figures_and_the_first_step_that_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = make_run(Path("outputs/a/one"), "training.steps=200", "optimizer.lr=1e-3", steps=200)
    second = make_run(Path("outputs/a/two"), "training.steps=300", "optimizer.lr=2e-3", steps=300)
    rows = [json.loads(line) for line in second.metrics.read_text().splitlines()]
    changed = [row | {"train/loss": 9.0} if row["progress/step"] == 70 and "train/loss" in row else row for row in rows]
    second.metrics.write_text("".join(json.dumps(row) + "\n" for row in changed))
    found = compare(first, second)
    assert found.settings["optimizer.lr"] == (0.001, 0.002) and found.settings["training.steps"] == (200, 300)
    assert "training.seed" not in found.settings
    assert (found.same_losses, found.first_step) == (7, 70), "steps 0, 10 … 60"
    assert found.figures["val_loss"] == (loss_at(200), loss_at(300))
    text = describe(found)
    assert "a/one" in text.splitlines()[0] and "losses differ from step 70 on" in text
    assert compare(first, first).first_step is None and not compare(first, first).settings


def test_what_cannot_be_read_is_named_and_the_rest_is_compared(tmp_path: Path) -> None:
    first, second = make_run(tmp_path / "one"), make_run(tmp_path / "two")
    first.config.write_text("name: [")
    found = compare(first, second)
    assert found.settings == {} and any("config.yaml cannot be read" in problem for problem in found.problems)
    assert found.same_losses > 0 and "could not be read" in describe(found)


def test_the_command_answers_people_and_programs(tmp_path: Path, command: Command) -> None:
    make_run(tmp_path / "outputs/a/one", "training.seed=1")
    make_run(tmp_path / "outputs/a/two", "training.seed=2")
    shown = command("diff", "one", "two")
    assert shown.returncode == 0 and "training.seed" in shown.stdout, shown.stderr
    assert json.loads(command("diff", "one", "two", "--json").stdout)["settings"] == {"training.seed": [1, 2]}
    assert command("diff", "one", "three").returncode == 2
