"""Find out how much memory this process may use, and whether an error means that there was too little."""

import os
import resource
from pathlib import Path

import torch

from tinystories_lm.config.choices import Device
from tinystories_lm.system.control_groups import memory_limit

USABLE_SHARE = 0.85  # the rest is for Python, the tokens and the allocator
ADDRESSES_SHARE = 0.6  # of what `ulimit -v` leaves: threads and the allocator reserve addresses that hold nothing
# What an error other than torch.OutOfMemoryError contains when there was too little memory.
SIGNS = (
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "MPS backend out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "std::bad_alloc",
)


def usable_bytes(device: Device) -> float:
    """Return how many bytes of the device's memory this process may use.

    On a CPU that is what the system, the container and `ulimit -v` leave to it.
    """
    if device is Device.cuda:
        return USABLE_SHARE * torch.cuda.get_device_properties(0).total_memory
    if device is Device.mps:
        return USABLE_SHARE * torch.mps.recommended_max_memory()
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [USABLE_SHARE * size for size in (physical, memory_limit()) if size]
    address_space, _ = resource.getrlimit(resource.RLIMIT_AS)
    if address_space != resource.RLIM_INFINITY:
        limits.append(ADDRESSES_SHARE * max(0, address_space - _mapped_bytes()))
    return min(limits)


def _mapped_bytes() -> int:
    """Return the bytes of addresses in use, of which libraries take a large part without memory behind them."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="utf-8").split()[0]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether the error, or one that caused it, means that the device or the host had too little memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    if isinstance(error, RuntimeError) and any(sign in str(error) for sign in SIGNS):
        return True
    return error.__cause__ is not None and is_out_of_memory(error.__cause__)


def peak_bytes(device: Device) -> int:
    """Return the most memory that this process has had at a time."""
    if device is Device.cuda:
        return torch.cuda.max_memory_allocated()
    unit = 1 if os.uname().sysname == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
