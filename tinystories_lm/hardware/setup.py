"""Prepare this process for a run or for inference: threads, determinism, memory, precision and attention."""

import ctypes
import dataclasses
import os
import platform

import torch

from tinystories_lm.config.choices import Attention, Device, Precision, Switch
from tinystories_lm.config.schema import HardwareConfig
from tinystories_lm.hardware.attention_kernels import (
    check_attention_is_causal,
    check_attention_runs,
    choose_attention,
)
from tinystories_lm.hardware.detect import check_hardware, chosen_dtype, find_device, is_present, use_threads
from tinystories_lm.hardware.machine import Machine
from tinystories_lm.system.cores import default_threads
from tinystories_lm.system.errors import UsageError

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # parameters of glibc's mallopt(3)


def open_machine(
    config: HardwareConfig,
    *,
    peak_flops_per_second: float,
    compile_pays: bool,
    deterministic: bool,
    attention_shape: tuple[int, int, int, int] | None = None,
) -> Machine:
    """Resolve the config's `auto` settings and set up torch for this process.

    compile_pays: decides hardware.compile=auto, except on CUDA, where `auto` always compiles.
    attention_shape: the shape [B, H, T, K] of the queries, which decides hardware.attention=auto; None leaves the
        choice to torch.

    Raises UsageError if this machine is not the one that the config describes, or computes attention wrongly.
    """
    check_hardware(config)
    _set_up_torch(config, deterministic=deterministic)
    dtype = chosen_dtype(config.precision, config.device)
    compile_if_auto = config.device is Device.cuda or compile_pays
    machine = Machine(
        name=config.name,
        device=torch.device(config.device.value),
        dtype=dtype,
        residual=dtype if config.residual is Precision.bfloat16 else torch.float32,
        compile=compile_if_auto if config.compile is Switch.auto else config.compile is Switch.on,
        attention=config.attention,
        threads=torch.get_num_threads(),
        peak_flops_per_second=peak_flops_per_second,
        dollars_per_hour=config.dollars_per_hour,
    )
    if machine.attention is Attention.auto and attention_shape:
        machine = dataclasses.replace(machine, attention=choose_attention(machine, attention_shape, deterministic))
    elif attention_shape:
        check_attention_runs(machine, (1, *attention_shape[1:]))
    for used in dict.fromkeys((machine, machine.for_inference())):
        check_attention_is_causal(used)
    return machine


def open_for_inference(device: Device, precision: Precision) -> Machine:
    """Return a machine for inference: all cores, no compilation, no price.

    precision: `auto` means, as in training, bfloat16 if the processor multiplies it natively.

    Raises UsageError if the device is not present, or computes attention wrongly in that precision.
    """
    device = find_device() if device is Device.auto else device
    if not is_present(device):
        raise UsageError(f"torch {torch.__version__} sees no {device} here; use cpu or auto")
    if device is Device.mps and precision is Precision.bfloat16:
        raise UsageError("on mps texts are read and written in float32 only; leave --precision out")
    torch.set_num_threads(default_threads())
    machine = Machine(
        name=device.value,
        device=torch.device(device.value),
        dtype=chosen_dtype(precision, device),
        threads=torch.get_num_threads(),
    ).for_inference()
    check_attention_is_causal(machine)
    return machine


def _set_up_torch(config: HardwareConfig, *, deterministic: bool) -> None:
    use_threads(config)
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS cannot be deterministic without it
    torch.use_deterministic_algorithms(deterministic)
    # Filling uninitialised memory only helps to find bugs, and costs time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if config.device is Device.cpu:
        keep_freed_memory()
    if config.device is Device.cuda:
        torch.set_float32_matmul_precision("high")


def keep_freed_memory() -> None:
    """Let glibc keep freed memory for the next step, which would otherwise wait for the kernel to map it again."""
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, -1)
