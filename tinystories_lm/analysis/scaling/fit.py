"""Fit a scaling law: Hoffmann et al. 2022 (arXiv 2203.15556), approach 3, with bootstrap intervals.

The objective is the paper's: the sum of Huber losses of log L(N, D) - log loss, minimised from the paper's grid of
starts. Internally a law is the vector theta = (log A, log B, log E, alpha, beta), with log N and log D measured from
the means of the observations, which makes the factor and the exponent of a term nearly independent of each other.

Shapes: S starts or resamples, P observations, K the five parameters.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from tinystories_lm.analysis.scaling.law import NAMES, PUBLISHED, Law
from tinystories_lm.system.errors import UsageError

HUBER_DELTA = 1e-3  # of the log loss; the loss of a larger residual is linear
RESAMPLES = 200
INTERVAL = (0.1, 0.9)  # quantiles: 80 %
STAGES = ((200, 80), (8, 400))  # (best starts kept of the grid's 4,500, iterations)
SPARE_POINTS = 2  # an exponent is held unless this many points exceed the free parameters
LOG_ZERO = -1e3  # the logarithm of an omitted term
LARGEST_EXPONENT = 3.0
# Bounds of theta, in its order; beyond them the law does not change.
LOWEST = (-20.0, -20.0, -12.0, 0.0, 0.0)
HIGHEST = (5.0, 5.0, 3.0, LARGEST_EXPONENT, LARGEST_EXPONENT)


class Sample(NamedTuple):
    """The data to fit: one value per run in each column."""

    parameters: Sequence[float]
    tokens: Sequence[float]
    losses: Sequence[float]


class Interval(NamedTuple):
    """An 80 % interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Fit:
    """A fitted law with its bootstrap resamples."""

    law: Law
    held: Mapping[str, str]  # parameter name to the reason why it is fixed
    resampled: Sequence[Law]
    log_residuals: Sequence[float]  # log loss - log L(N, D) of each observation
    noise: Sequence[float]  # for each resample, the log residual of one further run

    def interval(self, name: str) -> Interval:
        return interval([getattr(law, name) for law in self.resampled], getattr(self.law, name))

    def loss_interval(self, parameters: float, tokens: float) -> Interval:
        """Return the interval of a run's loss, from the uncertainty of the law and the scatter of the observations."""
        drawn = [
            law.loss(parameters, tokens) * math.exp(noise)
            for law, noise in zip(self.resampled, self.noise, strict=True)
        ]
        return interval(drawn, self.law.loss(parameters, tokens))


def interval(drawn: Sequence[float], estimate: float) -> Interval:
    """Return the middle 80 % of the resampled values, extended to contain the estimate."""
    low, high = torch.tensor(drawn, dtype=torch.float64).quantile(torch.tensor(INTERVAL, dtype=torch.float64)).tolist()
    return Interval(min(low, estimate), max(high, estimate))


def fit(sample: Sample, *, seed: int = 0, resamples: int = RESAMPLES) -> Fit:
    """Fit a law with as many free parameters as the observations support.

    Raises UsageError, naming what is missing, where they support none.
    """
    held = choose_held(sample)
    log_N_P, log_D_P, log_L_P = (torch.tensor(values, dtype=torch.float64).log() for values in sample)
    centre = (float(log_N_P.mean()), float(log_D_P.mean()))
    problem = _Problem(log_N_P - centre[0], log_D_P - centre[1], held)
    theta_SK = problem.clamp(_starts(held, centre))
    for kept, iterations in STAGES:
        best_S = problem.objective(theta_SK, log_L_P).argsort()[:kept]
        theta_SK = problem.descend(theta_SK[best_S], log_L_P, iterations=iterations)
    theta_K = theta_SK[problem.objective(theta_SK, log_L_P).argmin()]
    fitted_P = problem.log_loss(theta_K)
    residuals_P = log_L_P - fitted_P
    random = torch.Generator().manual_seed(seed)
    drawn_SP, noise_S = _draw(residuals_P, len(NAMES) - len(held), resamples, random)
    resampled_SK = problem.descend(theta_K.repeat(resamples, 1), fitted_P + drawn_SP)
    return Fit(
        law=_law(theta_K, centre),
        held=held,
        resampled=[_law(row_K, centre) for row_K in resampled_SK],
        log_residuals=residuals_P.tolist(),
        noise=noise_S.tolist(),
    )


