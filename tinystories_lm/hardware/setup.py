"""The machine under a run: what is there, what it can do, and how a run is to use it."""

import ctypes
import dataclasses
import os
import platform

import torch

from tinystories_lm.config.choices import Attention, Device, Precision, Switch
from tinystories_lm.config.schema import HardwareConfig
from tinystories_lm.hardware.attention_kernels import check_attention_is_causal, choose_attention
from tinystories_lm.hardware.detect import check_hardware, chosen_dtype, find_hardware, use_threads
from tinystories_lm.hardware.machine import Machine
from tinystories_lm.hardware.processor import multiplies_bfloat16
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.processes import usable_cores

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's mallopt(3)


def open_machine(
    config: HardwareConfig,
    *,
    peak_flops_per_second: float,
    compile_pays: bool,
    deterministic: bool,
    attention_shape: tuple[int, int, int, int] | None = None,
) -> Machine:
    """Settle what the config leaves open, and set torch's threads and determinism for this process.

    compile_pays: settles hardware.compile=auto on a CPU; a GPU always compiles.
    attention_shape: of the queries [B, H, T, K]; given, it settles hardware.attention=auto, but for MPS.
    """
    check_hardware(config)
    use_threads(config)
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS refuses to be deterministic without
    torch.use_deterministic_algorithms(deterministic)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # only to find mistakes
    if config.device is Device.cpu:
        keep_freed_memory()
    if config.device is Device.cuda:
        torch.set_float32_matmul_precision("high")
    compiles = config.compile is Switch.on or (
        config.compile is Switch.auto and (config.device is Device.cuda or compile_pays)
    )
    machine = Machine(
        name=config.name,
        device=torch.device(config.device.value),
        dtype=(dtype := chosen_dtype(config)),
        residual=dtype if config.residual is Precision.bfloat16 else torch.float32,
        compile=compiles,
        attention=config.attention,
        threads=torch.get_num_threads(),
        peak_flops_per_second=peak_flops_per_second,
        dollars_per_hour=config.dollars_per_hour,
    )
    if machine.attention is Attention.auto and attention_shape:
        machine = dataclasses.replace(machine, attention=choose_attention(machine, attention_shape, deterministic))
    for used in dict.fromkeys((machine, machine.for_inference())):
        check_attention_is_causal(used)
    return machine


def open_for_inference(device: Device, precision: Precision) -> Machine:
    """A machine for reading and writing texts with all cores, eager, without a price.

    precision: auto is bfloat16 where the processor multiplies it natively, as in training.

    Raises UsageError where the device is not there, or cannot be trusted with that precision.
    """
    found = Device("cuda" if torch.cuda.is_available() else find_hardware()) if device is Device.auto else device
    there = {Device.cpu: True, Device.cuda: torch.cuda.is_available(), Device.mps: torch.backends.mps.is_available()}
    if not there[found]:
        raise UsageError(f"torch {torch.__version__} sees no {found} here: choose cpu, or auto")
    if found is Device.mps and precision is Precision.bfloat16:
        raise UsageError("on mps texts are read and written in float32 only: leave --precision out")
    torch.set_num_threads(usable_cores())
    halves = precision is Precision.bfloat16 or (precision is Precision.auto and multiplies_bfloat16(found))
    machine = Machine(
        name=found.value,
        device=torch.device(found.value),
        dtype=torch.bfloat16 if halves else torch.float32,
        residual=torch.float32,
        compile=False,
        attention=Attention.auto,
        threads=torch.get_num_threads(),
        peak_flops_per_second=0.0,
        dollars_per_hour=0.0,
    ).for_inference()
    check_attention_is_causal(machine)
    return machine


def keep_freed_memory() -> None:
    """Let glibc keep what is freed for the next step, which else waits for the same pages again; elsewhere nothing."""
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, -1)
