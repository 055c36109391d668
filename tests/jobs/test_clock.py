"""The clock of a run: all seconds are paid for, and speed counts training steps alone."""

import pytest

from tinystories_lm.jobs import clock
from tinystories_lm.jobs.clock import RunClock
from tinystories_lm.runs.checkpoint import Progress


def test_every_second_costs_and_evaluation_does_not_slow_the_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(clock.time, "perf_counter", lambda: now)
    progress = Progress(step=10, tokens=1000, train_seconds=50.0, dollars=1.0)  # of earlier processes
    run_clock = RunClock(progress, dollars_per_hour=3600.0)
    assert run_clock.speed_and_cost() == "$1.00" and run_clock.time_left(20) == ""

    now, progress.step, progress.tokens = 102.0, 12, 1200  # two steps of 100 tokens in two seconds
    assert run_clock.measure_speed() == 100.0
    run_clock.count()
    assert (progress.train_seconds, progress.dollars) == (52.0, 3.0)

    now = 107.0  # an evaluation
    run_clock.restart_speed()
    now, progress.step, progress.tokens = 108.0, 14, 1400
    assert run_clock.measure_speed() == 200.0
    run_clock.count()
    assert (progress.train_seconds, progress.dollars) == (58.0, 9.0)
    assert run_clock.time_left(20) == "12 s left", "eight seconds for four steps: six more take twelve"
    assert run_clock.time_left(14) == ""
