"""What a run will take, before it is started: from its FLOPs and the machine's."""

from typing import NamedTuple

from tinystories_lm.config.schema import Config
from tinystories_lm.errors import UsageError
from tinystories_lm.model.flops import flops_per_token

PUBLISHED_HARDWARE = {"round1": "Apple's MPS", "round2": "an h100", "round3": "an h100", "round4": "an h100"}


class Estimate(NamedTuple):
    flops: float
    seconds: float
    dollars: float


def estimate(config: Config, *, peak_flops_per_second: float, start_step: int = 0) -> Estimate:
    """Seconds are FLOPs over the peak times `hardware.utilisation`; evaluation and sampling come on top."""
    training = config.training
    sequences_left = training.sequences(max(training.steps, start_step)).start - training.sequences(start_step).start
    tokens = sequences_left * config.model.context_tokens
    flops = tokens * flops_per_token(config.model, vocab_size=config.data.vocab_size)
    seconds = flops / (peak_flops_per_second * config.hardware.utilisation)
    return Estimate(flops, seconds, seconds / 3600 * config.hardware.dollars_per_hour)


def check_affordable(config: Config, expected: Estimate) -> None:
    """Raise UsageError for a run that would outlast training.max_hours or cost more than training.max_dollars."""
    hours, where = expected.seconds / 3600, f"on this {config.hardware.name}"
    published = PUBLISHED_HARDWARE.get(config.name)
    advice = f"; it was published on {published}: use one, or" if published else ": use faster hardware,"
    if hours > config.training.max_hours:
        raise UsageError(
            f"{config.name} would take about {hours:,.0f} h {where}{advice} fewer steps (training.steps=…), "
            f"or raise training.max_hours={config.training.max_hours:g}"
        )
    if expected.dollars > config.training.max_dollars:
        raise UsageError(
            f"{config.name} would cost about ${expected.dollars:,.2f} {where}{advice} fewer steps (training.steps=…), "
            f"or raise training.max_dollars={config.training.max_dollars:g}"
        )
