"""The best size for a compute is where no other size does better."""

import math
import random

import pytest

from tinystories_lm.analysis.scaling.fit import Sample, fit
from tinystories_lm.analysis.scaling.law import PUBLISHED, Law, best_allocation, has_frontier


@pytest.mark.parametrize("law", [PUBLISHED, Law(E=0.9, A=60.0, B=2000.0, alpha=0.25, beta=0.5)])
@pytest.mark.parametrize("flops", [1e13, 5.88e23])
def test_the_frontier_is_the_lowest_of_all_sizes(law: Law, flops: float) -> None:
    sizes = [flops ** (step / 20000) for step in range(1, 20000)]
    brute = min(sizes, key=lambda size: law.loss(size, flops / (6 * size)))
    best = best_allocation(law, flops)
    assert best.parameters == pytest.approx(brute, rel=5e-3)
    assert 6 * best.parameters * best.tokens == pytest.approx(flops)
    assert law.loss(*best) <= law.loss(brute, flops / (6 * brute))


def test_chinchilla_s_compute_wants_about_twenty_tokens_a_parameter() -> None:
    best = best_allocation(PUBLISHED, 5.76e23)  # Besiroglu et al. 2024: the refit agrees with the 20 of 70B and 1.4T
    assert 15 < best.tokens / best.parameters < 30


def test_a_law_is_its_formula() -> None:
    assert PUBLISHED.loss(1e8, 2e9) == pytest.approx(1.8172 + 482.01 / 1e8**0.3478 + 2085.43 / 2e9**0.3658)
    assert Law(1.0, 0.0, 3.0, 0.3, 0.5).loss(1e6, 100.0) == pytest.approx(1.3)


def test_without_both_terms_there_is_no_best_size() -> None:
    assert has_frontier(PUBLISHED)
    assert not has_frontier(PUBLISHED._replace(A=0.0))
    assert not has_frontier(PUBLISHED._replace(beta=0.0))
    assert math.isfinite(PUBLISHED._replace(beta=0.0).loss(1.0, 1.0))


@pytest.mark.parametrize("seed", [6, 28])
def test_a_law_of_noise_has_no_best_size_that_could_not_exist(seed: int) -> None:
    draw = random.Random(seed)
    points = [(n, d, 5 + draw.gauss(0, 0.05)) for n in (3e5, 1e6, 3e6) for d in (1e6, 3e6, 9e6)]
    found = fit(Sample(*map(list, zip(*points, strict=True))))
    for law in (found.law, *found.resampled):
        if has_frontier(law):
            for flops in (1e12, 1e18, 1e22):
                assert all(1 <= size <= 1e15 for size in best_allocation(law, flops))
