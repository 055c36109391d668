"""Memory: how much there is, and which errors mean that there was too little."""

import os
import resource
from pathlib import Path

import pytest
import torch

from tests.faults import trials
from tinystories_lm.config.choices import Device
from tinystories_lm.hardware.memory import is_out_of_memory, usable_bytes

needs_a_limit = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the limit is counted by /proc")


def limit_memory(megabytes: int) -> None:
    """Leave this process so much more than it has mapped."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + megabytes * 10**6,) * 2)


@needs_a_limit
def test_what_is_usable_is_what_the_smallest_limit_leaves() -> None:
    physical = int(Path("/proc/meminfo").read_text().split()[1]) * 1024
    assert usable_bytes(Device.cpu) <= 0.85 * physical
    pid = os.fork()
    if not pid:
        limit_memory(200)
        os._exit(not 0.9 * 120e6 < usable_bytes(Device.cpu) <= 120e6)
    assert trials.end(pid) == 0


def test_torchs_own_refusal_of_memory_is_known() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(10**15)
    assert is_out_of_memory(raised.value) and not is_out_of_memory(RuntimeError("shapes differ"))
