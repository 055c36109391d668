"""Draw numbers by CMA-ES (Hansen 2016, arXiv:1604.00772), whose state is computed again from the trials at each call.

Optuna's CMA-ES keeps its state pickled in Optuna's own trials, which here exist for one question only. The package is
the same one.
"""

import math
from collections.abc import Sequence

from tinystories_lm.sweeps.search.space import Range
from tinystories_lm.sweeps.search.trials import State, Trial

UNDER_WAY = (State.WAITING, State.RUNNING)
FIRST_SIGMA = 1 / 6  # of each range: Optuna's choice


def draw(ranges: Sequence[Range], trials: Sequence[Trial], *, seed: int) -> dict[str, float]:
    """Return a number of each range from the distribution that the finished generations have led to.

    A generation is as many trials as the population has, in the order of their numbers. One with a trial under way, and
    all after it, are not used yet.
    """
    import numpy as np
    from cmaes import CMA

    sides = len(ranges)
    optimizer = CMA(mean=np.full(sides, 0.5), sigma=FIRST_SIGMA, bounds=np.array([[0.0, 1.0]] * sides), seed=seed)
    size, by_number = optimizer.population_size, {trial.number: trial for trial in trials}
    first = 0
    while all(
        number in by_number and by_number[number].state not in UNDER_WAY for number in range(first, first + size)
    ):
        generation = sorted((by_number[number] for number in range(first, first + size)), key=_merit)
        points = [np.array([to_share(one, float(trial.params[one.key])) for one in ranges]) for trial in generation]
        optimizer.tell([(point, float(place)) for place, point in enumerate(points)])  # only the order counts
        first += size
    return {one.key: from_share(one, float(share)) for one, share in zip(ranges, optimizer.ask(), strict=True)}


def _merit(trial: Trial) -> tuple[int, int, float, int]:
    """Return what orders trials, the best first: the finished, those paused at a higher rung, then the failed."""
    if trial.state is State.DONE and trial.loss is not None:
        return 0, 0, trial.loss, trial.number
    if trial.state is State.PAUSED and trial.losses:
        step = max(trial.losses)
        return 1, -step, trial.losses[step], trial.number
    return 2, 0, 0.0, trial.number


def to_share(one: Range, value: float) -> float:
    """Return where in its range, from 0 to 1, a number lies; of whole steps each has an equal part."""
    low, high = _ends(one)
    share = math.log(value / low) / math.log(high / low) if one.log else (value - low) / (high - low)
    return min(1.0, max(0.0, share))


def from_share(one: Range, share: float) -> float:
    """Return the number at a place of its range, on a whole step where it has steps."""
    low, high = _ends(one)
    value = low * (high / low) ** share if one.log else low + (high - low) * share
    if (step := _step(one)) is not None:
        value = one.low + step * round((value - one.low) / step)
    return min(one.high, max(one.low, value))


def _ends(one: Range) -> tuple[float, float]:
    half = (_step(one) or 0.0) / 2
    return one.low - half, one.high + half


def _step(one: Range) -> float | None:
    return one.step or (1 if one.is_integer else None)
