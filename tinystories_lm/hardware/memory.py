"""Find out how much memory this process may use, and whether an error means that there was too little.

torch is loaded only to ask a GPU or about an error.
"""

import math
import os
import resource
from pathlib import Path
from typing import NamedTuple

from tinystories_lm.config.choices import Device
from tinystories_lm.system.console import storage
from tinystories_lm.system.control_groups import memory_limit

# The rest is for Python; on a GPU for the tokens (a tenth at most, data/batches.py) and for gaps between tensors, which
# were at most 0.25 GB (the column `needed` of benchmarks/memory.py).
USABLE_SHARE = 0.85
CONTEXT_BYTES = 0.6e9  # that a process takes on a GPU before its first tensor: 0.4 to 0.6 GB, not torch's to measure
ADDRESSES_SHARE = 0.6  # of what `ulimit -v` leaves: threads and the allocator reserve addresses that hold nothing
# What an error other than torch.OutOfMemoryError contains when there was too little memory.
SIGNS = (
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "MPS backend out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "std::bad_alloc",
)


class Available(NamedTuple):
    """Bytes of a device's memory."""

    usable: float  # for the tensors of a training step
    free: float  # that no process has taken
    total: float

    def describe(self, device: Device) -> str:
        has = f"this {device} has {storage(self.usable)} for it"
        return has if self.free == self.total else f"{has} ({storage(self.free)} of {storage(self.total)} are free)"


def available_memory(device: Device, *, places: int | None = None) -> Available:
    """Return how much of the device's memory a process may use.

    places: how many new processes are to run at a time, placed on the GPUs in turn (0: one on each GPU); None is this
        process alone.

    On a CPU that is what the system, the container and `ulimit -v` leave to it. A GPU's memory that other processes
    hold, and this one's context, are not free.
    """
    if device is Device.cuda:
        return _cuda_memory(places)
    usable = _usable_mps_bytes() if device is Device.mps else _usable_host_bytes() / (places or 1)
    return Available(usable, usable, usable)


def _cuda_memory(places: int | None) -> Available:
    """Return what each process may use of the fullest GPU that they are placed on."""
    import torch

    count = torch.cuda.device_count()
    processes = 1 if places is None else places or count
    free, total, gpu = min((*torch.cuda.mem_get_info(gpu), gpu) for gpu in range(min(count, processes)))
    free += torch.cuda.memory_reserved(gpu) - torch.cuda.memory_allocated(gpu)  # torch's allocator has it, unused
    share = free if places is None else free / math.ceil(processes / count) - CONTEXT_BYTES
    return Available(USABLE_SHARE * max(0.0, share), free, total)


def _usable_mps_bytes() -> float:
    import torch

    return USABLE_SHARE * torch.mps.recommended_max_memory()


def _usable_host_bytes() -> float:
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
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    if isinstance(error, RuntimeError) and any(sign in str(error) for sign in SIGNS):
        return True
    return error.__cause__ is not None and is_out_of_memory(error.__cause__)


def peak_bytes(device: Device) -> int:
    """Return the most memory that this process has had at a time."""
    if device is Device.cuda:
        import torch

        return torch.cuda.max_memory_allocated()
    unit = 1 if os.uname().sysname == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
