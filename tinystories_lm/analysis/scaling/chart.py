"""Draw the law as SVG: loss against compute, and loss against size at equal compute."""

import html
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tinystories_lm.analysis.scaling.law import Law, best_allocation, has_frontier
from tinystories_lm.analysis.scaling.observations import Observation
from tinystories_lm.system.console import amount

WIDTH, HEIGHT, PANEL, TOP, BOTTOM, LEFT = 960, 470, 390, 112, 56, 68
SECOND = LEFT + PANEL + 88  # position of the right panel's axis
MOST_CURVES = 5
STEPS = 60  # points per curve
# Dark to bright and legible on white and on black: five stops of viridis without its extremes.
PALETTE = ((98, 68, 160), (58, 105, 168), (33, 145, 140), (74, 176, 92), (214, 150, 20))
STYLE = (
    ".card{fill:#fff;stroke:#ddd}text{fill:#444}.grid{stroke:#ccc;stroke-width:.5}.line{fill:none;stroke-width:1.6}"
    ".frontier{fill:none;stroke:#222;stroke-width:1.6;stroke-dasharray:5 4}.best{fill:#222}.point{stroke:#fff}"
    "@media(prefers-color-scheme:dark){.card{fill:#15171a;stroke:#333}text{fill:#ccc}.grid{stroke:#3a3d42}"
    ".frontier{stroke:#eee}.best{fill:#eee}.point{stroke:#15171a}}"
)


class Axes(NamedTuple):
    """Two logarithmic axes of one panel."""

    left: float
    x: tuple[float, float]  # range of the logarithms
    y: tuple[float, float]

    def place(self, x: float, y: float) -> tuple[float, float]:
        across = (math.log(x) - self.x[0]) / (self.x[1] - self.x[0])
        up = (math.log(y) - self.y[0]) / (self.y[1] - self.y[0])
        return self.left + PANEL * across, TOP + (HEIGHT - TOP - BOTTOM) * (1 - up)


def draw(law: Law, points: Sequence[Observation], *, title: str) -> str:
    """Draw two panels: the runs with the law at each size and the frontier, and the law at a few compute budgets.

    Compute is 6 N D in both, so that the frontier touches the curves.
    """
    sizes = _sizes(points)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><style>{STYLE}</style><rect class="card" x=".5" y=".5" width="{WIDTH - 1}" '
        f'height="{HEIGHT - 1}" rx="6"/>',
        _text(LEFT, 26, f"{title}: {_formula(law)}", anchor="start", size=14),
        *_by_compute(law, points, sizes),
        *_by_size(law, points),
    ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _formula(law: Law) -> str:
    terms = [f"{law.E:.3f}"]
    terms += [f"{law.A:,.4g} / N^{law.alpha:.3f}"] if law.A else []
    terms += [f"{law.B:,.4g} / D^{law.beta:.3f}"] if law.B else []
    return f"L = {' + '.join(terms)}"


def _sizes(points: Sequence[Observation]) -> list[float]:
    """Return the sizes whose curves are drawn: all of them, or MOST_CURVES spread over their range."""
    ordered = sorted({point.parameters for point in points})
    kept = [size for place, size in enumerate(ordered) if not place or size > 1.01 * ordered[place - 1]]
    if len(kept) <= MOST_CURVES:
        return [float(size) for size in kept]
    return [float(kept[round(share * (len(kept) - 1) / (MOST_CURVES - 1))]) for share in range(MOST_CURVES)]


def _by_compute(law: Law, points: Sequence[Observation], sizes: Sequence[float]) -> list[str]:
    computes = [6.0 * point.parameters * point.tokens for point in points]
    low, high = min(computes) / 2, max(computes) * 4
    tokens = [point.tokens for point in points]
    span = (min(tokens) / 1.5, max(tokens) * 1.5)
    curves = []
    for size in sizes:
        ends = max(low, 6 * size * span[0]), min(high, 6 * size * span[1])
        curve = [(flops, law.loss(size, flops / (6 * size))) for flops in _between(*ends)] if ends[0] < ends[1] else []
        curves.append((size, curve))
    frontier: list[tuple[float, float]] = []
    if has_frontier(law):
        frontier = [(flops, law.loss(*best_allocation(law, flops))) for flops in _between(low, high)]
    losses = [point.loss for point in points] + [y for _, curve in curves for _, y in curve] + [y for _, y in frontier]
    axes = _axes(LEFT, (low, high), losses)
    colour = _colours(min(point.parameters for point in points), max(point.parameters for point in points))
    parts = _frame(axes, "compute 6ND, FLOPs", "loss, nats per token", "the runs, and the law at each size")
    for size, curve in curves:
        parts.append(_line(axes, curve, f'class="line" stroke="{colour(size)}"'))
    parts.append(_line(axes, frontier, 'class="frontier"'))
    for point, flops in zip(points, computes, strict=True):
        x, y = axes.place(flops, point.loss)
        about = html.escape(f"{point.run}: {amount(point.parameters)}, {amount(point.tokens)} tokens, {point.loss:.4f}")
        parts.append(
            f'<circle class="point" cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour(point.parameters)}">'
            f"<title>{about}</title></circle>"
        )
    named = [(amount(size), f'class="line" stroke="{colour(size)}"') for size in sizes]
    return parts + _legend(LEFT, [*named, *([("best size", 'class="frontier"')] if frontier else [])])


