"""Choose the kernel that computes attention, and check that it is causal.

Shapes: B batch, H heads, T tokens, K head width.
"""

import math
import time
import warnings

import torch
from torch import Tensor
from torch.nn.attention import sdpa_kernel

from tinystories_lm.config.choices import Attention
from tinystories_lm.hardware.machine import KERNELS, Machine
from tinystories_lm.hardware.memory import is_out_of_memory
from tinystories_lm.hardware.processor import BLOCKS_PAY_TOKENS
from tinystories_lm.model.attention import attention_by_kernel
from tinystories_lm.system.errors import UsageError

CLEARLY_FASTER = 0.95  # of another kernel's time
BLOCKS_FIT_SCORES = 2**24  # 67 MB of float32 in each layer


def check_attention_is_causal(machine: Machine) -> None:
    """Raise UsageError if attention on this machine lets a token see later ones.

    pytorch#195910 is such a kernel, on MPS in half precision: the training loss looks excellent and the model is
    worthless. The result is compared with the definition (Vaswani et al. 2017, eq. 1), in float32 on the CPU.
    """
    random = torch.Generator().manual_seed(0)
    q_HTK, k_HTK, v_HTK = (torch.randn(4, 64, 64, generator=random).to(machine.dtype).float() for _ in range(3))
    later_TT = torch.ones(64, 64, dtype=torch.bool).triu(1)
    scores_HTT = (q_HTK @ k_HTK.transpose(1, 2) / 8).masked_fill(later_TT, -torch.inf)
    want_HTK = scores_HTT.softmax(dim=-1) @ v_HTK
    q, k, v = (x_HTK[None].to(machine.device, machine.dtype) for x_HTK in (q_HTK, k_HTK, v_HTK))
    with machine.attending():
        got_HTK = machine.attention_fn(q, k, v)[0].float().cpu()
    # bfloat16 is within 0.02 of the definition, attention to later tokens about 1 off
    if not torch.allclose(got_HTK, want_HTK, atol=0.1, rtol=0):
        raise UsageError(
            f"causal attention on this {machine.device.type} in {str(machine.dtype).removeprefix('torch.')} is wrong "
            f"under torch {torch.__version__} (a token sees later ones); use hardware.precision=float32 "
            "hardware.attention=math, another torch, or the CPU"
        )


def check_attention_runs(machine: Machine, shape: tuple[int, int, int, int]) -> None:
    """Raise UsageError where the chosen kernel cannot compute queries of this shape [B, H, T, K] and their gradients.

    torch would compute them by MATH instead, and need the memory of all scores.
    """
    if machine.attention not in KERNELS:
        return
    leaves = [torch.randn(shape, device=machine.device, dtype=machine.dtype, requires_grad=True) for _ in range(3)]
    try:
        with warnings.catch_warnings(), sdpa_kernel([KERNELS[machine.attention]]):
            warnings.simplefilter("ignore", UserWarning)  # torch says why, in several of them
            _attention_seconds(leaves, repeats=1)
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        precision = str(machine.dtype).removeprefix("torch.")
        raise UsageError(
            f"hardware.attention={machine.attention} does not run on this {machine.device.type} in {precision} under "
            f"torch {torch.__version__}; use hardware.attention=auto, or math"
        ) from error


def choose_attention(machine: Machine, shape: tuple[int, int, int, int], deterministic: bool) -> Attention:
    """Return what hardware.attention=auto resolves to for queries of this shape [B, H, T, K].

    Only a GPU is measured: on a CPU the choice follows from the shape, so that equal runs round equally.
    """
    batch, heads, tokens, _ = shape
    if machine.device.type == "cuda" and not deterministic:
        return fastest_attention(machine, shape)
    pays = tokens <= BLOCKS_PAY_TOKENS and batch * heads * tokens**2 <= BLOCKS_FIT_SCORES
    return Attention.blocks if machine.device.type == "cpu" and pays else Attention.auto


def fastest_attention(machine: Machine, shape: tuple[int, int, int, int]) -> Attention:
    """Return the kernel that takes the least time, forward and backward, for queries of this shape [B, H, T, K].

    Which one that is differs between processors and versions of torch. Of two that differ by the noise of the clock the
    first is chosen, so that equal runs choose alike and share compiled code. It is `auto` if none of them runs.
    """
    leaves = [torch.randn(shape, device=machine.device, dtype=machine.dtype, requires_grad=True) for _ in range(3)]
    best, chosen = math.inf, Attention.auto
    for kind in (Attention.flash, Attention.cudnn, Attention.efficient):
        try:
            with sdpa_kernel([KERNELS[kind]]):
                seconds = min(_attention_seconds(leaves) for _ in range(5))
        except RuntimeError:  # this kernel does not run here
            continue
        if seconds < CLEARLY_FASTER * best:
            best, chosen = seconds, kind
    return chosen


def _attention_seconds(leaves: list[Tensor], repeats: int = 4) -> float:
    q, k, v = leaves
    started = time.perf_counter()
    for _ in range(repeats):
        y_BHTK = attention_by_kernel(q, k, v)
        gradients = torch.autograd.grad(y_BHTK, leaves, torch.ones_like(y_BHTK))
    float(gradients[0].flatten()[0])  # reading a number waits for the device
    return time.perf_counter() - started
