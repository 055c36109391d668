"""Find out what hardware is here and what it can do."""

import math
import os
import platform
import time
from pathlib import Path

import torch

from tinystories_lm.config.choices import Device, Precision
from tinystories_lm.config.schema import HardwareConfig
from tinystories_lm.hardware.processor import chosen_precision
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.processes import usable_cores

ARRAY_BYTES = 2**25  # more than most caches hold
# A config of conf/hardware and the words that its GPU's name holds.
GPU_NAMES = {"h100": "H100", "a100": "A100", "rtx4090": "RTX 4090"}


def find_hardware() -> str:
    """The name of the choice in conf/hardware that this machine is."""
    if torch.cuda.is_available():
        found = torch.cuda.get_device_name()
        return next((name for name, words in GPU_NAMES.items() if words in found), "cuda")
    return "mps" if torch.backends.mps.is_available() else "cpu"


def visible_gpus() -> list[str]:
    """The names by which CUDA knows the GPUs that this process may use; opens none of them."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name.strip() for name in chosen.split(",") if name.strip()]
    return [str(number) for number in range(torch.cuda.device_count())]


def check_hardware(config: HardwareConfig) -> None:
    """Raise UsageError when the machine is not the one asked for."""
    have = find_hardware()
    there = {Device.cpu: True, Device.cuda: torch.cuda.is_available(), Device.mps: torch.backends.mps.is_available()}
    if not there[config.device]:
        raise UsageError(
            f"hardware={config.name} needs {config.device}, which torch {torch.__version__} does not see here: "
            f"type hardware={have}, or hardware=auto"
        )
    words = GPU_NAMES.get(config.name)
    if words is not None and have != config.name:
        raise UsageError(
            f"hardware={config.name} was asked for, but this GPU is a {torch.cuda.get_device_name()}: "
            f"type hardware={have}, or hardware=auto"
        )


def use_threads(config: HardwareConfig) -> None:
    torch.set_num_threads(config.threads or usable_cores())


def chosen_dtype(config: HardwareConfig) -> torch.dtype:
    return torch.bfloat16 if chosen_precision(config) is Precision.bfloat16 else torch.float32


def find_peak(config: HardwareConfig) -> float:
    """Peak FLOP/s: the config's figure or, where that is unknown (0), the best of a few large products just now."""
    if config.peak_flops_per_second:
        return config.peak_flops_per_second
    use_threads(config)
    size = 1024 if config.device is Device.cpu else 8192
    a = torch.randn(size, size, device=config.device.value).to(chosen_dtype(config))
    best = math.inf
    for _ in range(5):
        began = time.perf_counter()
        float((a @ a)[0, 0])  # reading a number waits for the device
        best = min(best, time.perf_counter() - began)
    return 2.0 * size**3 / best


def find_bandwidth(config: HardwareConfig) -> float:
    """Return the bytes per second between a CPU and its memory, as products of large arrays move them just now.

    Infinite elsewhere: the share of its peak that a GPU reaches includes the time of its memory.
    """
    if config.device is not Device.cpu:
        return math.inf
    use_threads(config)
    one, other, product = (torch.ones(ARRAY_BYTES // 4) for _ in range(3))
    best = math.inf
    for _ in range(5):
        began = time.perf_counter()
        torch.mul(one, other, out=product)
        best = min(best, time.perf_counter() - began)
    return 3 * ARRAY_BYTES / best


def device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
