"""The learning rate of each step, against hand-written formulas."""

import math

import pytest

from tinystories_lm.config.choices import DECAY_SHAPES, DecayShape
from tinystories_lm.config.schema import ScheduleConfig
from tinystories_lm.training.schedule import learning_rate

COSINE = ScheduleConfig(decay_shape=DecayShape.cosine, decay_fraction=1.0, final_lr_fraction=0.1)
STABLE = ScheduleConfig(decay_shape=DecayShape.linear, decay_fraction=0.2, final_lr_fraction=0.0)


def rates(schedule: ScheduleConfig, *, warmup_steps: int = 10, steps: int = 110) -> list[float]:
    return [
        learning_rate(step, peak=2.0, warmup_steps=warmup_steps, steps=steps, schedule=schedule)
        for step in range(steps)
    ]


def test_warm_up_rises_in_a_line_to_the_peak() -> None:
    assert rates(COSINE)[:10] == pytest.approx([0.2 * (step + 1) for step in range(10)])


def test_cosine_is_half_a_cosine_from_the_peak_to_its_final_share() -> None:
    got = rates(COSINE)[10:]
    want = [0.2 + 1.8 * (1 + math.cos(math.pi * (step + 1) / 100)) / 2 for step in range(100)]
    assert got == pytest.approx(want)
    assert got[-1] == pytest.approx(0.2)


def test_warmup_stable_decay_has_a_plateau_and_ends_at_zero() -> None:
    got = rates(STABLE)
    assert got[9:90] == pytest.approx([2.0] * 81)
    assert got[90:] == pytest.approx([2.0 * (1 - step / 20) for step in range(1, 21)])


@pytest.mark.parametrize("schedule", [COSINE, STABLE])
@pytest.mark.parametrize(("warmup_steps", "steps"), [(0, 1), (1, 1), (5, 5), (0, 3)])
def test_the_shortest_runs_have_a_rate_for_every_step(schedule: ScheduleConfig, warmup_steps: int, steps: int) -> None:
    assert all(0 <= rate <= 2 for rate in rates(schedule, warmup_steps=warmup_steps, steps=steps))


@pytest.mark.parametrize("shape", DecayShape)
def test_every_shape_falls_from_the_whole_rate_to_nothing(shape: DecayShape) -> None:
    remaining = [DECAY_SHAPES[shape](step / 100) for step in range(101)]
    assert remaining[0] == 1 and remaining[-1] == pytest.approx(0)
    assert remaining == sorted(remaining, reverse=True)


@pytest.mark.parametrize("schedule", [COSINE, STABLE])
def test_a_run_of_one_step_learns(schedule: ScheduleConfig) -> None:
    (rate,) = rates(schedule, warmup_steps=0, steps=1)
    assert 0.5 < rate < 2.0
