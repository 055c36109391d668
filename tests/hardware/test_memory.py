"""Memory: how much there is, and which errors mean that there was too little."""

import os
import resource
from pathlib import Path

import pytest
import torch

from tests.faults import trials
from tinystories_lm.config.choices import Device
from tinystories_lm.hardware.memory import CONTEXT_BYTES, available_memory, is_out_of_memory

needs_a_limit = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the limit is counted by /proc")


def limit_memory(megabytes: int) -> None:
    """Leave this process so much more than it has mapped."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + megabytes * 10**6,) * 2)


@needs_a_limit
def test_what_is_usable_is_what_the_smallest_limit_leaves() -> None:
    physical = int(Path("/proc/meminfo").read_text().split()[1]) * 1024
    assert available_memory(Device.cpu).usable <= 0.85 * physical
    pid = os.fork()
    if not pid:
        limit_memory(200)
        os._exit(not 0.9 * 120e6 < available_memory(Device.cpu).usable <= 120e6)
    assert trials.end(pid) == 0


def test_torchs_own_refusal_of_memory_is_known() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(10**15)
    assert is_out_of_memory(raised.value) and not is_out_of_memory(RuntimeError("shapes differ"))


class Gpu:
    """A stand-in for torch.cuda: GPUs of 24 GB, of which other processes hold some."""

    def __init__(self, free: list[float], *, reserved: float = 0.0, allocated: float = 0.0) -> None:
        self.free, self.reserved, self.allocated = free, reserved, allocated

    def device_count(self) -> int:
        return len(self.free)

    def mem_get_info(self, gpu: int) -> tuple[float, float]:
        return self.free[gpu], 24e9

    def memory_reserved(self, gpu: int) -> float:
        return self.reserved

    def memory_allocated(self, gpu: int) -> float:
        return self.allocated


@pytest.mark.parametrize(
    ("gpu", "places", "usable"),
    [
        (Gpu([23.4e9]), None, 0.85 * 23.4e9),
        (Gpu([8e9]), None, 0.85 * 8e9),  # another process has the rest
        (Gpu([8e9], reserved=5e9, allocated=1e9), None, 0.85 * 12e9),  # an earlier run of this process left blocks
        (Gpu([23.4e9]), 3, 0.85 * (7.8e9 - CONTEXT_BYTES)),
        (Gpu([20e9, 10e9]), 0, 0.85 * (10e9 - CONTEXT_BYTES)),  # one on each; the fullest GPU decides
        (Gpu([20e9, 10e9]), 1, 0.85 * (20e9 - CONTEXT_BYTES)),
        (Gpu([20e9, 18e9]), 3, 0.85 * (9e9 - CONTEXT_BYTES)),  # two on one of them
        (Gpu([0.1e9]), 1, 0.0),
    ],
)
def test_of_a_gpu_what_is_free_counts_and_is_shared(
    gpu: Gpu, places: int | None, usable: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("device_count", "mem_get_info", "memory_reserved", "memory_allocated"):
        monkeypatch.setattr(torch.cuda, name, getattr(gpu, name))
    found = available_memory(Device.cuda, places=places)
    assert found.usable == pytest.approx(usable) and found.total == 24e9
    said = found.describe(Device.cuda)
    assert f"{found.free / 1e9:.2f} GB of 24.00 GB are free" in said and said.startswith("this cuda has ")
