"""The machine under a run: what is there, what it can do, and how a run is to use it."""

import contextlib
import ctypes
import dataclasses
import math
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from tinystories_lm.attention import Attend, causal, causal_in_blocks
from tinystories_lm.config.choices import Attention, Device, Precision, Switch
from tinystories_lm.config.schema import HardwareConfig
from tinystories_lm.errors import UsageError
from tinystories_lm.processes import usable_cores

# A config of conf/hardware and the words that its GPU's name holds.
GPU_NAMES = {"h100": "H100", "a100": "A100", "rtx4090": "RTX 4090"}

BLOCKS_PAY_TOKENS = 512  # on a CPU, at 1,024 torch's kernel is the faster one
BLOCKS_FIT_SCORES = 2**24  # 67 MB of float32 in each layer
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's mallopt(3)

KERNELS = {
    Attention.flash: SDPBackend.FLASH_ATTENTION,
    Attention.cudnn: SDPBackend.CUDNN_ATTENTION,
    Attention.efficient: SDPBackend.EFFICIENT_ATTENTION,
    Attention.math: SDPBackend.MATH,
}


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


def multiplies_bfloat16(device: Device) -> bool:
    """Whether the processor has instructions for it: elsewhere bfloat16 is emulated and slower than float32."""
    if device is Device.cuda:
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device is Device.mps:
        return False
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return False
    return any(flag in flags for flag in ("avx512_bf16", "amx_bf16", "bf16"))


@dataclass(frozen=True)
class Machine:
    """A hardware config as it turned out here: no choice is left open."""

    name: str
    device: torch.device
    dtype: torch.dtype  # of activations
    residual: torch.dtype  # of the stream between the blocks
    compile: bool
    attention: Attention
    threads: int
    peak_flops_per_second: float
    dollars_per_hour: float

    @contextlib.contextmanager
    def computing(self) -> Iterator[None]:
        """Activations in the chosen dtype, attention by the chosen kernel."""
        with contextlib.ExitStack() as stack:
            if self.dtype is not torch.float32:
                stack.enter_context(torch.autocast(self.device.type, self.dtype))
            stack.enter_context(self.attending())
            yield

    @contextlib.contextmanager
    def attending(self) -> Iterator[None]:
        """Attention by the chosen kernel."""
        if self.attention not in KERNELS:
            yield
            return
        with sdpa_kernel([KERNELS[self.attention], SDPBackend.MATH]):
            yield

    @property
    def attend(self) -> Attend:
        """For a model that is trained here."""
        return causal_in_blocks if self.attention is Attention.blocks else causal

    def for_inference(self) -> "Machine":
        """The same machine for reading and writing texts.

        On MPS that is the MATH kernel in float32: others have given NaN there, and let tokens see later ones
        (pytorch#195910).
        """
        if self.device.type != "mps":
            return self
        return dataclasses.replace(self, dtype=torch.float32, attention=Attention.math, compile=False)

    def describe(self) -> dict[str, object]:
        """For the run's record."""
        return {
            "hardware": self.name,
            "device": str(self.device),
            "device_name": device_name(self.device),
            "precision": str(self.dtype).removeprefix("torch."),
            "residual": str(self.residual).removeprefix("torch."),
            "compile": self.compile,
            "attention": str(self.attention),
            "threads": self.threads,
            "cpu_cores": os.cpu_count(),
            "peak_flops_per_second": self.peak_flops_per_second,
            "dollars_per_hour": self.dollars_per_hour,
        }


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
        machine = dataclasses.replace(machine, attention=settle_attention(machine, attention_shape, deterministic))
    for used in dict.fromkeys((machine, machine.for_inference())):
        refuse_a_look_ahead(used)
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
    refuse_a_look_ahead(machine)
    return machine


