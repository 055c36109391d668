"""The machine: what cannot be trusted is refused before it computes anything."""

import contextlib
import dataclasses
import platform
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch.nn import functional as F
from torch.nn.attention import SDPBackend

from tinystories_lm.config.choices import Attention, Device, Precision
from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.hardware import attention_kernels, setup
from tinystories_lm.hardware.attention_kernels import check_attention_is_causal
from tinystories_lm.hardware.detect import find_hardware
from tinystories_lm.hardware.machine import KERNELS, Machine
from tinystories_lm.hardware.setup import open_for_inference, open_machine
from tinystories_lm.system.errors import UsageError

HERE = Machine(
    name="cpu",
    device=torch.device("cpu"),
    dtype=torch.float32,
    residual=torch.float32,
    compile=False,
    attention=Attention.auto,
    threads=1,
    peak_flops_per_second=1.0,
    dollars_per_hour=0.0,
)
MPS = dataclasses.replace(HERE, name="mps", device=torch.device("mps"), dtype=torch.bfloat16)


def leaky(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, is_causal: bool) -> torch.Tensor:
    """As in pytorch#195910: one mask for each group of four queries, the last one's."""
    assert is_causal
    places = torch.arange(q.shape[-2])
    mask = places <= (places // 4 * 4 + 3)[:, None]
    return ATTENTION(q, k, v, attn_mask=mask)


ATTENTION = F.scaled_dot_product_attention


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("attention", [Attention.auto, Attention.blocks, Attention.math])
def test_causal_attention_of_this_torch_is_trusted(dtype: torch.dtype, attention: Attention) -> None:
    check_attention_is_causal(dataclasses.replace(HERE, dtype=dtype, attention=attention))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_kernel_that_lets_tokens_see_later_ones_is_refused(dtype: torch.dtype, monkeypatch: Any) -> None:
    monkeypatch.setattr(F, "scaled_dot_product_attention", leaky)
    with pytest.raises(UsageError, match="a token sees later ones"):
        check_attention_is_causal(dataclasses.replace(HERE, dtype=dtype))


@pytest.mark.parametrize(("least", "chosen"), [(1.0, Attention.efficient), (1.98, Attention.flash)])
def test_the_kernel_that_takes_clearly_the_least_time_is_chosen(
    least: float, chosen: Attention, monkeypatch: Any
) -> None:
    seconds = {Attention.flash: [3.0, 2.0], Attention.efficient: [least, 9.0]}  # the smaller of each counts

    def measured(leaves: object) -> float:
        assert torch.backends.cuda.math_sdp_enabled() is False, "one kernel at a time"
        for name, switch in (
            (Attention.flash, torch.backends.cuda.flash_sdp_enabled),
            (Attention.efficient, torch.backends.cuda.mem_efficient_sdp_enabled),
        ):
            if switch():
                return seconds[name].pop() if seconds[name] else 9.0
        raise RuntimeError("no kernel runs here")

    monkeypatch.setattr(attention_kernels, "_attention_seconds", measured)
    assert attention_kernels.fastest_attention(HERE, (2, 2, 16, 8)) is chosen


def test_kernels_that_do_not_run_here_are_passed_over() -> None:
    chosen = attention_kernels.fastest_attention(
        HERE, (2, 2, 16, 8)
    )  # on a CPU of the four only flash and math are there
    assert chosen is Attention.flash


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        ((16, 4, 256, 64), Attention.blocks),
        ((8, 8, 512, 64), Attention.blocks),
        ((64, 8, 512, 64), Attention.auto),  # 537 MB of scores in each layer
        ((1, 8, 1024, 64), Attention.auto),
    ],
)
def test_on_a_cpu_short_contexts_are_computed_in_blocks(shape: tuple[int, int, int, int], found: Attention) -> None:
    assert attention_kernels.choose_attention(HERE, shape, deterministic=False) is found
    assert attention_kernels.choose_attention(HERE, shape, deterministic=True) is found


def test_freed_memory_is_kept_for_the_next_step() -> None:
    count = """
import ctypes, resource, torch
from tinystories_lm.hardware.setup import keep_freed_memory
ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE: a fault is a small page, however much memory is free
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(min(faults() for _ in range(5)))
keep_freed_memory()
print(min(faults() for _ in range(5)))
"""
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("another libc")
    done = subprocess.run([sys.executable, "-c", count], capture_output=True, check=True)
    given_back, kept = map(int, done.stdout.split())
    assert given_back > 1000 and kept < given_back / 10  # some pages may be taken from a busy machine's processes


def test_a_leaky_kernel_is_refused_before_texts_are_read(monkeypatch: Any) -> None:
    monkeypatch.setattr(F, "scaled_dot_product_attention", leaky)
    with pytest.raises(UsageError, match="a token sees later ones"):
        open_for_inference(Device.cpu, Precision.float32)


