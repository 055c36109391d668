"""Predict loss, hours and dollars of a run, or of the best run for a budget, from a fitted scaling law."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from tinystories_lm.analysis.scaling.fit import Fit, Interval, interval
from tinystories_lm.analysis.scaling.law import best_allocation, has_frontier
from tinystories_lm.analysis.scaling.observations import Observations, comparable
from tinystories_lm.config.compose import priced_hardware
from tinystories_lm.config.schema import Config, HardwareConfig
from tinystories_lm.model.flops import count_parameters, flops_per_token
from tinystories_lm.planning.estimate import Speed, estimate
from tinystories_lm.system.errors import UsageError
from tinystories_lm.training.loss import perplexity


class Quote(NamedTuple):
    hardware: str
    hours: float
    dollars: float


class Forecast(NamedTuple):
    """The prediction of one run."""

    overrides: tuple[str, ...]
    parameters: float
    tokens: float
    flops: float
    loss: float
    loss_interval: Interval
    perplexity: float
    perplexity_interval: Interval
    hardware: tuple[Quote, ...]
    reach: str  # description of how far it extrapolates
    warnings: tuple[str, ...]


class Purchase(NamedTuple):
    """The best run that a budget buys on one kind of hardware."""

    hardware: str
    hours: float
    dollars: float
    flops: float
    parameters: float
    parameters_interval: Interval
    tokens: float
    tokens_interval: Interval
    loss: float
    loss_interval: Interval
    reach: str


def forecast(found: Fit, points: Observations, overrides: Sequence[str], config: Config) -> Forecast:
    parameters = count_parameters(config.model, vocab_size=config.data.vocab_size).total
    tokens = config.tokens
    flops = tokens * flops_per_token(config.model, vocab_size=config.data.vocab_size)
    loss, loss_interval = found.law.loss(parameters, tokens), found.loss_interval(parameters, tokens)
    quotes = []
    for hardware in priced_hardware():
        priced = dataclasses.replace(config, hardware=hardware)
        expected = estimate(priced, Speed(hardware.peak_flops_per_second))
        quotes.append(Quote(hardware.name, expected.seconds / 3600, expected.dollars))
    return Forecast(
        overrides=tuple(overrides),
        parameters=parameters,
        tokens=tokens,
        flops=flops,
        loss=loss,
        loss_interval=loss_interval,
        perplexity=perplexity(loss),
        perplexity_interval=Interval(*map(perplexity, loss_interval)),
        hardware=tuple(quotes),
        reach=reach(points, parameters=parameters, tokens=tokens, flops=flops),
        warnings=(
            *_settings_warnings(points, config),
            *_missing_term_warnings(found),
            *_repetition_warnings(points, config, tokens),
        ),
    )


def reach(points: Observations, *, parameters: float, tokens: float, flops: float) -> str:
    """Describe how far a run lies outside the range of the fitted runs."""
    beyond = []
    for value, name, what in (
        (tokens, "tokens", "tokens"),
        (parameters, "parameters", "size"),
        (flops, "flops", "compute"),
    ):
        known = [float(getattr(point, name)) for point in points.points]
        if value > 1.01 * max(known):
            beyond.append(f"{_format_ratio(value / max(known))} in {what}")
        elif value < 0.99 * min(known):
            beyond.append(f"{_format_ratio(min(known) / value)} down in {what}")
    return f"extrapolates {', '.join(beyond)}" if beyond else "within the fitted runs"


def _format_ratio(ratio: float) -> str:
    return f"{ratio:,.0f}x" if ratio >= 10 else f"{ratio:.2g}x"


def _settings_warnings(points: Observations, config: Config) -> list[str]:
    wanted, fitted = comparable(config), comparable(points.points[-1].config)
    other = [key for key, value in wanted.items() if value != fitted[key]]
    corpus = [key for key in other if key.startswith("data.")]
    paths = {point.config.data.path for point in points.points} | {config.data.path}
    if not corpus and len(paths - {None}) > 1:
        corpus = ["data.path"]
    rest = [key for key in other if key not in corpus]
    lines = []
    if corpus:
        named = f"corpus {config.data.name} instead of {points.points[-1].config.data.name}"
        what = named if "data.name" in corpus else f"{', '.join(corpus)} differs"
        lines.append(f"another corpus or tokenizer ({what}) has another law, so this loss is a guess")
    if rest:
        lines.append(f"the fitted runs have other values of {', '.join(rest)}")
    return lines


def _missing_term_warnings(found: Fit) -> list[str]:
    missing = [what for what, factor in (("size", found.law.A), ("tokens", found.law.B)) if not factor]
    return [f"the fitted runs have one value of {what} only: the prediction holds for that value" for what in missing]


def _repetition_warnings(points: Observations, config: Config, tokens: float) -> list[str]:
    epoch = points.epoch_tokens
    if epoch is None or tokens <= epoch or config.data.name != points.points[-1].config.data.name:
        return []
    return [
        f"it reads the corpus {tokens / epoch:.1f} times, but the law describes fresh tokens, and repeated ones are "
        "worth less (Muennighoff et al. 2023)"
    ]


def purchases(found: Fit, points: Observations, dollars: float) -> list[Purchase]:
    """Find the size and tokens with the lowest loss for a budget, on each kind of hardware that has a price.

    Raises UsageError if the law has no best size.
    """
    if not has_frontier(found.law):
        raise UsageError(
            "scaling: --dollars needs a law in which both size and tokens lower the loss; sweep over both to have one"
        )
    return [_purchase(found, points, dollars, hardware) for hardware in priced_hardware() if hardware.dollars_per_hour]


def _purchase(found: Fit, points: Observations, dollars: float, hardware: HardwareConfig) -> Purchase:
    hours = dollars / hardware.dollars_per_hour
    flops = hours * 3600 * hardware.peak_flops_per_second * hardware.utilisation
    best = best_allocation(found.law, flops)
    resampled = [best_allocation(law, flops) for law in found.resampled if has_frontier(law)] or [best]
    return Purchase(
        hardware=hardware.name,
        hours=hours,
        dollars=dollars,
        flops=flops,
        parameters=best.parameters,
        parameters_interval=interval([one.parameters for one in resampled], best.parameters),
        tokens=best.tokens,
        tokens_interval=interval([one.tokens for one in resampled], best.tokens),
        loss=found.law.loss(*best),
        loss_interval=found.loss_interval(*best),
        reach=reach(points, parameters=best.parameters, tokens=best.tokens, flops=flops),
    )
