"""Compute the learning rate of each step."""

import torch

from tinystories_lm.config.choices import DECAY_SHAPES
from tinystories_lm.config.schema import ScheduleConfig


def learning_rate(step: int, *, peak: float, warmup_steps: int, steps: int, schedule: ScheduleConfig) -> float:
    """Return the rate of step 0, 1, … steps - 1: a linear warm-up, a plateau, and a decay that ends at the last step.

    The decay reaches `final_lr_fraction` at the last step, whose rate is 0 where that is 0. A run of a single step
    takes the middle of the decay, so that it learns something.

    It is a function of the step and the run's length alone. A finished run that is resumed with more steps follows the
    longer run's schedule from there, so that its rate rises again before it falls.
    """
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    decay_steps = max(1, round((steps - warmup_steps) * schedule.decay_fraction))
    progress = min(1.0, max(0.0, (step + 1 - (steps - decay_steps)) / decay_steps))
    if steps == 1:
        progress = 0.5
    remaining = DECAY_SHAPES[schedule.decay_shape](progress)
    return peak * (schedule.final_lr_fraction + (1.0 - schedule.final_lr_fraction) * remaining)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every parameter group the same rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate
