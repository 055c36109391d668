"""A study on surfaces in closed form: killed, shared, extended, it is the same study."""

import math
import multiprocessing
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.sweeps.search.surfaces import STEPS, SURFACES, outcome, search_on, train, work
from tinystories_lm.runs.status import Status, write_status
from tinystories_lm.sweeps.search.claims import Search
from tinystories_lm.sweeps.search.trials import State

pytest.importorskip("optuna", reason="optuna is not installed")
pytest.importorskip("cmaes", reason="cmaes is not installed")
FORK = multiprocessing.get_context("fork")


def best(search: Search) -> float:
    return min(trial.loss for trial in search.trials() if trial.loss is not None)


def work_slowly(name: str, folder: Path, count: int, sampler: str, prune: bool) -> None:
    work(search_on(name, folder, count=count, sampler=sampler, prune=prune), SURFACES[name][0], seconds_per_row=0.004)


@pytest.mark.parametrize(
    ("name", "sampler", "prune"),
    [("bowl", "tpe", False), ("valley", "tpe", True), ("cliff", "cmaes", False), ("cliff", "tpe", True)],
)
def test_a_search_killed_at_random_moments_ends_as_the_undisturbed_one(
    name: str, sampler: str, prune: bool, tmp_path: Path
) -> None:
    count, killed, choose = 16, 0, random.Random(f"{name} {prune}")
    work_slowly(name, tmp_path / "whole", count, sampler, prune)
    for _ in range(20):
        worker = FORK.Process(target=work_slowly, args=(name, tmp_path / "killed", count, sampler, prune))
        worker.start()
        time.sleep(choose.uniform(0.0, 0.15))
        os.kill(worker.pid or 0, signal.SIGKILL)
        worker.join()
        killed += worker.exitcode == -signal.SIGKILL
    work_slowly(name, tmp_path / "killed", count, sampler, prune)
    whole, found = (search_on(name, tmp_path / kind, count=count, sampler=sampler, prune=prune)
                    for kind in ("whole", "killed"))  # fmt: skip
    assert outcome(found) == outcome(whole) and best(found) < math.inf
    assert killed >= 15, "most of the kills met a search at work"


def test_two_workers_share_a_study_and_train_each_run_once(tmp_path: Path) -> None:
    workers = [FORK.Process(target=work_slowly, args=("bowl", tmp_path, 24, "tpe", False)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    trials = search_on("bowl", tmp_path, count=24).trials()
    assert [(trial.number, trial.state) for trial in trials] == [(number, State.DONE) for number in range(24)]
    for trial in trials:
        assert len(trial.run.metrics.read_text().splitlines()) == STEPS // 10


def test_a_trial_that_another_worker_has_is_not_handed_out(tmp_path: Path) -> None:
    first, second = (search_on("bowl", tmp_path, count=2).claim(), search_on("bowl", tmp_path, count=2).claim())
    assert first is not None and second is not None and (first.record.number, second.record.number) == (0, 1)
    third = search_on("bowl", tmp_path, count=2)
    assert third.claim() is None and [trial.state for trial in third.trials()] == [State.RUNNING] * 2
    first.release()  # as a kill does
    again = third.claim()
    assert again is not None and again.record == first.record


@pytest.mark.slow
@pytest.mark.parametrize(("name", "sampler", "within"), [
    ("bowl", "tpe", 0.05), ("valley", "tpe", 0.1), ("cliff", "tpe", 0.1), ("bowl", "cmaes", 0.05), ("bowl", "gp", 0.01),
])  # fmt: skip
def test_a_search_comes_near_the_lowest_point_for_most_seeds(
    name: str, sampler: str, within: float, tmp_path: Path
) -> None:
    if sampler == "gp":
        pytest.importorskip("scipy", reason="scipy is not installed")
    lowest = {"bowl": 2.0, "valley": 1.0, "cliff": min(
        3 - 0.2 * 3 + 0.2 * math.log10(layers) - 0.1 * math.log(layers) for layers in range(1, 8))}[name]  # fmt: skip
    near = 0
    for seed in range(3):
        search = search_on(name, tmp_path / str(seed), count=40, sampler=sampler, seed=seed)
        work(search, SURFACES[name][0])
        near += best(search) <= lowest + within
    assert near >= 2


def test_pruning_takes_less_than_half_of_the_steps_and_finds_as_low_a_loss(tmp_path: Path) -> None:
    whole, pruned = (search_on("bowl", tmp_path / str(prune), count=40, prune=prune) for prune in (False, True))
    for search in (whole, pruned):
        work(search, SURFACES["bowl"][0])
    steps = sum(10 * len(trial.run.metrics.read_text().splitlines()) for trial in pruned.trials())
    assert steps < 0.5 * 40 * STEPS
    assert best(pruned) < best(whole) + 0.05
    states = [trial.state for trial in pruned.trials()]
    assert set(states) == {State.DONE, State.PAUSED}, "what is pruned is not failed: it can be continued"


def test_diverged_refused_and_failed_trials_count_and_do_not_end_the_search(tmp_path: Path) -> None:
    search = search_on("cliff", tmp_path, count=30)
    claim = search.claim()
    assert claim is not None
    write_status(claim.run, Status.FAILED, reason="OSError: no space", step=0)
    claim.release()
    order = work(search, SURFACES["cliff"][0])
    assert claim.record.number not in order, "a worker tries a failed trial once"
    states = [trial.state for trial in search.trials()]
    assert len(states) == 30 and {State.DIVERGED, State.REFUSED, State.DONE, State.FAILED} == set(states)
    refused = next(trial for trial in search.trials() if trial.state is State.REFUSED)
    assert refused.reason == "8 layers do not fit; use fewer"
    assert work(search_on("cliff", tmp_path, count=30), SURFACES["cliff"][0]) == [claim.record.number], "once more"


def test_a_longer_search_continues_the_shorter_one(tmp_path: Path) -> None:
    surface = SURFACES["bowl"][0]
    work(search_on("bowl", tmp_path / "at once", count=20), surface)
    work(search_on("bowl", tmp_path / "in two", count=12), surface)
    assert work(search_on("bowl", tmp_path / "in two", count=20), surface) == list(range(12, 20))
    assert outcome(search_on("bowl", tmp_path / "in two", count=20)) == outcome(
        search_on("bowl", tmp_path / "at once", count=20)
    )


def test_a_deleted_trial_is_drawn_again_with_the_same_settings(tmp_path: Path) -> None:
    search = search_on("bowl", tmp_path, count=15)
    work(search, SURFACES["bowl"][0])
    before = outcome(search)
    shutil.rmtree(search.trials()[12].run.path)
    assert work(search_on("bowl", tmp_path, count=15), SURFACES["bowl"][0]) == [12]
    assert outcome(search) == before


def test_another_seed_sampler_or_range_is_another_study_that_reuses_equal_runs(tmp_path: Path) -> None:
    search, other = search_on("bowl", tmp_path, count=3), search_on("bowl", tmp_path, count=3, seed=1)
    work(search, SURFACES["bowl"][0])
    assert other.trials() == []
    assert search_on("bowl", tmp_path, count=3, sampler="random").trials() == []
    pruned = search_on("bowl", tmp_path, count=3, prune=True)
    assert work(pruned, SURFACES["bowl"][0]) == [], "its first trials are drawn alike, and their runs are done"
    assert [trial.params for trial in pruned.trials()] == [trial.params for trial in search.trials()]


def test_a_trial_that_ended_on_a_rung_is_resumed_by_the_next(tmp_path: Path) -> None:
    search = search_on("bowl", tmp_path, count=2, prune=True)
    stops = []
    while (claim := search.claim()) is not None:
        train(claim, SURFACES["bowl"][0])
        claim.release()
        stops.append((claim.record.number, claim.stop_at_step))
    better = min(search.trials(), key=lambda trial: trial.losses[10]).number
    assert stops == [(0, 10), (1, 10), (better, 30), (better, 0)], "two are too few for a third: the best one finishes"