def test_a_leaky_kernel_is_refused_before_a_run_starts(monkeypatch: Any) -> None:
    register()
    config = compose_config(["hardware=cpu", "hardware.threads=1"]).config.hardware
    monkeypatch.setattr(F, "scaled_dot_product_attention", leaky)
    with pytest.raises(UsageError, match="a token sees later ones"):
        setup.open_machine(config, peak_flops_per_second=1.0, compile_pays=False, deterministic=False)


def test_determinism_does_not_pay_for_filling_memory_that_is_about_to_be_written() -> None:
    config = compose_config(["hardware=cpu", "hardware.threads=1"]).config.hardware
    try:
        setup.open_machine(config, peak_flops_per_second=1.0, compile_pays=False, deterministic=True)
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.empty(100_000).isnan().all()
    finally:
        torch.use_deterministic_algorithms(False)


def test_a_nan_of_a_kernel_is_refused(monkeypatch: Any) -> None:
    monkeypatch.setattr(F, "scaled_dot_product_attention", lambda q, k, v, is_causal: torch.full_like(q, torch.nan))
    with pytest.raises(UsageError, match="causal attention"):
        check_attention_is_causal(HERE)


def test_on_mps_texts_are_read_in_float32_by_the_math_kernel() -> None:
    machine = MPS.for_inference()
    assert (machine.dtype, machine.attention) == (torch.float32, Attention.math)
    assert HERE.for_inference() is HERE


def test_the_math_kernel_is_the_one_that_runs(monkeypatch: Any) -> None:
    from torch.utils._python_dispatch import TorchDispatchMode

    called = []

    class Calls(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            called.append(str(func))
            return func(*args, **(kwargs or {}))

    q = torch.randn(1, 2, 8, 16)
    with Calls(), dataclasses.replace(HERE, attention=Attention.math).attending():
        F.scaled_dot_product_attention(q, q, q, is_causal=True)
    assert not [name for name in called if "flash" in name or "efficient" in name]
    with Calls(), HERE.attending():
        F.scaled_dot_product_attention(q, q, q, is_causal=True)
    assert [name for name in called if "flash" in name]


@pytest.mark.parametrize("kind", KERNELS)
def test_the_chosen_kernel_comes_before_math_and_no_other_is_allowed(kind: Attention) -> None:
    allowed = {
        SDPBackend.FLASH_ATTENTION: torch.backends.cuda.flash_sdp_enabled,
        SDPBackend.CUDNN_ATTENTION: torch.backends.cuda.cudnn_sdp_enabled,
        SDPBackend.EFFICIENT_ATTENTION: torch.backends.cuda.mem_efficient_sdp_enabled,
        SDPBackend.MATH: torch.backends.cuda.math_sdp_enabled,
    }
    with dataclasses.replace(HERE, attention=kind).attending():
        order = torch._C._get_sdp_priority_order()
        enabled = {backend for backend, is_enabled in allowed.items() if is_enabled()}
    assert enabled == {KERNELS[kind], SDPBackend.MATH}
    assert order.index(int(KERNELS[kind])) <= order.index(int(SDPBackend.MATH))


@pytest.mark.parametrize(("kind", "runs"), [("flash", True), ("math", True), ("cudnn", False), ("efficient", False)])
def test_a_kernel_that_does_not_run_here_is_refused_before_the_first_step(kind: str, runs: bool) -> None:
    register()
    config = compose_config(["hardware=cpu", f"hardware.attention={kind}", "hardware.precision=float32"]).config
    refusal = pytest.raises(UsageError, match=f"hardware.attention={kind} does not run on this cpu in float32")
    with contextlib.nullcontext() if runs else refusal:
        open_machine(
            config.hardware,
            peak_flops_per_second=1e9,
            compile_pays=False,
            deterministic=False,
            attention_shape=config.attention_shape,
        )


def test_a_device_that_is_not_there_is_one_line() -> None:
    absent = Device.mps if not torch.backends.mps.is_available() else Device.cuda
    with pytest.raises(UsageError, match=f"sees no {absent} here"):
        open_for_inference(absent, Precision.float32)


def test_half_precision_is_refused_on_mps(monkeypatch: Any) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(UsageError, match="float32 only"):
        open_for_inference(Device.mps, Precision.bfloat16)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H200", "h200"),
        ("NVIDIA GH200 480GB", "cuda"),
        ("NVIDIA A100-SXM4-80GB", "a100"),
        ("NVIDIA GeForce RTX 4090", "rtx4090"),
        ("NVIDIA L40S", "cuda"),
    ],
)
def test_a_gpu_is_found_by_the_words_of_its_name(name: str, found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: name)
    assert find_hardware() == found
