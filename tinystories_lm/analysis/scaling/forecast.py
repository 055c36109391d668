"""What a run, or a sum of money, would come to by a law: loss, hours and dollars, and how far that reaches."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from tinystories_lm.analysis.scaling.fit import Fit, Interval, interval
from tinystories_lm.analysis.scaling.law import best_allocation, has_frontier
from tinystories_lm.analysis.scaling.observations import Points, comparable
from tinystories_lm.config.compose import compose_config, priced_hardware, register
from tinystories_lm.config.schema import Config, HardwareConfig
from tinystories_lm.model.flops import count_parameters, flops_per_token
from tinystories_lm.planning.estimate import estimate
from tinystories_lm.system.errors import UsageError
from tinystories_lm.training.loss import perplexity


class Quote(NamedTuple):
    """What a run takes on one hardware."""

    hardware: str
    hours: float
    dollars: float


class Forecast(NamedTuple):
    overrides: tuple[str, ...]
    parameters: float
    tokens: float
    flops: float
    loss: float
    loss_interval: Interval
    quotes: tuple[Quote, ...]
    reach: str  # beyond the points, in words
    warnings: tuple[str, ...]

    @property
    def perplexity(self) -> float:
        return perplexity(self.loss)

    @property
    def perplexity_interval(self) -> Interval:
        return Interval(*map(perplexity, self.loss_interval))


class Purchase(NamedTuple):
    """The best that some dollars buy on one hardware."""

    quote: Quote
    flops: float
    parameters: float
    parameters_interval: Interval
    tokens: float
    tokens_interval: Interval
    loss: float
    loss_interval: Interval
    reach: str


def compose_for_forecast(overrides: Sequence[str]) -> Config:
    """A run's config; no machine is looked for.

    Raises UsageError in one line for wrong overrides.
    """
    register()
    return compose_config(overrides).config


def forecast(found: Fit, points: Points, overrides: Sequence[str], config: Config) -> Forecast:
    """The run that these overrides mean."""
    parameters = count_parameters(config.model, vocab_size=config.data.vocab_size).total
    tokens = config.tokens
    flops = tokens * flops_per_token(config.model, vocab_size=config.data.vocab_size)
    quotes = []
    for hardware in priced_hardware():
        there = dataclasses.replace(config, hardware=hardware)
        expected = estimate(there, peak_flops_per_second=hardware.peak_flops_per_second)
        quotes.append(Quote(hardware.name, expected.seconds / 3600, expected.dollars))
    return Forecast(
        overrides=tuple(overrides),
        parameters=parameters,
        tokens=tokens,
        flops=flops,
        loss=found.law.loss(parameters, tokens),
        loss_interval=found.loss_interval(parameters, tokens),
        quotes=tuple(quotes),
        reach=reach(points, parameters=parameters, tokens=tokens, flops=flops),
        warnings=(*_other_settings(points, config), *_unseen_terms(found), *_epochs(points, config, tokens)),
    )


def reach(points: Points, *, parameters: float, tokens: float, flops: float) -> str:
    """How far beyond the points this lies, in words."""
    beyond = []
    for value, name, what in (
        (tokens, "tokens", "tokens"),
        (parameters, "parameters", "size"),
        (flops, "flops", "compute"),
    ):
        known = [float(getattr(point, name)) for point in points.points]
        if value > 1.01 * max(known):
            beyond.append(f"{_times(value / max(known))} in {what}")
        elif value < 0.99 * min(known):
            beyond.append(f"{_times(min(known) / value)} down in {what}")
    return f"extrapolates {', '.join(beyond)}" if beyond else "within the points"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}x" if ratio >= 10 else f"{ratio:.2g}x"


def _other_settings(points: Points, config: Config) -> list[str]:
    wanted, usual = comparable(config), comparable(points.points[-1].config)
    other = [key for key, value in wanted.items() if value != usual[key]]
    corpus = [key for key in other if key.startswith("data.")]
    paths = {point.config.data.path for point in points.points} | {config.data.path}
    if not corpus and len(paths - {None}) > 1:
        corpus = ["data.path"]
    rest = [key for key in other if key not in corpus]
    told = []
    if corpus:
        named = f"{config.data.name} is not the points' {points.points[-1].config.data.name}"
        what = named if "data.name" in corpus else f"{', '.join(corpus)} is not the points'"
        told.append(f"another corpus or tokenizer ({what}) has another law: take this loss for a guess")
    if rest:
        told.append(f"the points were trained otherwise in {', '.join(rest)}")
    return told


def _unseen_terms(found: Fit) -> list[str]:
    missing = [what for what, factor in (("size", found.law.A), ("tokens", found.law.B)) if not factor]
    return [f"the points say nothing of {what}: this is for their one value of it" for what in missing]


def _epochs(points: Points, config: Config, tokens: float) -> list[str]:
    epoch = points.epoch_tokens
    if epoch is None or tokens <= epoch or config.data.name != points.points[-1].config.data.name:
        return []
    return [
        f"reads the points' corpus {tokens / epoch:.1f} times: the law is one of fresh tokens, and repeated ones are "
        "worth less (Muennighoff et al. 2023)"
    ]


def purchases(found: Fit, points: Points, dollars: float) -> list[Purchase]:
    """The size and tokens of the lowest loss for so many dollars, on each hardware that has a price.

    Raises UsageError where the law has no best size.
    """
    if not has_frontier(found.law):
        raise UsageError(
            "scaling: --dollars needs a law in which both size and tokens lower the loss; sweep over both to have one"
        )
    return [_purchase(found, points, dollars, hardware) for hardware in priced_hardware() if hardware.dollars_per_hour]


def _purchase(found: Fit, points: Points, dollars: float, hardware: HardwareConfig) -> Purchase:
    hours = dollars / hardware.dollars_per_hour
    flops = hours * 3600 * hardware.peak_flops_per_second * hardware.utilisation
    best = best_allocation(found.law, flops)
    others = [best_allocation(law, flops) for law in found.resampled if has_frontier(law)]
    return Purchase(
        quote=Quote(hardware.name, hours, dollars),
        flops=flops,
        parameters=best.parameters,
        parameters_interval=interval([one.parameters for one in others] or [best.parameters], best.parameters),
        tokens=best.tokens,
        tokens_interval=interval([one.tokens for one in others] or [best.tokens], best.tokens),
        loss=found.law.loss(*best),
        loss_interval=found.loss_interval(*best),
        reach=reach(points, parameters=best.parameters, tokens=best.tokens, flops=flops),
    )
