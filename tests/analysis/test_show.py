"""One run in lines: what made it, its figures, its curve; damage costs its own lines alone."""

import json
from pathlib import Path

from tests.analysis.report.runs import loss_at, make_run
from tests.conftest import Command
from tinystories_lm.analysis.show import curve, describe, read_shown


def test_a_run_is_shown_with_its_command_its_figures_and_its_curve(tmp_path: Path, command: Command) -> None:
    typed = ("training.steps=200", "name=it's")
    make_run(tmp_path / "outputs" / "small" / "one", "training.steps=200", steps=200, typed=typed)
    shown = command("show", "small")
    assert shown.returncode == 0, shown.stderr
    lines = {line[:12].strip(): line[13:] for line in shown.stdout.splitlines()}
    assert lines["run"] == "outputs/small/one" and lines["status"] == "done, step 200 of 200"
    assert lines["started by"] == """tinystories-lm train training.steps=200 'name=it'"'"'s'"""
    assert lines["validation"].startswith("█") and lines["validation"].endswith(f"→ {loss_at(200):.3f}")
    found = json.loads(command("show", "small", "--json").stdout)
    assert found["settings"]["training.steps"] == 200 and len(found["validation"]) == 5


def test_what_cannot_be_read_is_named_beside_the_rest(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", steps=100)
    run.config.write_text("name: [")
    run.summary.unlink()
    text = describe(read_shown(run))
    assert "config.yaml cannot be read" in text and "step 100 of ?" in text and "loss" in text


def test_a_curve_has_a_bar_for_each_loss_up_to_its_width() -> None:
    assert curve([3.0, 2.0, 1.0]) == "█▅▁  3.000 → 1.000"
    assert curve([1.0]) == "" and curve([2.0, 2.0]) == "▁▁  2.000 → 2.000"
    long = curve([float(number) for number in range(1000)]).partition(" ")[0]
    assert len(long) == 60 and list(long) == sorted(long)
