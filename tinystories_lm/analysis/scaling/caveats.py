"""What the observations cannot determine, in plain words."""

import math
from collections.abc import Sequence

from tinystories_lm.analysis.scaling.fit import LARGEST_EXPONENT, Fit, Sample
from tinystories_lm.analysis.scaling.law import SMALLEST_EXPONENT

NARROW_SPAN = 4.0  # ratio of the largest to the smallest, below which an exponent is poorly determined
ALIGNED = 0.95  # correlation of log N and log D
LARGE_SCATTER = 0.05  # relative, of the loss


def caveats(found: Fit, sample: Sample) -> list[str]:
    """Return one line for each thing that the fit leaves undetermined."""
    return [
        *_held_parameters(found),
        *_spans(found, sample),
        *_irreducible_loss(found, sample),
        *_exponent(found, "alpha", "size"),
        *_exponent(found, "beta", "tokens"),
        *_scatter(found),
    ]


def _held_parameters(found: Fit) -> list[str]:
    exponents = [name for name in ("alpha", "beta") if name in found.held and getattr(found.law, name[0].upper())]
    lines = [f"{name} is held fixed: {found.held[name]}" for name in ("alpha", "beta") if name in found.held]
    if exponents:
        lines.append(
            f"the intervals leave out the uncertainty of {' and '.join(exponents)}, which differs between corpora"
        )
    return lines


def _spans(found: Fit, sample: Sample) -> list[str]:
    lines = []
    for values, what in ((sample.parameters, "sizes"), (sample.tokens, "token counts")):
        span = max(values) / min(values)
        if 1.01 < span < NARROW_SPAN:
            lines.append(f"the {what} span only {span:.1f}x: a range a few times wider would determine their exponent")
    if found.law.A and found.law.B and abs(correlation(sample)) > ALIGNED:
        lines.append("size and tokens rise together in these runs, so their effects cannot be separated")
    return lines


def _irreducible_loss(found: Fit, sample: Sample) -> list[str]:
    low, high = found.interval("E")
    best = min(sample.losses)
    if 0.02 * best > found.law.E:
        return ["E, the irreducible loss, is fitted as 0: the losses do not flatten yet, so it is unknown"]
    if high - low > 0.5 * found.law.E:
        return [f"E, the irreducible loss, is poorly determined: anything from {low:.2f} to {high:.2f} fits"]
    return []


def _exponent(found: Fit, name: str, what: str) -> list[str]:
    if name in found.held:
        return []
    value, (low, high) = getattr(found.law, name), found.interval(name)
    if value < SMALLEST_EXPONENT:
        return [f"{name} is 0: more {what} did not lower the loss of these runs, so no size is the best to buy"]
    if value > 0.99 * LARGEST_EXPONENT:
        return [f"{name} is at the largest value searched ({LARGEST_EXPONENT:g}): it and its term are not identified"]
    if high - low > 0.75 * value:
        return [f"{name} is poorly determined: anything from {low:.2f} to {high:.2f} fits, and its factor with it"]
    return []


def _scatter(found: Fit) -> list[str]:
    scatter = math.sqrt(sum(x * x for x in found.log_residuals) / len(found.log_residuals))
    if scatter < LARGE_SCATTER:
        return []
    return [f"the runs lie {scatter:.0%} off the law: something other than size and tokens affects their loss"]


def correlation(sample: Sample) -> float:
    """Return the correlation of log N and log D; 0 where one of them does not vary."""
    x, y = (_centred([math.log(value) for value in values]) for values in (sample.parameters, sample.tokens))
    lengths = math.sqrt(sum(a * a for a in x) * sum(b * b for b in y))
    return sum(a * b for a, b in zip(x, y, strict=True)) / lengths if lengths else 0.0


def _centred(values: Sequence[float]) -> list[float]:
    mean = sum(values) / len(values)
    return [value - mean for value in values]
