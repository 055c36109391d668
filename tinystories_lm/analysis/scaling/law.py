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


class Allocation(NamedTuple):
    """A model size and a number of training tokens."""

    parameters: float
    tokens: float


def has_frontier(law: Law) -> bool:
    """Return whether both terms fall, so that every compute budget has a best size."""
    return min(law.A, law.B) > 0 and min(law.alpha, law.beta) > SMALLEST_EXPONENT


def best_allocation(law: Law, flops: float) -> Allocation:
    """Return the size and tokens with the lowest loss at C = 6 N D (Hoffmann et al. 2022, eq. 4)."""
    assert has_frontier(law)
    both = law.alpha + law.beta
    log_ratio = math.log(law.alpha * law.A / (law.beta * law.B)) / both
    log_product = math.log(flops / 6)
    log_parameters = log_ratio + log_product * law.beta / both
    return Allocation(math.exp(log_parameters), math.exp(log_product - log_parameters))
