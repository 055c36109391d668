"""The `scaling` command: fit a law to a sweep, validate it, predict runs, and write a chart and a record."""

import math
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from tinystories_lm.analysis.scaling.caveats import caveats
from tinystories_lm.analysis.scaling.chart import draw
from tinystories_lm.analysis.scaling.fit import INTERVAL, RESAMPLES, Fit, fit
from tinystories_lm.analysis.scaling.forecast import Forecast, Purchase, compose_for_forecast, forecast, purchases
from tinystories_lm.analysis.scaling.holdout import Validation, hold_out
from tinystories_lm.analysis.scaling.law import NAMES
from tinystories_lm.analysis.scaling.observations import Observations, collect, describe_observations
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.files import write_text
from tinystories_lm.system.json_files import write_json


class Analysis(NamedTuple):
    """Everything that the command found."""

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
    configs = [compose_for_forecast(overrides) for overrides in predict]
    points = collect(sweep)
    found = fit(points.sample)
    analysis = Analysis(
        points=points,
        fit=found,
        validation=hold_out(points.points),
        forecasts=tuple(
            forecast(found, points, overrides, config) for overrides, config in zip(predict, configs, strict=True)
        ),
        purchases=() if dollars is None else tuple(purchases(found, points, dollars)),
        warnings=(*describe_observations(points), *caveats(found, points.sample)),
    )
    title = points.folder.resolve().name
    write_text(points.folder / "scaling.svg", draw(found.law, points.points, title=title))
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
                "interval": list(found.interval(name)),
                "held": found.held.get(name, ""),
            }
            for name in NAMES
        },
        "interval_quantiles": list(INTERVAL),
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
        "validation": _validation(analysis.validation),
        "forecasts": [_forecast(one) for one in analysis.forecasts],
        "purchases": [_purchase(one) for one in analysis.purchases],
        "warnings": list(analysis.warnings),
    }


def _validation(found: Validation) -> dict[str, Any]:
    return {
        "fitted_points": found.fitted_points,
        "held": dict(found.held),
        "reason": found.reason,
        "mean_absolute_relative_error": found.mean_absolute_error if found.predicted else None,
        "points": [
            {
                "run": one.point.run,
                "loss": one.point.loss,
                "foretold": one.loss,
                "interval": list(one.interval),
                "relative_error": one.relative_error,
            }
            for one in found.predicted
        ],
    }


def _forecast(one: Forecast) -> dict[str, Any]:
    return {
        "overrides": list(one.overrides),
        "parameters": one.parameters,
        "tokens": one.tokens,
        "flops": one.flops,
        "loss": one.loss,
        "loss_interval": list(one.loss_interval),
        "perplexity": one.perplexity,
        "perplexity_interval": list(one.perplexity_interval),
        "hardware": [quote._asdict() for quote in one.quotes],
        "reach": one.reach,
        "warnings": list(one.warnings),
    }


def _purchase(one: Purchase) -> dict[str, Any]:
    return {
        **one.quote._asdict(),
        "flops": one.flops,
        "parameters": one.parameters,
        "parameters_interval": list(one.parameters_interval),
        "tokens": one.tokens,
        "tokens_interval": list(one.tokens_interval),
        "loss": one.loss,
        "loss_interval": list(one.loss_interval),
        "reach": one.reach,
    }
