"""The machine: what cannot be trusted is refused before it computes anything."""

import dataclasses
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from tinystories_lm import hardware
from tinystories_lm.choices import Attention, Device, Precision
from tinystories_lm.composition import compose_config, register
from tinystories_lm.conditions import as_begun
from tinystories_lm.errors import UsageError
from tinystories_lm.hardware import Machine, open_for_inference, refuse_a_look_ahead

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
@pytest.mark.parametrize("attention", [Attention.auto, Attention.math])
def test_causal_attention_of_this_torch_is_trusted(dtype: torch.dtype, attention: Attention) -> None:
    refuse_a_look_ahead(dataclasses.replace(HERE, dtype=dtype, attention=attention))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_kernel_that_lets_tokens_see_later_ones_is_refused(dtype: torch.dtype, monkeypatch: Any) -> None:
    monkeypatch.setattr(F, "scaled_dot_product_attention", leaky)
    with pytest.raises(UsageError, match="a token sees later ones"):
        refuse_a_look_ahead(dataclasses.replace(HERE, dtype=dtype))


def test_the_kernel_that_takes_the_least_time_is_chosen(monkeypatch: Any) -> None:
    seconds = {Attention.flash: [3.0, 2.0], Attention.efficient: [1.0, 9.0]}  # the smaller of each counts

    def measured(leaves: object) -> float:
        assert torch.backends.cuda.math_sdp_enabled() is False, "one kernel at a time"
        for name, switch in (
            (Attention.flash, torch.backends.cuda.flash_sdp_enabled),
            (Attention.efficient, torch.backends.cuda.mem_efficient_sdp_enabled),
        ):
            if switch():
                return seconds[name].pop() if seconds[name] else 9.0
        raise RuntimeError("no kernel runs here")

    monkeypatch.setattr(hardware, "_attention_seconds", measured)
    assert hardware.fastest_attention(HERE, (2, 2, 16, 8)) is Attention.efficient


def test_kernels_that_do_not_run_here_are_passed_over() -> None:
    chosen = hardware.fastest_attention(HERE, (2, 2, 16, 8))  # on a CPU of the four only flash and math are there
    assert chosen is Attention.flash


def test_a_run_that_goes_on_keeps_the_kernel_it_began_with() -> None:
    register()
    config = compose_config(["hardware=cpu"]).config.hardware
    assert as_begun(config, []).attention is Attention.auto
    assert as_begun(config, [{"machine": {"attention": "cudnn"}}]).attention is Attention.cudnn
    asked = compose_config(["hardware=cpu", "hardware.attention=math"]).config.hardware
    assert as_begun(asked, [{"machine": {"attention": "cudnn"}}]).attention is Attention.math


def test_a_leaky_kernel_is_refused_before_texts_are_read(monkeypatch: Any) -> None:
    monkeypatch.setattr(F, "scaled_dot_product_attention", leaky)
    with pytest.raises(UsageError, match="a token sees later ones"):
        open_for_inference(Device.cpu, Precision.float32)


def test_a_leaky_kernel_is_refused_before_a_run_starts(monkeypatch: Any) -> None:
    register()
    config = compose_config(["hardware=cpu", "hardware.threads=1"]).config.hardware
    monkeypatch.setattr(F, "scaled_dot_product_attention", leaky)
    with pytest.raises(UsageError, match="a token sees later ones"):
        hardware.open_machine(config, peak_flops_per_second=1.0, compile_pays=False, deterministic=False)


def test_a_nan_of_a_kernel_is_refused(monkeypatch: Any) -> None:
    monkeypatch.setattr(F, "scaled_dot_product_attention", lambda q, k, v, is_causal: torch.full_like(q, torch.nan))
    with pytest.raises(UsageError, match="causal attention"):
        refuse_a_look_ahead(HERE)


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


def test_a_device_that_is_not_there_is_one_line() -> None:
    absent = Device.mps if not torch.backends.mps.is_available() else Device.cuda
    with pytest.raises(UsageError, match=f"sees no {absent} here"):
        open_for_inference(absent, Precision.float32)


def test_half_precision_is_refused_on_mps(monkeypatch: Any) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(UsageError, match="float32 only"):
        open_for_inference(Device.mps, Precision.bfloat16)
