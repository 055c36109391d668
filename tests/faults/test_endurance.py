"""A run of many steps takes no more memory, files or threads at its end than at its start."""

import os
import statistics
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.faults import trials
from tests.warm_process import warm
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.records import last_step

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="what a process holds is read in /proc")
MOST_GROWTH_BYTES = 4_000_000
# Everything that a run does besides its steps comes every twentieth one.
BUSY = ["training.log_every_steps=1", "training.eval_every_steps=20", "training.checkpoint_every_steps=20",
        "training.eval_tokens=64", "sampling.max_tokens=2", "data.allow_smaller_vocabulary=true"]  # fmt: skip


class Held(NamedTuple):
    step: int
    memory_bytes: int
    files: int
    threads: int


def held(pid: int, step: int) -> Held:
    status = Path(f"/proc/{pid}/status").read_text()
    memory, threads = (int(status.split(f"{name}:")[1].split()[0]) for name in ("RssAnon", "Threads"))
    return Held(step, memory * 1024, len(os.listdir(f"/proc/{pid}/fd")), threads)


@pytest.mark.parametrize("steps", [600, pytest.param(12_000, marks=pytest.mark.slow)])
def test_a_long_run_is_flat(corpus: Path, tmp_path: Path, steps: int) -> None:
    """With the real SDK of W&B beside it, offline.

    The slow one has as many evaluations, samples and checkpoints as four hours of round 3 on an H100.
    """
    run, looks = tmp_path / "run", list[Held]()
    warm()
    pid = trials.start(corpus, run, *BUSY, f"training.steps={steps}", "tracking=offline")
    while not os.waitpid(pid, os.WNOHANG)[0]:
        step = last_step(RunFolder(run))
        if steps // 3 <= step < steps - 40:
            looks.append(held(pid, step))
        time.sleep(0.05)
    assert (run / "summary.json").exists(), trials.said(run)
    third = len(looks) // 3
    first, last = looks[:third], looks[-third:]
    assert third > 5, "it was looked at"
    assert min(look.memory_bytes for look in last) - min(look.memory_bytes for look in first) < MOST_GROWTH_BYTES
    for held_at_a_time in ("files", "threads"):  # the median: at a single look one more may just be open
        before, after = (statistics.median(getattr(look, held_at_a_time) for look in looks) for looks in (first, last))
        assert after <= before, held_at_a_time
