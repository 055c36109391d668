"""What the points cannot tell, in plain words."""

import math
from collections.abc import Sequence

from tinystories_lm.analysis.scaling.fit import LARGEST_EXPONENT, Fit, Sample
from tinystories_lm.analysis.scaling.law import SMALLEST_EXPONENT

NARROW_SPAN = 4.0  # largest over smallest: below it an exponent rests on little
ALIGNED = 0.95  # correlation of log N and log D
LARGE_SCATTER = 0.05  # of the loss


def doubts(found: Fit, sample: Sample) -> list[str]:
    """One line for each thing that the fit does not settle."""
    return [
        *_of_what_is_held(found),
        *_of_spans(found, sample),
        *_of_entropy(found, sample),
        *_of_exponent(found, "alpha", "size"),
        *_of_exponent(found, "beta", "tokens"),
        *_of_scatter(found),
    ]


def _of_what_is_held(found: Fit) -> list[str]:
    exponents = [name for name in ("alpha", "beta") if name in found.held and getattr(found.law, name[0].upper())]
    told = [f"{name} is held: {found.held[name]}" for name in ("alpha", "beta") if name in found.held]
    if exponents:
        told.append(f"the intervals leave out the doubt about {' and '.join(exponents)}, which another corpus has")
    return told


def _of_spans(found: Fit, sample: Sample) -> list[str]:
    told = []
    for values, what in ((sample.parameters, "sizes"), (sample.tokens, "token counts")):
        span = max(values) / min(values)
        if 1.01 < span < NARROW_SPAN:
            told.append(f"the {what} span only {span:.1f}x: a few times more would pin their exponent")
    if found.law.A and found.law.B and abs(correlation(sample)) > ALIGNED:
        told.append("size and tokens rise together in these points: what is due to which cannot be told apart")
    return told


def _of_entropy(found: Fit, sample: Sample) -> list[str]:
    low, high = found.interval("E")
    best = min(sample.losses)
    if 0.02 * best > found.law.E:
        return ["E, the loss that would remain, is fitted as 0: the losses do not flatten yet, so it is unknown"]
    if high - low > 0.5 * found.law.E:
        return [f"E, the loss that would remain, is not pinned: anywhere from {low:.2f} to {high:.2f} fits"]
    return []


def _of_exponent(found: Fit, name: str, what: str) -> list[str]:
    if name in found.held:
        return []
    value, (low, high) = getattr(found.law, name), found.interval(name)
    if value < SMALLEST_EXPONENT:
        return [f"{name} is 0: in these points more {what} did not lower the loss, so there is no best size to buy"]
    if value > 0.99 * LARGEST_EXPONENT:
        return [f"{name} is at the largest value looked at ({LARGEST_EXPONENT:g}): it and its term are not identified"]
    if high - low > 0.75 * value:
        return [f"{name} is loose: anywhere from {low:.2f} to {high:.2f} fits, and its factor with it"]
    return []


def _of_scatter(found: Fit) -> list[str]:
    scatter = math.sqrt(sum(x * x for x in found.log_residuals) / len(found.log_residuals))
    if scatter < LARGE_SCATTER:
        return []
    return [f"the points lie {scatter:.0%} off the law: something else than size and tokens moves their loss"]


def correlation(sample: Sample) -> float:
    """Of log N and log D; 0 where one of them does not vary."""
    x, y = (_centred([math.log(value) for value in values]) for values in (sample.parameters, sample.tokens))
    lengths = math.sqrt(sum(a * a for a in x) * sum(b * b for b in y))
    return sum(a * b for a, b in zip(x, y, strict=True)) / lengths if lengths else 0.0


def _centred(values: Sequence[float]) -> list[float]:
    mean = sum(values) / len(values)
    return [value - mean for value in values]
