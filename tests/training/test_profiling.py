"""The profiler's switch: a trace that opens, of the steps that were asked for."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import torch

from tinystories_lm.training.profiling import SKIPPED_STEPS, TABLE, TRACE, profiled

CPU = torch.device("cpu")


def work(steps: int, step_taken: Callable[[], None]) -> None:
    for _ in range(steps):
        torch.ones(8, 8) @ torch.ones(8, 8)
        step_taken()


def test_a_trace_and_a_table_of_so_many_steps_are_left(tmp_path: Path) -> None:
    with profiled(tmp_path, 3, CPU) as step_taken:
        work(SKIPPED_STEPS + 10, step_taken)
    events = json.loads(gzip.decompress((tmp_path / TRACE).read_bytes()))["traceEvents"]
    assert sum(event.get("name") == "aten::matmul" for event in events) == 3
    assert "aten::mm" in (tmp_path / TABLE).read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([TRACE, TABLE]), "nothing temporary is left"


def test_without_steps_nothing_is_recorded(tmp_path: Path) -> None:
    with profiled(tmp_path, 0, CPU) as step_taken:
        work(20, step_taken)
    assert not list(tmp_path.iterdir())
