"""Whenever a run is killed, the same command ends it with the same bits."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.faults import trials
from tests.faults.conftest import Whole
from tinystories_lm.runs.checkpoint import list_checkpoints
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.records import read_metrics

SLOW = pytest.mark.slow


def cache_of(folder: Path) -> str:
    return f"data.cache_dir={folder / 'cache'}"


def check(whole: Whole, run: Path, *more: str) -> None:
    code = trials.end(trials.start(whole.corpus, run, *more))
    assert code == 0, trials.said(run)
    assert not (difference := trials.first_difference(trials.ending(run), whole.ending)), difference


@pytest.mark.parametrize("numbers", [range(2), pytest.param(range(2, 200), marks=SLOW)], ids=["2", "198 more"])
def test_a_run_killed_at_random_moments_ends_with_the_same_bits(whole: Whole, tmp_path: Path, numbers: range) -> None:
    killed = 0
    for number in numbers:
        run = tmp_path / f"run{number}"
        for cut in trials.cuts(number, whole.seconds):
            killed += cut(trials.start(whole.corpus, run, cache_of(tmp_path))) < 0
        check(whole, run, cache_of(tmp_path))
    assert killed > len(numbers) / 2


@pytest.mark.parametrize("numbers", [range(1), pytest.param(range(1, 100), marks=SLOW)], ids=["1", "99 more"])
def test_a_run_killed_while_it_saves_ends_with_the_same_bits(whole: Whole, tmp_path: Path, numbers: range) -> None:
    killed = 0
    for number in numbers:
        run = tmp_path / f"run{number}"
        pid = trials.start(whole.corpus, run, cache_of(tmp_path))
        killed += trials.kill_in_save(pid, run / "checkpoints", 1 + number % 10) < 0
        check(whole, run, cache_of(tmp_path))
    assert killed > len(numbers) / 2


# Each line in the order in which one run can meet its points.
CHAINS = [
    ["step:7", "rows.before_cut:1", "row.before:5", "file.before_rename:3"],
    ["folder.before_rename:3", "checkpoint.after_weights:2", "checkpoint.after_optimizer:2", "folder.after_rename:3"],
    ["folder.after_rename:10", "folder.half_removed:1"],
]
POINTS = [point for points in CHAINS for point in points]


@pytest.mark.parametrize("points", CHAINS, ids=lambda points: points[0])
def test_a_run_killed_at_one_point_after_another_ends_with_the_same_bits(
    whole: Whole, tmp_path: Path, points: list[str]
) -> None:
    run, cache = tmp_path / "run", cache_of(tmp_path)
    for point in points:
        code = trials.end(trials.start(whole.corpus, run, cache, fault=f"{point}:kill:{run}"))
        assert code == -9, f"{point} is not reached"
    check(whole, run, cache)


@SLOW
@pytest.mark.parametrize("point", POINTS)
def test_a_run_killed_at_a_point_ends_with_the_same_bits(whole: Whole, tmp_path: Path, point: str) -> None:
    run, cache = tmp_path / "run", cache_of(tmp_path)
    assert trials.end(trials.start(whole.corpus, run, cache, fault=f"{point}:kill:{run}")) == -9, "the point is reached"
    if point == "step:7":  # it is killed once more while it resumes
        trials.end(trials.start(whole.corpus, run, cache, fault=f"rows.before_cut:1:kill:{run}"))
    check(whole, run, cache)


def test_a_run_goes_on_while_a_checkpoint_is_written_and_may_be_killed_then(whole: Whole, tmp_path: Path) -> None:
    """The second one hangs; training reaches rows beyond it, which the resumed run writes again."""
    run, cache = tmp_path / "run", cache_of(tmp_path)
    pid = trials.start(whole.corpus, run, cache, fault=f"checkpoint.after_weights:2:hang:{run}")
    until = time.monotonic() + 60
    while not any(row["progress/step"] > 8 for row in read_metrics(RunFolder(run))):
        assert time.monotonic() < until, trials.said(run)
        time.sleep(0.01)
    assert [path.name for path in list_checkpoints(run / "checkpoints")] == ["step-00000004"]
    os.kill(pid, signal.SIGKILL)
    assert trials.end(pid) == -signal.SIGKILL
    check(whole, run, cache)
    assert "resuming from step 4" in trials.said(run)


# Between the two renames by which a checkpoint replaces another of the same step, and while that is put back.
REPLACING = ["folder.replaced:1", "folder.before_put_back:1"]


def test_a_run_killed_while_a_checkpoint_replaces_another_ends_with_the_same_bits(whole: Whole, tmp_path: Path) -> None:
    """A stop in the evaluation of a step saves that step, and the resumed run saves it again with its evaluation."""
    run, cache = tmp_path / "run", cache_of(tmp_path)
    ask = trials.at_call("tinystories_lm.jobs.workspace.validate", trials.send(signal.SIGTERM), count=2)
    assert trials.end(trials.start(whole.corpus, run, cache, first=ask)) == 75
    assert [path.name for path in list_checkpoints(run / "checkpoints")] == ["step-00000008", "step-00000004"]
    for point in REPLACING:
        assert trials.end(trials.start(whole.corpus, run, cache, fault=f"{point}:kill:{run}")) == -9, point
        assert not (run / "checkpoints/step-00000008").exists()
    check(whole, run, cache)
    assert "resuming from step 8" in trials.said(run), "paid steps are not lost"


FAILING = ["checkpoint.after_weights:2", "folder.before_rename:2", "row.before:9"]
ERRORS = ["ENOSPC", "EIO", "ESTALE"]


@pytest.mark.parametrize(
    ("point", "name"),
    [
        *zip(FAILING, ERRORS, strict=True),  # the other pairs are slow tests
        *(pytest.param(point, name, marks=SLOW) for point in FAILING for name in ERRORS
          if FAILING.index(point) != ERRORS.index(name)),
    ],
)  # fmt: skip
def test_a_write_that_fails_keeps_the_last_good_checkpoint(whole: Whole, tmp_path: Path, point: str, name: str) -> None:
    """A checkpoint is written at the second try; a row that cannot be written ends the run with exit code 5."""
    run, cache = tmp_path / "run", cache_of(tmp_path)
    code = trials.end(trials.start(whole.corpus, run, cache, fault=f"{point}:{name}:{run}"))
    assert "Traceback" not in trials.said(run)
    if point.startswith("row"):
        assert code == 5 and "cannot write" in trials.said(run).splitlines()[-1]
    else:
        assert code == 0 and "trying once more" in trials.said(run)
    check(whole, run, cache)
