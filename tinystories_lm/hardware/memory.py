"""How much memory this process may use, and whether an error means there was too little."""

import contextlib
import os
import resource
from pathlib import Path

import torch

from tinystories_lm.config.choices import Device

USABLE_SHARE = 0.85  # of what there is: the rest is Python's, the tokens', the allocator's


ADDRESSES_SHARE = 0.6  # of what `ulimit -v` leaves: threads and the allocator take addresses that hold nothing


# What an error says that is none of torch.OutOfMemoryError, though memory is what there was none of.
SIGNS = (
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "MPS backend out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "std::bad_alloc",
)


def usable_bytes(device: Device) -> float:
    """Of the device's memory, or on a CPU of what the system, the container and ulimit leave to this process."""
    if device is Device.cuda:
        return USABLE_SHARE * torch.cuda.get_device_properties(0).total_memory
    if device is Device.mps:
        return USABLE_SHARE * torch.mps.recommended_max_memory()
    limits = [USABLE_SHARE * size for size in (_physical_bytes(), container_bytes()) if size]
    address_space, _ = resource.getrlimit(resource.RLIMIT_AS)
    if address_space != resource.RLIM_INFINITY:
        limits.append(ADDRESSES_SHARE * max(0, address_space - _mapped_bytes()))
    return min(limits)


def _physical_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def container_bytes(groups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int:
    """The smallest limit of this process's control group and those around it; 0 where there is none.

    groups: where the system shows control groups, of version 2, or of 1 below memory/.
    own: which of them this process is in, a line `number:controllers:/path` each.
    """
    limits = []
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    for _, controllers, path in (line.split(":", 2) for line in lines if line.count(":") >= 2):
        if controllers not in ("", "memory"):
            continue
        top, file = (groups, "memory.max") if not controllers else (groups / "memory", "memory.limit_in_bytes")
        inner = top / path.strip("/")
        for group in (inner, *inner.parents):
            with contextlib.suppress(OSError, ValueError):  # no such file, as from within a container; "max" is none
                limits.append(int((group / file).read_text(encoding="utf-8")))
            if group == top:
                break
    return min(limits, default=0)


def _mapped_bytes() -> int:
    """Addresses in use, of which libraries take a good part without memory."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="utf-8").split()[0]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the device or the host had no memory left, be it while something else was being done."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    if isinstance(error, RuntimeError) and any(sign in str(error) for sign in SIGNS):
        return True
    return error.__cause__ is not None and is_out_of_memory(error.__cause__)


def peak_bytes(device: Device) -> int:
    """The most memory that this process has had at a time."""
    if device is Device.cuda:
        return torch.cuda.max_memory_allocated()
    unit = 1 if os.uname().sysname == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
