"""Measure what a run takes: its seconds and dollars with everything, its speed in training steps alone."""

import time

from tinystories_lm.runs.checkpoint import Progress
from tinystories_lm.system.console import amount, duration


class RunClock:
    """Adds the time that passes to a run's progress, and measures tokens per second.

    tokens_per_second: of the newest measurement; 0 before the first.
    """

    def __init__(self, progress: Progress, *, dollars_per_hour: float) -> None:
        self.progress, self.dollars_per_hour = progress, dollars_per_hour
        self.tokens_per_second = 0.0
        self._first_step, self._first_seconds = progress.step, progress.train_seconds
        self._counted_until = time.perf_counter()
        self.restart_speed()

    def count(self) -> None:
        """Add the seconds since the last call, and their price, to the run's progress."""
        now = time.perf_counter()
        seconds, self._counted_until = now - self._counted_until, now
        self.progress.train_seconds += seconds
        self.progress.dollars += seconds / 3600 * self.dollars_per_hour

    def restart_speed(self) -> None:
        """Start to measure speed here, which leaves out evaluation, samples and checkpoints."""
        self._speed_since, self._speed_tokens = time.perf_counter(), self.progress.tokens

    def measure_speed(self) -> float:
        """Return the tokens per second since speed was last measured or restarted."""
        seconds = time.perf_counter() - self._speed_since
        self.tokens_per_second = (self.progress.tokens - self._speed_tokens) / seconds
        self.restart_speed()
        return self.tokens_per_second

    def speed_and_cost(self) -> str:
        if not self.tokens_per_second:
            return f"${self.progress.dollars:.2f}"
        return f"{amount(self.tokens_per_second)} tokens/s | ${self.progress.dollars:.2f}"

    def time_left(self, steps: int) -> str:
        """Return `4 min left` until this many steps are done, at this process's pace; empty where it is unknown."""
        done, left = self.progress.step - self._first_step, steps - self.progress.step
        if not done or not left:
            return ""
        seconds = (self.progress.train_seconds - self._first_seconds) / done * left
        return f"{duration(seconds)} left"