def refuse_a_look_ahead(machine: Machine) -> None:
    """Raise UsageError where this machine's causal attention lets a token see later ones.

    pytorch#195910 is such a kernel, on MPS in half precision: training looks splendid and the model is worthless.
    What attention gives is compared with its definition (Vaswani et al. 2017, eq. 1), in float32 on the CPU.
    """
    random = torch.Generator().manual_seed(0)
    q_HTK, k_HTK, v_HTK = (torch.randn(4, 64, 64, generator=random).to(machine.dtype).float() for _ in range(3))
    later_TT = torch.ones(64, 64, dtype=torch.bool).triu(1)
    scores_HTT = (q_HTK @ k_HTK.transpose(1, 2) / 8).masked_fill(later_TT, -torch.inf)
    want_HTK = scores_HTT.softmax(dim=-1) @ v_HTK
    q, k, v = (x_HTK[None].to(machine.device, machine.dtype) for x_HTK in (q_HTK, k_HTK, v_HTK))
    with machine.attending():
        got_HTK = machine.attend(q, k, v)[0].float().cpu()
    if not torch.allclose(got_HTK, want_HTK, atol=0.1, rtol=0):  # bfloat16 is within 0.02, a look ahead off by 1
        raise UsageError(
            f"causal attention on this {machine.device.type} in {str(machine.dtype).removeprefix('torch.')} is wrong "
            f"under torch {torch.__version__} (a token sees later ones): take hardware.precision=float32 "
            "hardware.attention=math, another torch, or the CPU"
        )


def settle_attention(machine: Machine, shape: tuple[int, int, int, int], deterministic: bool) -> Attention:
    """What `auto` comes to for queries of this shape [B, H, T, K]; on a CPU no clock decides, so that runs agree."""
    batch, heads, tokens, _ = shape
    if machine.device.type == "cuda" and not deterministic:
        return fastest_attention(machine, shape)
    pays = tokens <= BLOCKS_PAY_TOKENS and batch * heads * tokens**2 <= BLOCKS_FIT_SCORES
    return Attention.blocks if machine.device.type == "cpu" and pays else Attention.auto


def fastest_attention(machine: Machine, shape: tuple[int, int, int, int]) -> Attention:
    """The kernel that takes the least time, forward and backward, for queries of this shape [B, H, T, K], just now.

    Which one that is differs between processors and versions of torch. `auto` where none of them runs.
    """
    leaves = [torch.randn(shape, device=machine.device, dtype=machine.dtype, requires_grad=True) for _ in range(3)]
    best, chosen = math.inf, Attention.auto
    for kind in (Attention.flash, Attention.cudnn, Attention.efficient):
        try:
            with sdpa_kernel([KERNELS[kind]]):
                seconds = min(_attention_seconds(leaves) for _ in range(5))
        except RuntimeError:  # this kernel does not run here
            continue
        if seconds < best:
            best, chosen = seconds, kind
    return chosen


def _attention_seconds(leaves: list[Tensor], repeats: int = 4) -> float:
    q, k, v = leaves
    began = time.perf_counter()
    for _ in range(repeats):
        y_BHTK = causal(q, k, v)
        gradients = torch.autograd.grad(y_BHTK, leaves, torch.ones_like(y_BHTK))
    float(gradients[0].flatten()[0])  # reading a number waits for the device
    return time.perf_counter() - began


def keep_freed_memory() -> None:
    """Let glibc keep what is freed for the next step, which else waits for the same pages again; elsewhere nothing."""
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, -1)


def use_threads(config: HardwareConfig) -> None:
    torch.set_num_threads(config.threads or usable_cores())


def chosen_dtype(config: HardwareConfig) -> torch.dtype:
    if config.precision is Precision.auto:
        return torch.bfloat16 if multiplies_bfloat16(config.device) else torch.float32
    return torch.bfloat16 if config.precision is Precision.bfloat16 else torch.float32


def find_peak(config: HardwareConfig) -> float:
    """Peak FLOP/s: the config's figure or, where that is unknown (0), the best of a few large products just now."""
    if config.peak_flops_per_second:
        return config.peak_flops_per_second
    use_threads(config)
    size = 1024 if config.device is Device.cpu else 8192
    a = torch.randn(size, size, device=config.device.value).to(chosen_dtype(config))
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        float((a @ a)[0, 0])  # reading a number waits for the device
        best = min(best, time.perf_counter() - began)
    return 2.0 * size**3 / best


def device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
