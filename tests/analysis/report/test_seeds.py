"""Runs that differ in their seed alone are averaged: figures as the sweep's table does, curves step by step."""

import itertools
import statistics
from pathlib import Path

import pytest

from tests.analysis.report.runs import make_run, rows_of
from tinystories_lm.analysis.report.build import gather
from tinystories_lm.analysis.report.curves import TRAINING, VALIDATION
from tinystories_lm.analysis.report.labels import label_runs
from tinystories_lm.analysis.report.read_runs import Reader, Run
from tinystories_lm.analysis.report.record import to_record
from tinystories_lm.analysis.report.seeds import Setting, encode_means, gather_settings
from tinystories_lm.runs.status import Status

SHIFTS = (0.0, 0.1, 0.4)


def sweep_of(folder: Path) -> list[Run]:
    """Return the runs of two learning rates with three seeds each; the last has failed."""
    for (seed, shift), lr in itertools.product(enumerate(SHIFTS), ("0.001", "0.003")):
        failed = seed == 2 and lr == "0.003"
        settings = (f"optimizer.lr={lr}", f"training.seed={seed}")
        make_run(
            folder / "sweeps" / "rates" / f"{seed}-{lr}",
            *settings,
            "hardware.threads=1",
            typed=settings,
            shift=shift,
            status=Status.FAILED if failed else Status.DONE,
        )
    return gather([str(folder)], Reader())


def settings_of(runs: list[Run]) -> list[Setting]:
    return gather_settings(runs, label_runs(runs))


def test_the_seeds_of_a_setting_are_found(tmp_path: Path) -> None:
    assert settings_of(sweep_of(tmp_path)) == [
        Setting("lr=0.001", "0.001", (0, 1, 2), (0, 1, 2), (0, 1, 2)),
        Setting("lr=0.003", "0.003", (3, 4, 5), (3, 4, 5), (3, 4)),
    ]


def test_runs_of_another_folder_or_without_a_config_are_settings_of_their_own(tmp_path: Path) -> None:
    make_run(tmp_path / "a" / "one", "training.seed=0", steps=50)
    make_run(tmp_path / "b" / "one", "training.seed=1", steps=50)
    for name in ("x", "y"):
        make_run(tmp_path / "b" / name, steps=50).config.write_text("model: [")
    assert [len(setting.runs) for setting in settings_of(gather([str(tmp_path)], Reader()))] == [1, 1, 1, 1]


def test_what_affects_no_result_does_not_part_the_seeds(tmp_path: Path) -> None:
    for seed, other in ((0, "tracking.project=a"), (1, "tracking.project=b"), (2, "hardware.threads=1")):
        make_run(tmp_path / "group" / str(seed), f"training.seed={seed}", other, steps=50)
    found = settings_of(gather([str(tmp_path)], Reader()))
    assert [len(setting.seeds) for setting in found] == [2, 1], "another number of threads rounds differently"


def test_a_seed_that_was_run_twice_counts_once(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        make_run(tmp_path / "group" / name, f"training.seed={seed}", steps=50)
    make_run(tmp_path / "group" / "d", "training.seed=1", steps=50, status=Status.FAILED)
    (setting,) = settings_of(gather([str(tmp_path)], Reader()))
    assert len(setting.runs) == 4 and len(setting.seeds) == 2 and setting.finished == setting.seeds
    assert setting.label == "group"


def test_figures_are_means_and_sample_deviations_of_the_finished_seeds(tmp_path: Path) -> None:
    first, second = to_record(sweep_of(tmp_path))["settings"]
    losses = [row["val/loss"] for shift in SHIFTS for row in rows_of(200, shift=shift) if "val/loss" in row][4::5]
    assert len(losses) == 3
    assert first["figures"]["val/loss"] == {
        "mean": pytest.approx(statistics.fmean(losses)),
        "deviation": pytest.approx(statistics.stdev(losses)),
        "count": 3,
    }
    assert second["figures"]["val/loss"]["mean"] == pytest.approx(statistics.fmean(losses[:2]))
    assert (second["seeds"], second["finished"], second["figures"]["val/loss"]["count"]) == (3, 2, 2)


def test_a_mean_curve_has_the_steps_that_all_seeds_have(tmp_path: Path) -> None:
    rows = [rows_of(steps, shift=shift) for steps, shift in ((200, 0.0), (150, 0.3))]
    table = encode_means(rows, VALIDATION, limit=600)
    assert table["progress/step"] == [0, 50, 100, 150]
    both = [[row["val/loss"] for row in one if "val/loss" in row] for one in rows]
    pairs = list(zip(*both, strict=False))
    assert table["val/loss"] == pytest.approx([statistics.fmean(pair) for pair in pairs], rel=1e-5)
    assert table["val/loss/deviation"] == pytest.approx([statistics.stdev(pair) for pair in pairs], rel=5e-3)
    assert len(encode_means([rows_of(5000), rows_of(5000)], TRAINING, limit=100)["progress/step"]) <= 100


def test_means_of_nothing_are_empty() -> None:
    assert encode_means([[], rows_of(100)], VALIDATION, limit=60)["val/loss"] == []
    apart = [[row for row in rows_of(100) if row["progress/step"] in steps] for steps in ((0, 50), (100,))]
    assert encode_means(apart, VALIDATION, limit=60)["progress/step"] == []
