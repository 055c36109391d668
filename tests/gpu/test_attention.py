"""Each attention kernel against the definition in float64, and against what a causal function may depend on."""

import dataclasses

import pytest
import torch
from torch import Tensor

from tinystories_lm.config.choices import Attention
from tinystories_lm.hardware import attention_kernels
from tinystories_lm.hardware.machine import KERNELS, Machine
from tinystories_lm.system.errors import UsageError

BOUNDS = {torch.bfloat16: 0.01, torch.float32: 1e-3}  # of the error's norm over the result's
SHAPE = (2, 4, 384, 64)  # [B, H, T, K]; 384 tokens are whole blocks of some kernels and not of others
EVERYWHERE = {("flash", torch.bfloat16), ("efficient", torch.bfloat16), ("math", torch.bfloat16),
              ("math", torch.float32)}  # fmt: skip

each_kernel = pytest.mark.parametrize("kind", KERNELS)
each_dtype = pytest.mark.parametrize("dtype", BOUNDS, ids=["bfloat16", "float32"])


def with_kernel(machine: Machine, kind: Attention, dtype: torch.dtype) -> Machine:
    """Return the machine with this kernel; skip the test where the program would refuse it."""
    machine = dataclasses.replace(machine, attention=kind, dtype=dtype)
    try:
        attention_kernels.check_attention_runs(machine, SHAPE)
    except UsageError as error:
        if machine.device.type == "cuda" and (kind, dtype) in EVERYWHERE:
            raise
        pytest.skip(str(error))
    return machine


def leaves(machine: Machine) -> list[Tensor]:
    """Return queries, keys and values as the model makes them: of a layout [B, T, H, K], seen as [B, H, T, K]."""
    batch, heads, tokens, width = SHAPE
    random = torch.Generator().manual_seed(0)
    made = [torch.randn(batch, tokens, heads, width, generator=random) for _ in range(3)]
    return [x.to(machine.device, machine.dtype).transpose(1, 2).requires_grad_() for x in made]


def error(found: Tensor, want: Tensor) -> float:
    return float((found.detach().double().cpu() - want).norm() / want.norm())


@each_dtype
@each_kernel
def test_values_and_gradients_are_those_of_the_definition(
    machine: Machine, kind: Attention, dtype: torch.dtype
) -> None:
    """Vaswani et al. 2017, eq. 1, in float64 on the CPU, from the same rounded inputs."""
    machine = with_kernel(machine, kind, dtype)
    inputs = leaves(machine)
    wide = [x.detach().double().cpu().requires_grad_() for x in inputs]
    later_TT = torch.ones(SHAPE[2], SHAPE[2], dtype=torch.bool).triu(1)
    scores = (wide[0] @ wide[1].transpose(2, 3) / SHAPE[3] ** 0.5).masked_fill(later_TT, -torch.inf)
    want = scores.softmax(dim=-1) @ wide[2]
    weights = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1)).to(dtype)
    with machine.attending():
        found = machine.attention_fn(*inputs)
        gradients = torch.autograd.grad(found, inputs, weights.to(machine.device))
    assert error(found, want.detach()) < BOUNDS[dtype]
    for gradient, other in zip(gradients, torch.autograd.grad(want, wide, weights.double()), strict=True):
        assert error(gradient, other) < 2 * BOUNDS[dtype]


@each_dtype
@each_kernel
def test_no_token_depends_on_a_later_one(machine: Machine, kind: Attention, dtype: torch.dtype) -> None:
    machine = with_kernel(machine, kind, dtype)
    attention_kernels.check_attention_is_causal(machine)
    q, k, v = inputs = leaves(machine)
    for position in (0, 63, 64, 200):
        with machine.attending():
            gradients = torch.autograd.grad(machine.attention_fn(*inputs)[:, :, position].sum(), inputs)
        for gradient in gradients[1:]:
            assert not gradient[:, :, position + 1 :].any(), f"of position {position}"
        assert gradients[2][:, :, : position + 1].any()
    changed_k, changed_v = k.detach().clone(), v.detach().clone()
    changed_k[:, :, 200:], changed_v[:, :, 200:] = 9.0, -9.0
    with machine.attending(), torch.no_grad():
        before, after = machine.attention_fn(q, k, v), machine.attention_fn(q, changed_k, changed_v)
    assert torch.equal(before[:, :, :200], after[:, :, :200])


def test_the_fastest_kernel_is_one_that_runs(machine: Machine) -> None:
    machine = dataclasses.replace(machine, dtype=torch.bfloat16)
    chosen = attention_kernels.choose_attention(machine, SHAPE, deterministic=False)
    if machine.device.type == "cuda":
        assert chosen in (Attention.flash, Attention.cudnn, Attention.efficient)
    attention_kernels.check_attention_is_causal(dataclasses.replace(machine, attention=chosen))
