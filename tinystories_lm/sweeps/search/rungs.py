"""Decide which trials continue: asynchronous successive halving (ASHA; Li et al. 2020, arXiv:1810.05934, algorithm 2).

All trials are trained to the first rung, a fixed number of steps of the whole schedule. The best third of those that
have reached a rung is promoted to the next one, as soon as there is such a third: no trial waits for the others.
"""

from collections.abc import Sequence

from tinystories_lm.config.schema import TrainingConfig
from tinystories_lm.sweeps.search.trials import State, Trial
from tinystories_lm.system.errors import UsageError

# One of ETA trials is promoted, and the next rung has ETA times as many steps. Theory favours e; of its neighbours 3
# wastes less on trials that a noisy early loss promotes than 2 does, and needs fewer trials for a decision than 4.
ETA = 3
RUNGS = 2  # before the last step, at a ninth and a third: a 27th lies within the usual warm-up


def rung_steps(training: TrainingConfig) -> tuple[int, ...]:
    """Return the steps at which trials are compared, before the last one: those with an evaluation.

    Raises UsageError where there is no such step.
    """
    every, steps = training.eval_every_steps, training.steps
    wanted = (steps / ETA**power for power in range(RUNGS, 0, -1))
    found = {max(1, round(step / every)) * every for step in wanted}
    if not (rungs := tuple(sorted(step for step in found if step < steps))):
        raise UsageError(
            f"--prune compares trials at an evaluation before the last step, and training.eval_every_steps={every} "
            f"of training.steps={steps} leaves none: lower it to {max(1, steps // ETA**RUNGS)}"
        )
    return rungs


def promote(trials: Sequence[Trial], rungs: Sequence[int]) -> Trial | None:
    """Return the trial that is to be continued to its next rung, if one is among the best third at its own.

    Higher rungs come first, and on equal losses the older trial.
    """
    for rung in reversed(range(len(rungs))):
        ranked = rank(trials, rungs[rung])
        for trial in ranked[: len(ranked) // ETA]:
            if trial.state is State.PAUSED and trial.rung == rung:
                return trial
    return None


def promote_last(trials: Sequence[Trial], rungs: Sequence[int]) -> Trial | None:
    """Return the best trial of the highest rung that has one, where no trial is done: too few for a third of them."""
    if any(trial.state is State.DONE for trial in trials):
        return None
    for rung in reversed(range(len(rungs))):
        paused = [trial for trial in rank(trials, rungs[rung]) if trial.state is State.PAUSED and trial.rung == rung]
        if paused:
            return paused[0]
    return None


def rank(trials: Sequence[Trial], step: int) -> list[Trial]:
    """Return the trials that have a loss at the step, the lowest first; a diverged one counts, as the last."""
    found = [(loss, trial.number, trial) for trial in trials if (loss := trial.loss_at(step)) is not None]
    return [trial for _, _, trial in sorted(found, key=lambda entry: entry[:2])]
