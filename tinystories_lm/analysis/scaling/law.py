"""A scaling law, and the best allocation of compute under it.

L(N, D) = E + A / N^alpha + B / D^beta (Hoffmann et al. 2022, arXiv 2203.15556, eq. 2): loss in nats per token, N
parameters in all, D training tokens. E is the irreducible loss.
"""

import math
from typing import NamedTuple

NAMES = ("E", "A", "B", "alpha", "beta")


class Law(NamedTuple):
    """The five constants. A or B is 0 where that term was left out of the fit."""

    E: float
    A: float
    B: float
    alpha: float
    beta: float

    def loss(self, parameters: float, tokens: float) -> float:
        """Return L(N, D), in nats per token."""
        return self.E + self.A / parameters**self.alpha + self.B / tokens**self.beta


# Besiroglu et al. 2024 (arXiv 2404.10102), their refit of Hoffmann et al.'s points.
PUBLISHED = Law(E=1.8172, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658)
SMALLEST_EXPONENT = 1e-3  # a term with a smaller exponent does not fall, so no size is best
BUDGETS = (1e12, 1e22)  # FLOP, from a minute of a laptop's core to a month of a thousand GPUs
SIZES = (1.0, 1e15)  # parameters or tokens that a best run may have; a fit to noise has them at 1e-25 or 1e300


class Allocation(NamedTuple):
    """A model size and a number of training tokens."""

    parameters: float
    tokens: float


def has_frontier(law: Law) -> bool:
    """Return whether both terms fall, so that every budget has a best size, and one that could exist."""
    if min(law.A, law.B) <= 0 or min(law.alpha, law.beta) <= SMALLEST_EXPONENT:
        return False
    low, high = map(math.log, SIZES)
    return all(low <= size <= high for flops in BUDGETS for size in _log_allocation(law, flops))


def best_allocation(law: Law, flops: float) -> Allocation:
    """Return the size and tokens with the lowest loss at C = 6 N D (Hoffmann et al. 2022, eq. 4)."""
    assert has_frontier(law)
    return Allocation(*map(math.exp, _log_allocation(law, flops)))


def _log_allocation(law: Law, flops: float) -> Allocation:
    """Return the logarithms of the best size and tokens, which may be too large for a float themselves."""
    both = law.alpha + law.beta
    log_ratio = (math.log(law.alpha) + math.log(law.A) - math.log(law.beta) - math.log(law.B)) / both
    log_product = math.log(flops / 6)
    log_parameters = log_ratio + log_product * law.beta / both
    return Allocation(log_parameters, log_product - log_parameters)
