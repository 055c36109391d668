"""The memory that a run may take here, and what fits into it."""

import contextlib
import dataclasses
import math
import os
import resource
from collections.abc import Sequence
from pathlib import Path

import torch

from tinystories_lm.arithmetic import KEPT_BYTES, memory
from tinystories_lm.config.choices import Device, Precision
from tinystories_lm.config.schema import Config
from tinystories_lm.hardware import BLOCKS_PAY_TOKENS, chosen_dtype
from tinystories_lm.terminal import storage

# Measured on a CPU as the peaks of whole steps, float32 and bfloat16 (tests/test_capacity.py holds them).
PEAK_OVER_KEPT = 1.8  # of activations but for the logits: freed ones are not all used again at once
LOGIT_BYTES = 22  # a logit, with its copies in float32, its softmax and their gradients
SCORE_BYTES = 10  # a score of attention in blocks, which is kept
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


def needed_bytes(config: Config, micro_batch_size: int) -> float:
    """The most that an eager training step has at a time, with so many sequences at once; a compiled one takes less.

    What autograd keeps is known by arithmetic; what else lives beside it at the worst moment was measured.
    """
    model, vocab_size, halves = config.model, config.data.vocab_size, chosen_dtype(config.hardware) is torch.bfloat16
    sized = dataclasses.replace(
        config,
        training=dataclasses.replace(config.training, micro_batch_size=micro_batch_size),
        hardware=dataclasses.replace(config.hardware, precision=Precision.bfloat16 if halves else Precision.float32),
    )
    step, tokens = memory(sized, vocab_size=vocab_size), micro_batch_size * model.context_tokens
    logits = tokens * vocab_size
    kept = step.activations - KEPT_BYTES[sized.hardware.precision].logits * logits
    in_blocks = config.hardware.device is Device.cpu and model.context_tokens <= BLOCKS_PAY_TOKENS
    scores = model.n_layers * model.n_heads * tokens * model.context_tokens / 2 if in_blocks else 0
    return step.total - step.activations + PEAK_OVER_KEPT * kept + LOGIT_BYTES * logits + SCORE_BYTES * scores


def fitting_micro_batch(configs: Sequence[Config], usable: float, *, most: int) -> int:
    """The most sequences at once that divide every config's batch and fit; 0 where not even one does."""
    batch_size = math.gcd(*(config.training.batch_size for config in configs))
    small = [n for n in range(1, math.isqrt(batch_size) + 1) if batch_size % n == 0]
    sizes = sorted({n for pair in ((n, batch_size // n) for n in small) for n in pair if n <= most}, reverse=True)
    return next((n for n in sizes if all(needed_bytes(config, n) <= usable for config in configs)), 0)


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


def what_would_fit(config: Config, usable: float) -> str:
    """What to lower after a run found no memory, and what that needs.

    usable: bytes, before the run took any.
    """
    size = config.training.micro_batch_size
    need = f"training.micro_batch_size={size} needs about {storage(needed_bytes(config, size))}"
    here = f"this {config.hardware.device} has {storage(usable)} for it"
    fits = fitting_micro_batch([config], usable, most=size // 2)
    if not fits:
        return f"{need}, {here}: take a smaller model, or a smaller model.context_tokens"
    less = f"about {storage(needed_bytes(config, fits))}"
    return f"{need}, {here}: type training.micro_batch_size={fits} ({less}; the batch stays, and so do its numbers)"
