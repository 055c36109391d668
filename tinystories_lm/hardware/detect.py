"""Find out which hardware is present, and measure what it can do."""

import math
import os
import platform
import re
import timeit
from pathlib import Path

import torch

from tinystories_lm.config.choices import Device, Precision
from tinystories_lm.config.schema import HardwareConfig
from tinystories_lm.hardware.processor import chosen_precision
from tinystories_lm.system.cores import default_threads
from tinystories_lm.system.errors import UsageError

ARRAY_BYTES = 2**25  # more than most caches hold
# A config of conf/hardware and the words that its GPU's name contains. (A GH200 is not an H200: 96 GB.)
GPU_NAMES = {"h100": "H100", "h200": "H200", "a100": "A100", "rtx4090": "RTX 4090"}


def is_present(device: Device) -> bool:
    if device is Device.cuda:
        return torch.cuda.is_available()
    if device is Device.mps:
        return torch.backends.mps.is_available()
    return True


def find_device() -> Device:
    """Return the fastest kind of device that is present."""
    return next(device for device in (Device.cuda, Device.mps, Device.cpu) if is_present(device))


def find_hardware() -> str:
    """Return the choice in conf/hardware that describes this machine."""
    device = find_device()
    if device is not Device.cuda:
        return device.value
    found = torch.cuda.get_device_name()
    return next((name for name, words in GPU_NAMES.items() if re.search(rf"\b{words}\b", found)), "cuda")


def visible_gpus() -> list[str]:
    """Return the names by which CUDA knows the GPUs that this process may use, without opening them."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name.strip() for name in chosen.split(",") if name.strip()]
    return [str(number) for number in range(torch.cuda.device_count())]


def check_hardware(config: HardwareConfig) -> None:
    """Raise UsageError if this machine is not the one that the config describes."""
    have = find_hardware()
    if not is_present(config.device):
        raise UsageError(
            f"hardware={config.name} needs {config.device}, which torch {torch.__version__} does not see here; "
            f"use hardware={have} or hardware=auto"
        )
    if config.name in GPU_NAMES and have != config.name:
        raise UsageError(
            f"hardware={config.name} was asked for, but this GPU is a {torch.cuda.get_device_name()}; "
            f"use hardware={have} or hardware=auto"
        )


def use_threads(config: HardwareConfig) -> None:
    torch.set_num_threads(config.threads or default_threads())


def chosen_dtype(precision: Precision, device: Device) -> torch.dtype:
    return torch.bfloat16 if chosen_precision(precision, device) is Precision.bfloat16 else torch.float32


def find_peak(config: HardwareConfig) -> float:
    """Return the peak FLOP/s: the config's or, where that is 0 (unknown), the fastest of a few large products now."""
    if config.peak_flops_per_second:
        return config.peak_flops_per_second
    use_threads(config)
    size = 1024 if config.device is Device.cpu else 8192
    a = torch.randn(size, size, device=config.device.value).to(chosen_dtype(config.precision, config.device))
    seconds = timeit.repeat(lambda: float((a @ a)[0, 0]), number=1, repeat=5)  # reading a number waits for the device
    return 2.0 * size**3 / min(seconds)


def find_bandwidth(config: HardwareConfig) -> float:
    """Return the bytes per second between a CPU and its memory, measured now on products of large arrays.

    Infinite for other devices: the share of its peak that a GPU reaches includes the time of its memory.
    """
    if config.device is not Device.cpu:
        return math.inf
    use_threads(config)
    one, other, product = (torch.ones(ARRAY_BYTES // 4) for _ in range(3))
    seconds = timeit.repeat(lambda: torch.mul(one, other, out=product), number=1, repeat=5)
    return 3 * ARRAY_BYTES / min(seconds)


def device_name(device: torch.device) -> str:
    """Return the manufacturer's name of the GPU or the processor."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