def _by_size(law: Law, points: Sequence[Observation]) -> list[str]:
    if not has_frontier(law):
        middle = SECOND + PANEL / 2
        return [
            _text(middle, HEIGHT / 2 - 10, "no best size: the law of these runs"),
            _text(middle, HEIGHT / 2 + 10, "does not fall with both size and tokens"),
        ]
    computes = [6.0 * point.parameters * point.tokens for point in points]
    chosen = list(_between(min(computes), max(computes) * 10, steps=3))
    best = [best_allocation(law, flops) for flops in chosen]
    sizes = [point.parameters for point in points]
    low = min(*sizes, *(one.parameters for one in best)) / 3
    high = max(*sizes, *(one.parameters for one in best)) * 3
    ceiling = 1.6 * max(law.loss(*one) for one in best)
    colour = _colours(chosen[0], chosen[-1])
    curves = [
        [(size, loss) for size in _between(low, high) if (loss := law.loss(size, flops / (6 * size))) < ceiling]
        for flops in chosen
    ]
    axes = _axes(SECOND, (low, high), [loss for curve in curves for _, loss in curve])
    parts = _frame(axes, "parameters N", "loss, nats per token", "the law at equal 6ND, in FLOPs, with the best sizes")
    styles = [f'class="line" stroke="{colour(flops)}"' for flops in chosen]
    parts += [_line(axes, curve, style) for curve, style in zip(curves, styles, strict=True)]
    parts.append(_line(axes, [(one.parameters, law.loss(*one)) for one in best], 'class="frontier"'))
    for one in best:
        x, y = axes.place(one.parameters, law.loss(*one))
        parts.append(f'<circle class="best" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>')
    named = [(f"{flops:.1e}".replace("e+", "e"), style) for flops, style in zip(chosen, styles, strict=True)]
    return parts + _legend(SECOND, [*named, ("minima", 'class="frontier"')])


def _axes(left: float, x: tuple[float, float], losses: Sequence[float]) -> Axes:
    low, high = math.log(min(losses)), math.log(max(losses))
    margin = 0.06 * (high - low) + 1e-3
    return Axes(left, (math.log(x[0]), math.log(x[1])), (low - margin, high + margin))


def _frame(axes: Axes, across: str, up: str, title: str) -> list[str]:
    right, floor = axes.left + PANEL, HEIGHT - BOTTOM
    parts = [
        _text(axes.left, TOP - 56, title, anchor="start", size=13),
        _text(axes.left + PANEL / 2, HEIGHT - 14, across),
        f'<text transform="translate({axes.left - 50:.0f} {(TOP + floor) / 2:.0f}) rotate(-90)" '
        f'text-anchor="middle">{up}</text>',
    ]
    for value in _powers(*axes.x):
        x, _ = axes.place(value, math.exp(axes.y[0]))
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{floor}"/>')
        parts.append(_text(x, floor + 18, _short(value)))
    for value in _losses(*axes.y):
        _, y = axes.place(math.exp(axes.x[0]), value)
        parts.append(f'<line class="grid" x1="{axes.left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>')
        parts.append(_text(axes.left - 8, y + 4, f"{value:g}", anchor="end"))
    return parts


def _powers(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times each power of ten between two logarithms, thinned to at most 7 ticks."""
    for factors, every in (((1, 2, 5), 1), ((1, 3), 1), ((1,), 1), ((1,), 2), ((1,), 3)):
        exponents = range(math.floor(low / math.log(10)), math.ceil(high / math.log(10)) + 1)
        ticks = [factor * 10.0**exponent for exponent in exponents if exponent % every == 0 for factor in factors]
        inside = [tick for tick in ticks if low <= math.log(tick) <= high]
        if len(inside) <= 7:
            break
    return inside


def _losses(low: float, high: float) -> list[float]:
    """Return about six round losses between two logarithms."""
    width = (math.exp(high) - math.exp(low)) / 6
    unit = 10.0 ** math.floor(math.log10(width))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= width)
    first = math.ceil(math.exp(low) / step)
    return [round(step * count, 10) for count in range(first, math.floor(math.exp(high) / step) + 1)]


def _short(value: float) -> str:
    if value >= 1e10 or value < 1e3:
        return f"{value:.0e}".replace("e+", "e").replace("e0", "e")
    return amount(value)


def _between(low: float, high: float, *, steps: int = STEPS) -> list[float]:
    return [low * (high / low) ** (step / steps) for step in range(steps + 1)]


def _colours(low: float, high: float) -> Callable[[float], str]:
    """Return a function that colours a value by the position of its logarithm between two others."""

    def colour(value: float) -> str:
        share = math.log(value / low) / math.log(high / low) if high > low else 0.5
        place = min(max(share, 0.0), 1.0) * (len(PALETTE) - 1)
        below = min(int(place), len(PALETTE) - 2)
        mixed = (a + (b - a) * (place - below) for a, b in zip(PALETTE[below], PALETTE[below + 1], strict=True))
        return "#" + "".join(f"{round(part):02x}" for part in mixed)

    return colour


def _line(axes: Axes, curve: Sequence[tuple[float, float]], style: str) -> str:
    return f'<polyline {style} points="{" ".join("{:.1f},{:.1f}".format(*axes.place(*point)) for point in curve)}"/>'


def _legend(left: float, named: Sequence[tuple[str, str]]) -> list[str]:
    """Draw a row of short lines with their names, as wide as the panel."""
    parts, each = [], PANEL / len(named)
    for place, (name, style) in enumerate(named):
        x, y = left + place * each, TOP - 26
        parts.append(f'<polyline {style} points="{x:.1f},{y} {x + 16:.1f},{y}"/>')
        parts.append(_text(x + 20, y + 4, name, anchor="start", size=11))
    return parts


def _text(x: float, y: float, words: str, *, anchor: str = "middle", size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{html.escape(words)}</text>'
