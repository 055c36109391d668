"""Thin a run's curves so that many fit on a page, and keep their extremes."""

import math
from collections.abc import Sequence
from typing import Any

from tinystories_lm.runs.schemas import MetricsRow

STEP, TOKENS, FLOPS = "progress/step", "progress/tokens", "progress/flops"
SECONDS, DOLLARS = "time/train_seconds", "cost/usd"
AXES = (STEP, TOKENS, FLOPS, SECONDS, DOLLARS)
TRAINING = ("train/loss", "optimizer/lr", "optimizer/grad_norm", "speed/tokens_per_second", "speed/mfu")
PROPORTIONAL = {TOKENS: STEP, FLOPS: STEP, DOLLARS: SECONDS, "speed/mfu": "speed/tokens_per_second"}  # in most runs
VALIDATION = ("val/loss", "val/perplexity", "val/bits_per_byte")


def thin(values: Sequence[float], limit: int) -> list[int]:
    """Choose at most `limit` indices of values: the first, the last, and the extremes of equal intervals.

    limit: at least 4. The overall minimum and maximum are always among them.
    """
    count = len(values)
    if count <= limit:
        return list(range(count))
    stretches = (limit - 2) // 2
    kept = {0, count - 1}
    for number in range(stretches):
        stretch = range(number * count // stretches, (number + 1) * count // stretches)
        kept |= {min(stretch, key=values.__getitem__), max(stretch, key=values.__getitem__)}
    return sorted(kept)


def encode(rows: Sequence[MetricsRow], names: Sequence[str], *, limit: int) -> dict[str, Any]:
    """Encode the rows that have the first of `names`, thinned by it, as columns for the page.

    A column is a list (null where a row lacks the number) or, where it equals another column times a constant,
    {"of": that column, "times": the constant}.
    """
    rows = [row for row in rows if names[0] in row and STEP in row]
    rows = [rows[place] for place in thin([row[names[0]] for row in rows], limit)]
    columns: dict[str, Any] = {}
    for name in (*AXES, *names):
        ratio = _ratio(rows, name, PROPORTIONAL.get(name))
        column = [short(row[name]) if name in row else None for row in rows]
        columns[name] = column if ratio is None else {"of": PROPORTIONAL[name], "times": ratio}
    return columns


def _ratio(rows: Sequence[MetricsRow], name: str, base: str | None) -> float | None:
    """Return the constant ratio of two columns; None where it varies."""
    if base is None or not rows or not all(name in row and base in row for row in rows) or not rows[-1][base]:
        return None
    ratio = rows[-1][name] / rows[-1][base]
    if not math.isfinite(ratio):
        return None
    even = all(math.isclose(row[name], ratio * row[base], rel_tol=1e-6, abs_tol=1e-12) for row in rows)
    return ratio if even else None


def short(value: float) -> float:
    """Round a number to six digits, which a chart cannot distinguish from the original."""
    if isinstance(value, int) and abs(value) < 10**15:
        return value
    rounded = float(f"{value:.6g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 10**15 else rounded
