"""The learning rate of each step."""

import math

import torch

from tinystories_lm.config.choices import DecayShape
from tinystories_lm.config.schema import ScheduleConfig


def learning_rate(step: int, *, peak: float, warmup_steps: int, steps: int, schedule: ScheduleConfig) -> float:
    """The rate of step 0, 1, … steps - 1: up in a line, a plateau, down to its final share at the last step.

    A function of the step and the run's length alone. A finished run that goes on with more steps follows the
    longer run's schedule from there, so its rate rises again before it falls.
    """
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    decay_steps = max(1, round((steps - warmup_steps) * schedule.decay_fraction))
    progress = min(1.0, max(0.0, (step + 1 - (steps - decay_steps)) / decay_steps))
    if schedule.decay_shape is DecayShape.cosine:
        remaining = 0.5 * (1.0 + math.cos(math.pi * progress))
    else:
        remaining = 1.0 - progress
    return peak * (schedule.final_lr_fraction + (1.0 - schedule.final_lr_fraction) * remaining)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
