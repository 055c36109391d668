"""Which trials successive halving continues."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.config.schema import TrainingConfig
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.trials import TrialRecord
from tinystories_lm.sweeps.search.rungs import promote, promote_last, rung_steps
from tinystories_lm.sweeps.search.trials import State, Trial
from tinystories_lm.system.errors import UsageError

RUNGS = (10, 30)


def training(*, steps: int, every: int) -> TrainingConfig:
    register()
    return compose_config([f"training.steps={steps}", f"training.eval_every_steps={every}"]).config.training


@pytest.mark.parametrize(
    ("steps", "every", "rungs"),
    [(900, 50, (100, 300)), (900, 100, (100, 300)), (600, 150, (150,)), (90, 40, (40,)), (1000, 200, (200, 400))],
)
def test_rungs_are_evaluations_near_a_ninth_and_a_third(steps: int, every: int, rungs: tuple[int, ...]) -> None:
    assert rung_steps(training(steps=steps, every=every)) == rungs


def test_a_run_without_an_evaluation_before_its_end_cannot_be_pruned() -> None:
    with pytest.raises(UsageError, match="lower it to 10"):
        rung_steps(training(steps=90, every=90))


def trial(number: int, *losses: float, rung: int | None = None, state: State = State.PAUSED) -> Trial:
    record = TrialRecord(study="s", number=number, params={}, rung=len(losses) - 1 if rung is None else rung)
    return Trial(record, RunFolder(Path(str(number))), state, dict(zip(RUNGS, losses, strict=False)))


def test_one_of_three_is_promoted_and_not_before_there_are_three() -> None:
    trials = [trial(0, 3.0), trial(1, 2.0)]
    assert promote(trials, RUNGS) is None
    assert promote([*trials, trial(2, 4.0)], RUNGS) == trials[1]
    assert promote([trials[0], trial(1, 2.0, rung=1), trial(2, 4.0)], RUNGS) is None, "it has been"


def test_a_higher_rung_is_served_first_and_equal_losses_by_age() -> None:
    upper = [trial(number, 2.0, 1.5) for number in range(3)]
    lower = [trial(number, 1.0) for number in range(3, 9)]
    assert promote([*lower, *upper], RUNGS) == upper[0]


def test_a_diverged_trial_fills_a_place_and_is_never_promoted() -> None:
    diverged = [replace(trial(number), state=State.DIVERGED) for number in (0, 1)]
    last = trial(2, 9.0)
    assert promote([*diverged, last], RUNGS) == last
    assert all(one.loss_at(10) == math.inf for one in diverged)


def test_of_too_few_trials_the_best_finishes() -> None:
    trials = [trial(0, 3.0), trial(1, 2.0)]
    assert promote_last(trials, RUNGS) == trials[1]
    higher = trial(1, 2.0, 1.9)
    assert promote_last([trials[0], higher], RUNGS) == higher
    assert promote_last([trials[0], replace(trials[1], state=State.DONE)], RUNGS) is None
