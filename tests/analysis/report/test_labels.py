"""Runs are labelled by what was swept, and stand in the order of their labels' values."""

from pathlib import Path

from tests.analysis.report.runs import make_run
from tinystories_lm.analysis.report.build import gather
from tinystories_lm.analysis.report.labels import label_runs, without_time
from tinystories_lm.analysis.report.read_runs import Reader, read_run


def labels_in_order(folder: Path, *jobs: str) -> list[str]:
    """Return the labels of a sweep's runs in the page's order; folders are numbered backwards."""
    for number, job in enumerate(reversed(jobs)):
        make_run(folder / "sweeps" / "one" / str(number), *job.split(), typed=job.split(), steps=50)
    return [label.text for label in label_runs(gather([str(folder)], Reader()))]


def test_numbers_are_sorted_by_size_and_seeds_stand_together(tmp_path: Path) -> None:
    jobs = [f"training.seed={seed} optimizer.lr={lr}" for lr in ("5.0e-4", "0.001", "1e-2") for seed in (0, 2, 10)]
    assert labels_in_order(tmp_path, *jobs) == [
        f"lr={lr} seed={seed}" for lr in ("5.0e-4", "0.001", "1e-2") for seed in (0, 2, 10)
    ]


def test_the_seed_is_last_among_settings_of_its_section(tmp_path: Path) -> None:
    jobs = [f"training.seed={seed} training.steps={steps}" for steps in (50, 100) for seed in (0, 1)]
    assert labels_in_order(tmp_path, *jobs) == [f"steps={steps} seed={seed}" for steps in (50, 100) for seed in (0, 1)]


def test_models_are_sorted_by_their_size(tmp_path: Path) -> None:
    sizes = ("gpt_700k", "gpt_2m", "gpt_28m", "gpt_91m")
    for model in sizes:
        folder = make_run(tmp_path / "sweeps" / "one" / f"x{model[::-1]}", f"model={model}", typed=[f"model={model}"])
        folder.summary.unlink()  # it has the parameters of another model
    found = [label.text for label in label_runs(gather([str(tmp_path)], Reader()))]
    assert found == [f"model={model}" for model in sizes]


def test_other_words_are_sorted_by_the_numbers_in_them(tmp_path: Path) -> None:
    jobs = [f"name={name}" for name in ("a2", "a10", "b1")]
    assert labels_in_order(tmp_path, *jobs) == jobs


def test_a_run_outside_a_sweep_is_labelled_by_its_folder(tmp_path: Path) -> None:
    for name in ("run-10", "run-9"):
        make_run(tmp_path / "smoke" / name, typed=[f"training.seed={name[4:]}"], steps=50)
    assert [label.text for label in label_runs(gather([str(tmp_path)], Reader()))] == ["run-9", "run-10"]
    assert without_time("2026-11-27_10-11-12_e7fc9be7-2") == "e7fc9be7-2"
    assert without_time("2026-11-27_10-11-12_") == "2026-11-27_10-11-12_" and without_time("golden") == "golden"


def test_an_override_of_any_kind_has_its_place(tmp_path: Path) -> None:
    odd = [
        "training.seed=nan",
        "training.seed=inf",
        "training.seed=[1,2]",
        f"training.seed={'9' * 5000}",
        "training.seed=",
        "x",
    ]
    runs = [
        read_run(make_run(tmp_path / "sweeps" / "odd" / str(n), typed=[one], steps=50)) for n, one in enumerate(odd)
    ]
    assert len(sorted(label.order for label in label_runs(runs))) == len(odd)
