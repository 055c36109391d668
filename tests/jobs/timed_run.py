"""Run `tinystories-lm` and measure the seconds that the tracker takes from the training's thread.

python -m tests.jobs.timed_run FIGURES ARGUMENTS: the figures land as JSON in the file FIGURES.
"""

import functools
import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tinystories_lm.cli import main as program
from tinystories_lm.jobs import job
from tinystories_lm.tracking import wandb_tracker

seconds: dict[str, float] = {"start": 0.0, "loop": 0.0, "slowest": 0.0, "end": 0.0, "train": 0.0, "thread": 0.0}


def timed(what: str, call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def measured(*arguments: Any, **keywords: Any) -> Any:
        began = time.perf_counter()
        try:
            return call(*arguments, **keywords)
        finally:
            took = time.perf_counter() - began
            seconds[what] += took
            if what == "loop":
                seconds["slowest"] = max(seconds["slowest"], took)

    return measured


def tracker_cpu_seconds() -> float:
    """Return the processor time of the tracker's own thread, which holds the interpreter's lock while it works."""
    for thread in threading.enumerate():
        if thread.name == "wandb-tracker" and thread.ident is not None and hasattr(time, "pthread_getcpuclockid"):
            return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
    return 0.0


def beside(train: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the loop so that it also counts what the tracker's thread takes."""

    @functools.wraps(train)
    def measured(*arguments: Any, **keywords: Any) -> Any:
        before = tracker_cpu_seconds()
        try:
            return train(*arguments, **keywords)
        finally:
            seconds["thread"] = tracker_cpu_seconds() - before

    return measured


def main() -> None:
    figures, *arguments = sys.argv[1:]
    job.start_tracker = timed("start", job.start_tracker)
    job.train = timed("train", beside(job.train))
    for name in ("log", "log_samples", "summarize", "log_model"):
        setattr(wandb_tracker.WandbTracker, name, timed("loop", getattr(wandb_tracker.WandbTracker, name)))
    wandb_tracker.WandbTracker.finish = timed("end", wandb_tracker.WandbTracker.finish)  # type: ignore[method-assign]
    code = program.run(arguments)
    Path(figures).write_text(json.dumps(seconds | {"left": time.time()}), encoding="utf-8")
    sys.exit(code)


if __name__ == "__main__":
    main()
