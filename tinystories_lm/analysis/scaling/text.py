"""Format an analysis for the terminal."""

import math
import os

from tinystories_lm.analysis.scaling.analyse import Analysis
from tinystories_lm.analysis.scaling.fit import Interval
from tinystories_lm.analysis.scaling.forecast import Forecast, Purchase
from tinystories_lm.analysis.scaling.holdout import Validation
from tinystories_lm.analysis.scaling.law import NAMES
from tinystories_lm.analysis.scaling.observations import describe_left_out
from tinystories_lm.system.console import amount, duration, table

MEANINGS = {
    "E": "irreducible loss, nats per token",
    "A": "coefficient of the parameter term, A / N^alpha",
    "B": "coefficient of the token term, B / D^beta",
    "alpha": "exponent of the number of parameters, N",
    "beta": "exponent of the number of training tokens, D",
}


def describe(analysis: Analysis) -> str:
    """Format the law, the runs, the validation, the forecasts and the caveats."""
    folder = analysis.points.folder
    parts = [
        _law(analysis),
        _points(analysis),
        _validation(analysis.validation),
        *(_forecast(one) for one in analysis.forecasts),
        *([_purchases(analysis.purchases)] if analysis.purchases else []),
        *(["\n".join(["What these runs do not determine:", *_list(analysis.warnings)])] if analysis.warnings else []),
        f"wrote {os.path.relpath(folder / 'scaling.svg')} and scaling.json",
    ]
    return "\n\n".join(parts)


def _law(analysis: Analysis) -> str:
    fit, points = analysis.fit, analysis.points
    left_out = f"; left out: {describe_left_out(points)}" if points.left_out else ""
    rows = [
        [
            name,
            f"{getattr(fit.law, name):.4g}",
            "fixed" if name in fit.held else _range(fit.interval(name), ".4g"),
            fit.held.get(name, MEANINGS[name]),
        ]
        for name in NAMES
    ]
    header = ["parameter", "value", "80 % interval", "meaning"]
    return (
        f"L(N, D) = E + A / N^alpha + B / D^beta, from {len(points.points)} runs{left_out}\n"
        f"{table(header, rows, right=(1,))}"
    )


def _points(analysis: Analysis) -> str:
    rows = []
    for point, residual in zip(analysis.points.points, analysis.fit.log_residuals, strict=True):
        fitted = analysis.fit.law.loss(point.parameters, point.tokens)
        rows.append(
            [
                point.run,
                amount(point.parameters),
                amount(point.tokens),
                _exponent(point.flops),
                f"{point.loss:.4f}",
                f"{fitted:.4f}",
                f"{math.expm1(-residual):+.2%}",
            ]
        )
    return table(["run", "parameters", "tokens", "FLOPs", "loss", "fitted loss", "error"], rows, right=range(1, 7))


def _validation(validation: Validation) -> str:
    if not validation.predicted:
        return f"No run was held out: {validation.reason}"
    rows = [
        [
            one.point.run,
            _exponent(one.point.flops),
            f"{one.point.loss:.4f}",
            f"{one.loss:.4f}",
            _range(one.interval, ".4f"),
            f"{one.relative_error:+.2%}",
        ]
        for one in validation.predicted
    ]
    fixed = f" (with {' and '.join(validation.held)} fixed)" if validation.held else ""
    header = ["run", "FLOPs", "loss", "predicted", "80 % interval", "error"]
    return (
        f"The {len(rows)} most expensive runs, predicted from the {validation.fitted_points} cheapest{fixed}:\n"
        f"{table(header, rows, right=(1, 2, 3, 5))}\n"
        f"mean absolute error of the loss: {validation.mean_absolute_error:.2%}"
    )


def _forecast(one: Forecast) -> str:
    rows = [
        ["parameters", f"{one.parameters:,.0f}"],
        ["tokens", f"{one.tokens:,.0f}"],
        ["FLOPs", _exponent(one.flops)],
        ["loss", f"{one.loss:.3f}, 80 % interval {_range(one.loss_interval, '.3f')}"],
        ["perplexity", f"{one.perplexity:.2f}, 80 % interval {_range(one.perplexity_interval, '.2f')}"],
        *([f"on {quote.hardware}", f"{duration(quote.hours * 3600)}, ${quote.dollars:,.2f}"] for quote in one.quotes),
        ["extrapolation", one.reach],
    ]
    width = max(len(name) for name, _ in rows)
    lines = [f"  {name.ljust(width)}  {value}" for name, value in rows]
    return "\n".join([f"Forecast of {' '.join(one.overrides)}:", *lines, *_list(one.warnings)])


def _purchases(purchases: tuple[Purchase, ...]) -> str:
    rows = [
        [
            one.quote.hardware,
            duration(one.quote.hours * 3600),
            f"{amount(one.parameters)} ({_amounts(one.parameters_interval)})",
            f"{amount(one.tokens)} ({_amounts(one.tokens_interval)})",
            f"{one.loss:.3f} ({_range(one.loss_interval, '.3f')})",
            one.reach,
        ]
        for one in purchases
    ]
    header = ["hardware", "time", "parameters", "tokens", "loss", "extrapolation"]
    return (
        f"The model size and token count with the lowest predicted loss for ${purchases[0].quote.dollars:,.2f},"
        " with 80 % intervals, where a run takes 6 N D FLOPs:\n"
        f"{table(header, rows, right=(1,))}"
    )


def _list(lines: tuple[str, ...]) -> list[str]:
    return [f"- {line}" for line in lines]


def _range(interval: Interval, spec: str) -> str:
    return f"{interval.low:{spec}} … {interval.high:{spec}}"


def _amounts(interval: Interval) -> str:
    return f"{amount(interval.low)} … {amount(interval.high)}"


def _exponent(flops: float) -> str:
    return f"{flops:.2e}".replace("e+", "e")
