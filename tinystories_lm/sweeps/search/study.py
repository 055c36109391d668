"""Ask Optuna for the next trial, from a study that is rebuilt in memory out of the trials that there are.

Nothing of Optuna's is stored. The sampler of trial k is made for this trial, with a seed of the study's seed and k, and
sees the trials before k in their order: whoever asks, at whatever start, gets the same settings from the same results.
"""

import contextlib
import hashlib
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tinystories_lm.config.fingerprint import short_hash
from tinystories_lm.sweeps.search.cma import draw
from tinystories_lm.sweeps.search.space import Choices, Range, Space
from tinystories_lm.sweeps.search.trials import State, Trial
from tinystories_lm.system.errors import UsageError

if TYPE_CHECKING:
    import optuna

STARTUP_TRIALS = 10  # drawn at random before a sampler learns
LEAST_FOR_IMPORTANCE = 10  # finished trials; the importance of fewer is chance
# How Optuna is shown a trial: a diverged one as the worst, so that its surroundings are avoided; one that failed for
# another reason (a full disk) not at all. Of those under way constant_liar keeps the next ones away.
SHOWN_AS = {
    State.WAITING: "RUNNING",
    State.RUNNING: "RUNNING",
    State.PAUSED: "PRUNED",
    State.DONE: "COMPLETE",
    State.DIVERGED: "COMPLETE",
    State.REFUSED: "COMPLETE",
    State.FAILED: "FAIL",
}


class SamplerName(StrEnum):
    tpe = "tpe"  # tree-structured Parzen estimator
    gp = "gp"  # Gaussian process
    cmaes = "cmaes"  # CMA-ES of the numbers; choices are drawn at random
    random = "random"


@dataclass(frozen=True)
class Study:
    """What makes two searches one study: the same fingerprint finds the same trials."""

    space: Space
    sampler: SamplerName
    seed: int
    rungs: tuple[int, ...]  # the steps of --prune; () without
    base: str  # hash of the config at one point of the space: it stands for the settings that all trials share

    @property
    def fingerprint(self) -> str:
        dimensions = [(type(dimension).__name__, vars(dimension)) for dimension in self.space.dimensions]
        return short_hash([dimensions, str(self.sampler), self.seed, self.rungs, self.base])


def check_installed(sampler: SamplerName) -> None:
    """Raise UsageError where Optuna, or a package that the sampler needs, is missing."""
    try:
        import optuna  # noqa: F401

        if sampler is SamplerName.cmaes:
            import cmaes  # noqa: F401
        if sampler is SamplerName.gp:
            import scipy  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"--search needs {error.name}, which is not installed: pip install 'tinystories_lm[search]'"
        ) from error


def suggest(study: Study, trials: Sequence[Trial], number: int) -> dict[str, str]:
    """Return the settings of a trial, from what is known of those before it."""
    before, seed = [trial for trial in trials if trial.number < number], _seed(study, number)
    with _quiet():
        built = _rebuild(study, before)
        built.sampler = _sampler(study.sampler, seed)
        drawn = built.ask(_distributions(study.space)).params
    numbers = [one for one in study.space.dimensions if isinstance(one, Range)]
    if study.sampler is SamplerName.cmaes and numbers:
        drawn |= draw(numbers, before, seed=seed)
    return {one.key: one.text(drawn[one.key]) for one in study.space.dimensions}


def importance(study: Study, trials: Sequence[Trial]) -> dict[str, float]:
    """Return the share of each setting in what makes a trial good (PED-ANOVA; Watanabe et al. 2023, arXiv:2304.10255).

    The largest is first. Empty where there are fewer than two settings or LEAST_FOR_IMPORTANCE finished trials.
    """
    done = [trial for trial in trials if trial.state is State.DONE]
    if len(study.space.dimensions) < 2 or len(done) < LEAST_FOR_IMPORTANCE:
        return {}
    with _quiet():
        from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

        found = get_param_importances(_rebuild(study, done), evaluator=PedAnovaImportanceEvaluator())
    shares = {key: float(share) for key, share in found.items()}
    return shares if all(map(math.isfinite, shares.values())) and any(shares.values()) else {}


def _rebuild(study: Study, trials: Sequence[Trial]) -> "optuna.Study":
    import optuna

    built = optuna.create_study(direction="minimize", sampler=optuna.samplers.RandomSampler(seed=0))
    distributions = _distributions(study.space)
    for trial in trials:
        state = optuna.trial.TrialState[SHOWN_AS[trial.state]]
        built.add_trial(
            optuna.trial.create_trial(
                state=state,
                value=_value(trial) if state is optuna.trial.TrialState.COMPLETE else None,
                params=_values(study.space, trial),
                distributions=distributions,
                intermediate_values=dict(trial.losses),
            )
        )
    return built


def _seed(study: Study, number: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{study.seed}:{number}".encode()).digest()[:4], "big")


def _sampler(name: SamplerName, seed: int) -> "optuna.samplers.BaseSampler":
    from optuna import samplers

    match name:
        case SamplerName.tpe:
            return samplers.TPESampler(
                seed=seed, multivariate=True, constant_liar=True, n_startup_trials=STARTUP_TRIALS
            )
        case SamplerName.gp:
            return samplers.GPSampler(seed=seed, n_startup_trials=STARTUP_TRIALS)
    return samplers.RandomSampler(seed=seed)  # also of the choices beside the numbers of CMA-ES


def _distributions(space: Space) -> dict[str, Any]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    found: dict[str, Any] = {}
    for dimension in space.dimensions:
        if isinstance(dimension, Choices):
            found[dimension.key] = CategoricalDistribution(dimension.values)
        elif dimension.is_integer:
            low, high, step = round(dimension.low), round(dimension.high), round(dimension.step or 1)
            found[dimension.key] = IntDistribution(low, high, log=dimension.log, step=step)
        else:
            found[dimension.key] = FloatDistribution(
                dimension.low, dimension.high, log=dimension.log, step=dimension.step
            )
    return found


def _values(space: Space, trial: Trial) -> dict[str, Any]:
    return {dimension.key: dimension.parse(trial.params[dimension.key]) for dimension in space.dimensions}


def _value(trial: Trial) -> float:
    return math.inf if trial.loss is None else trial.loss


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence Optuna: its messages are of studies that exist for one question."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            optuna.logging.set_verbosity(before)