def _draw(residuals_P: Tensor, free: int, resamples: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw residuals for the observations of each resample [S, P], and for one further run [S].

    A least-absolute-value fit passes through as many observations as it has free parameters. Those residuals are zero
    whatever the scatter, so only the others are drawn, with a random sign.
    """
    nonzero = residuals_P.abs().sort().values[free:]
    shape = (resamples, len(residuals_P) + 1)
    drawn = nonzero[torch.randint(len(nonzero), shape, generator=random)]
    drawn = drawn * (torch.randint(2, shape, generator=random) * 2 - 1)
    return drawn[:, :-1], drawn[:, -1]


def choose_held(sample: Sample) -> dict[str, str]:
    """Choose the parameters that these observations cannot determine, each with the reason.

    Raises UsageError where too few different runs are left.
    """
    sizes, lengths = distinct(sample.parameters), distinct(sample.tokens)
    pairs = len({(round(math.log(n), 2), round(math.log(d), 2)) for n, d in zip(*sample[:2], strict=True)})
    held: dict[str, str] = {}
    for count, term, exponent, what in (
        (sizes, "A", "alpha", "model size"),
        (lengths, "B", "beta", "token count"),
    ):
        if count == 1:
            held |= dict.fromkeys((term, exponent), f"there is only one {what}, so its term is part of E")
        elif count == 2:
            held[exponent] = f"fixed at the published value: there are only two {what}s"
    by_axis = sorted((count, name) for count, name in ((sizes, "alpha"), (lengths, "beta")) if name not in held)
    for _, exponent in by_axis:
        if pairs < len(NAMES) - len(held) + SPARE_POINTS:
            held[exponent] = f"fixed at the published value: {pairs} different runs are few"
    need = max(3, len(NAMES) - len(held) + 1)
    if pairs < need:
        raise UsageError(
            f"a law needs at least {need} finished runs of different size or tokens, and the sweep has {pairs} "
            f"(model sizes: {sizes}, token counts: {lengths}): `tinystories-lm sweep size_by_steps` trains nine"
        )
    return held


def distinct(values: Sequence[float]) -> int:
    """Count the distinct values; values within 1 % of the next count once."""
    ordered = sorted(values)
    return 1 + sum(after > 1.01 * before for before, after in itertools.pairwise(ordered))


def _starts(held: Mapping[str, str], centre: tuple[float, float]) -> Tensor:
    """Return the paper's grid of 4,500 starts, centred like theta, with held parameters at their values."""
    logs, exponents = torch.arange(0, 26, 5), torch.arange(0, 2.1, 0.5)
    starts_SK = torch.cartesian_prod(*(x.double() for x in (logs, logs, torch.arange(-1, 1.1, 0.5), *[exponents] * 2)))
    for place, term, exponent in ((0, "A", "alpha"), (1, "B", "beta")):
        if exponent in held:
            starts_SK[:, 3 + place] = getattr(PUBLISHED, exponent)
        starts_SK[:, place] -= starts_SK[:, 3 + place] * centre[place]
        if term in held:
            starts_SK[:, place] = LOG_ZERO
    return starts_SK.unique(dim=0)


def _law(theta_K: Tensor, centre: tuple[float, float]) -> Law:
    log_A, log_B, log_E, alpha, beta = theta_K.tolist()
    return Law(
        E=math.exp(log_E),
        A=math.exp(log_A + alpha * centre[0]),
        B=math.exp(log_B + beta * centre[1]),
        alpha=alpha,
        beta=beta,
    )


class _Problem:
    """The objective over theta at fixed N and D, evaluated for many theta at once."""

    def __init__(self, x_P: Tensor, y_P: Tensor, held: Mapping[str, str]) -> None:
        self.x_P, self.y_P = x_P, y_P
        self._is_free_K = torch.tensor([name not in held for name in ("A", "B", "E", "alpha", "beta")])
        self._low_K, self._high_K = torch.tensor(LOWEST).double(), torch.tensor(HIGHEST).double()

    def terms(self, theta_SK: Tensor) -> Tensor:
        """Return the logarithms of A/N^alpha, B/D^beta and E: [3, S, P]."""
        log_A, log_B, log_E, alpha, beta = theta_SK[..., None].unbind(-2)
        return torch.stack((log_A - alpha * self.x_P, log_B - beta * self.y_P, log_E.expand_as(log_A - self.x_P)))

    def log_loss(self, theta_SK: Tensor) -> Tensor:
        return self.terms(theta_SK).logsumexp(dim=0)

    def objective(self, theta_SK: Tensor, log_L_SP: Tensor) -> Tensor:
        """Return the sum of Huber losses, in units of delta, for each row of theta: [S]."""
        predicted_SP = self.log_loss(theta_SK)
        wanted_SP = log_L_SP.expand_as(predicted_SP)
        return F.huber_loss(predicted_SP, wanted_SP, delta=HUBER_DELTA, reduction="none").sum(-1) / HUBER_DELTA

    def clamp(self, theta_SK: Tensor) -> Tensor:
        return torch.where(self._is_free_K, theta_SK.clamp(self._low_K, self._high_K), theta_SK)

    def descend(self, theta_SK: Tensor, log_L_SP: Tensor, *, iterations: int = 150) -> Tensor:
        """Take damped Gauss-Newton steps with Huber weights within the bounds, each row of theta to its own data.

        The paper's L-BFGS from the same grid does not end lower (a test runs it), but takes one start at a time. Here
        two hundred starts or resamples form one batch.
        """
        value_S = self.objective(theta_SK, log_L_SP)
        damping_S = torch.full_like(value_S, 1e-2)
        for _ in range(iterations):
            terms_SP = self.terms(theta_SK)
            log_loss_SP = terms_SP.logsumexp(dim=0)
            share_A, share_B, share_E = (terms_SP - log_loss_SP).exp()
            jacobian_SPK = torch.stack((share_A, share_B, share_E, -share_A * self.x_P, -share_B * self.y_P), dim=-1)
            residual_SP = log_loss_SP - log_L_SP
            weight_SP = (HUBER_DELTA / residual_SP.abs()).clamp(max=1.0)
            slope_SK = torch.einsum("spk,sp->sk", jacobian_SPK, weight_SP * residual_SP)
            at_wall_SK = ((theta_SK <= self._low_K) & (slope_SK > 0)) | ((theta_SK >= self._high_K) & (slope_SK < 0))
            moves_SK = (self._is_free_K & ~at_wall_SK).double()
            curvature_SKK = torch.einsum("spk,sp,spj->skj", jacobian_SPK, weight_SP, jacobian_SPK)
            curvature_SKK = curvature_SKK * moves_SK[:, :, None] * moves_SK[:, None, :]
            ridge_SK = damping_S[:, None] * (curvature_SKK.diagonal(dim1=1, dim2=2) + 1e-9) + (1 - moves_SK)
            step_SK = torch.linalg.solve(curvature_SKK + ridge_SK.diag_embed(), -slope_SK * moves_SK)
            trial_SK = self.clamp(theta_SK + step_SK.clamp(-1.0, 1.0))
            trial_S = self.objective(trial_SK, log_L_SP)
            better_S = trial_S < value_S
            theta_SK = torch.where(better_S[:, None], trial_SK, theta_SK)
            value_S = torch.where(better_S, trial_S, value_S)
            damping_S = torch.where(better_S, damping_S / 4, damping_S * 4).clamp(1e-10, 1e8)
        return theta_SK
