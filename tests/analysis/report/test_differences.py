"""What distinguishes runs is the choice that started them, and single settings where no choice explains them."""

from pathlib import Path

from tests.analysis.report.runs import make_run
from tinystories_lm.analysis.report.differences import Difference, choices_behind, differences
from tinystories_lm.analysis.report.read_runs import Run, read_run
from tinystories_lm.config.fields import Effect
from tinystories_lm.runs.folder import RunFolder


def run_of(folder: Path, *overrides: str) -> Run:
    """Return a run that was started with these overrides."""
    return read_run(make_run(folder, *overrides, typed=overrides))


def explained(runs: list[Run]) -> dict[str, str]:
    return {one.setting: one.choice for one in differences(runs)}


def test_differences_are_those_of_the_settings(tmp_path: Path) -> None:
    first = read_run(make_run(tmp_path / "a", "training.seed=1", "optimizer.lr=0.002"))
    second = read_run(make_run(tmp_path / "b", "training.seed=2", "optimizer.lr=0.002", "hardware.threads=1"))
    broken = make_run(tmp_path / "c")
    broken.config.write_text("model: [")
    assert differences([first, second, read_run(broken)]) == [
        Difference("training.seed", Effect.changes_numbers, ["1", "2", None]),
        Difference("hardware.threads", Effect.changes_rounding, ["0", "1", None]),
    ]
    assert differences([first]) == []


def test_a_model_that_was_chosen_explains_its_sizes(tmp_path: Path) -> None:
    runs = [
        run_of(tmp_path / name, f"model={name}", f"training.seed={seed}")
        for seed, name in enumerate(("gpt_2m", "gpt_5m"))
    ]
    found = explained(runs)
    assert found["model.d_model"] == found["model.d_ff"] == "model"
    assert found["training.seed"] == ""
    assert choices_behind(runs, differences(runs)) == [
        Difference("model", Effect.changes_numbers, ["gpt_2m", "gpt_5m"])
    ]


def test_a_size_that_was_typed_is_explained_by_no_choice(tmp_path: Path) -> None:
    runs = [run_of(tmp_path / "a", "model=gpt_2m"), run_of(tmp_path / "b", "model=gpt_5m", "model.d_ff=64")]
    assert explained(runs)["model.d_model"] == "model" and explained(runs)["model.d_ff"] == ""


def test_runs_of_one_choice_that_differ_are_not_explained_by_it(tmp_path: Path) -> None:
    """They may be of different versions of conf/."""
    runs = [run_of(tmp_path / name, "model=tiny", f"model.d_ff={width}") for name, width in (("a", 64), ("b", 128))]
    for run in (tmp_path / "a", tmp_path / "b"):
        (run / ".hydra" / "overrides.yaml").write_text("- model=tiny\n")
    assert explained([read_run(RunFolder(one)) for one in (tmp_path / "a", tmp_path / "b")]) == {"model.d_ff": ""}
    assert choices_behind(runs, differences(runs)) == []


def test_a_preset_explains_what_no_choice_of_a_section_does(tmp_path: Path) -> None:
    runs = [
        read_run(make_run(tmp_path / name, f"training.steps={steps}", typed=[f"experiment={name}"], steps=100))
        for name, steps in (("round1", 100), ("round2", 200))
    ]
    assert explained(runs)["training.steps"] == "experiment"
    assert [one.setting for one in choices_behind(runs, differences(runs))] == ["experiment"]
