"""The `scaling` command: fit a law to a sweep, validate it, predict runs, and report them as text, chart and record."""

import math
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from tinystories_lm.analysis.scaling.chart import draw
from tinystories_lm.analysis.scaling.fit import INTERVAL, RESAMPLES, Fit, Interval, fit
from tinystories_lm.analysis.scaling.forecast import Forecast, Purchase, forecast, purchases
from tinystories_lm.analysis.scaling.law import NAMES
from tinystories_lm.analysis.scaling.observations import Observations, collect, describe_observations, sample_of
from tinystories_lm.analysis.scaling.reliability import Validation, caveats, hold_out
from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.system.console import amount, duration, table
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.files import write_text
from tinystories_lm.system.json_files import write_json

MEANINGS = {
    "E": "irreducible loss, nats per token",
    "A": "coefficient of the parameter term, A / N^alpha",
    "B": "coefficient of the token term, B / D^beta",
    "alpha": "exponent of the number of parameters, N",
    "beta": "exponent of the number of training tokens, D",
}


class Analysis(NamedTuple):
    points: Observations
    fit: Fit
    validation: Validation
    forecasts: tuple[Forecast, ...]
    purchases: tuple[Purchase, ...]
    warnings: tuple[str, ...]


def analyse(sweep: str, *, predict: Sequence[Sequence[str]] = (), dollars: float | None = None) -> Analysis:
    """Fit a sweep's finished runs and write scaling.svg and scaling.json into its folder.

    predict: the overrides of each run to predict.
    dollars: a budget for which to find the best size and number of tokens.

    Raises UsageError for an unknown sweep, too few runs, overrides that cannot be composed, or a budget of 0 or less.
    """
    if dollars is not None and not 0 < dollars < math.inf:
        raise UsageError(f"scaling: --dollars {dollars:g} must be above 0; give the budget in dollars")
    register()
    configs = [compose_config(overrides).config for overrides in predict]
    points = collect(sweep)
    sample = sample_of(points.points)
    found = fit(sample)
    analysis = Analysis(
        points=points,
        fit=found,
        validation=hold_out(points.points),
        forecasts=tuple(
            forecast(found, points, overrides, config) for overrides, config in zip(predict, configs, strict=True)
        ),
        purchases=() if dollars is None else tuple(purchases(found, points, dollars)),
        warnings=(*describe_observations(points), *caveats(found, sample)),
    )
    chart = draw(found.law, points.points, title=points.folder.resolve().name)
    write_text(points.folder / "scaling.svg", chart)
    write_json(points.folder / "scaling.json", to_record(analysis))
    return analysis


def to_record(analysis: Analysis) -> dict[str, Any]:
    """Return the analysis as JSON types, for programs."""
    found, points = analysis.fit, analysis.points
    return {
        "sweep": os.path.relpath(points.folder),
        "law": "L(N, D) = E + A / N^alpha + B / D^beta",
        "parameters": {
            name: {
                "value": getattr(found.law, name),
                "interval": found.interval(name),
                "held": found.held.get(name, ""),
            }
            for name in NAMES
        },
        "interval_quantiles": INTERVAL,
        "resamples": RESAMPLES,
        "points": [
            {
                "run": point.run,
                "parameters": point.parameters,
                "tokens": point.tokens,
                "flops": point.flops,
                "loss": point.loss,
                "fitted": found.law.loss(point.parameters, point.tokens),
                "log_residual": residual,
                "dollars": point.dollars,
                "seconds": point.seconds,
            }
            for point, residual in zip(points.points, found.log_residuals, strict=True)
        ],
        "left_out": points.left_out,
        "validation": _validation_record(analysis.validation),
        "forecasts": [
            {**one._asdict(), "hardware": [quote._asdict() for quote in one.hardware]} for one in analysis.forecasts
        ],
        "purchases": [one._asdict() for one in analysis.purchases],
        "warnings": analysis.warnings,
    }


def _validation_record(found: Validation) -> dict[str, Any]:
    return {
        "fitted_points": found.fitted_points,
        "held": found.held,
        "reason": found.reason,
        "mean_absolute_relative_error": found.mean_absolute_error if found.predicted else None,
        "points": [
            {
                "run": one.point.run,
                "loss": one.point.loss,
                "foretold": one.loss,
                "interval": one.interval,
                "relative_error": one.relative_error,
            }
            for one in found.predicted
        ],
    }


def describe(analysis: Analysis) -> str:
    """Format the law, the runs, the validation, the forecasts and the caveats."""
    parts = [_law(analysis), _points(analysis), _validation(analysis.validation), *map(_forecast, analysis.forecasts)]
    if analysis.purchases:
        parts.append(_purchases(analysis.purchases))
    if analysis.warnings:
        parts.append("\n".join(["What these runs do not determine:", *_list(analysis.warnings)]))
    parts.append(f"wrote {os.path.relpath(analysis.points.folder / 'scaling.svg')} and scaling.json")
    return "\n\n".join(parts)


def _law(analysis: Analysis) -> str:
    fit, points = analysis.fit, analysis.points
    left_out = f"; left out: {points.describe_left_out()}" if points.left_out else ""
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
    rows = [
        [
            point.run,
            amount(point.parameters),
            amount(point.tokens),
            _exponent(point.flops),
            f"{point.loss:.4f}",
            f"{analysis.fit.law.loss(point.parameters, point.tokens):.4f}",
            f"{math.expm1(-residual):+.2%}",
        ]
        for point, residual in zip(analysis.points.points, analysis.fit.log_residuals, strict=True)
    ]
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
        *([f"on {quote.hardware}", f"{duration(quote.hours * 3600)}, ${quote.dollars:,.2f}"] for quote in one.hardware),
        ["extrapolation", one.reach],
    ]
    width = max(len(name) for name, _ in rows)
    lines = [f"  {name.ljust(width)}  {value}" for name, value in rows]
    return "\n".join([f"Forecast of {' '.join(one.overrides)}:", *lines, *_list(one.warnings)])


def _purchases(purchases: tuple[Purchase, ...]) -> str:
    rows = [
        [
            one.hardware,
            duration(one.hours * 3600),
            f"{amount(one.parameters)} ({_amounts(one.parameters_interval)})",
            f"{amount(one.tokens)} ({_amounts(one.tokens_interval)})",
            f"{one.loss:.3f} ({_range(one.loss_interval, '.3f')})",
            one.reach,
        ]
        for one in purchases
    ]
    header = ["hardware", "time", "parameters", "tokens", "loss", "extrapolation"]
    return (
        f"The model size and token count with the lowest predicted loss for ${purchases[0].dollars:,.2f},"
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
