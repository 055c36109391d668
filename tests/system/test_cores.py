"""How many cores a process may use, and how its threads wait for each other."""

import math
import os
import subprocess
import sys

import pytest

from tinystories_lm.system import cores


def test_a_quota_and_a_variable_limit_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    for quota, count in ((math.inf, 4), (8.0, 4), (1.5, 2), (0.2, 1)):
        monkeypatch.setattr(cores, "cpu_limit", lambda quota=quota: quota)
        assert cores.usable_cores() == cores.default_threads() == count
    for value, threads in (("3", 3), ("2,1", 2), ("many", 1), ("0", 1)):
        monkeypatch.setenv("OMP_NUM_THREADS", value)
        assert cores.default_threads() == threads


@pytest.mark.parametrize(
    ("given", "spins"),
    [({}, str(cores.SPINS)), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, None)],
)
def test_threads_spin_shortly_unless_the_environment_says_how_long(
    given: dict[str, str], spins: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    cores.limit_spinning()
    assert os.environ.get("GOMP_SPINCOUNT") == spins


WAITING = """
import time
from tinystories_lm.cli import main

def work(words):
    import torch
    torch.set_num_threads(2)
    numbers = torch.ones(1_000_000)
    numbers.add_(1.0)
    before = time.process_time()
    for _ in range(50):
        numbers.add_(1.0)
        time.sleep(0.003)
    print(time.process_time() - before)

main.run = work
main.main()
"""


@pytest.mark.skipif(cores.usable_cores() < 2 or sys.platform != "linux", reason="needs two cores and GNU OpenMP")
def test_a_thread_that_has_nothing_to_do_gives_its_core_to_others(environment: dict[str, str]) -> None:
    """Between two operations the second thread sleeps; with OpenMP's default it spins through each pause of 3 ms."""
    environment.pop("OMP_NUM_THREADS", None)

    def seconds(**more: str) -> float:
        command = [sys.executable, "-c", WAITING]
        return float(subprocess.run(command, env=environment | more, capture_output=True, check=True).stdout)

    assert seconds() < 0.5 * seconds(GOMP_SPINCOUNT="300000")
