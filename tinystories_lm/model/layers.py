"""The layers that attention and MLP are made of: RMSNorm, rotary positions, SwiGLU.

Shapes: B batch, T tokens, D d_model, H heads, K head width, F d_ff; 1 and k (= K/2) broadcast.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinystories_lm.config.schema import ModelConfig


class RMSNorm(nn.Module):
    """Divide by the root mean square, times a learned gain (Zhang and Sennrich 2019)."""

    def __init__(self, width: int, *, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.weight.shape, self.weight.to(x.dtype), self.eps)


class SwiGLU(nn.Module):
    """down(silu(gate(x)) * up(x)) (Shazeer 2020)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.up = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.down = nn.Linear(config.d_ff, config.d_model, bias=False)

    def forward(self, x_BTD: Tensor) -> Tensor:
        return self.down(F.silu(self.gate(x_BTD)) * self.up(x_BTD))


class RopeTables(NamedTuple):
    """Cosines and sines of RoPE's angles, in float32: bfloat16 cannot represent token 257 apart from 256."""

    cos_T1k: Tensor
    sin_T1k: Tensor


def rope_tables(positions_T: Tensor, *, head_width: int, theta: float) -> RopeTables:
    """Compute the angles that `apply_rope` turns by (Su et al. 2021, eq. 34).

    positions_T: absolute positions, in tokens.

    The tables are computed from the positions in each pass and stored nowhere, so that none can be stale, saved in a
    checkpoint, or left uninitialised by construction on the meta device.
    """
    pairs_k = torch.arange(0, head_width, 2, device=positions_T.device, dtype=torch.float32)
    turns_k = 1.0 / theta ** (pairs_k / head_width)  # the order of operations, and so the bits, of transformers
    angles_Tk = positions_T[:, None].float() * turns_k
    return RopeTables(angles_Tk.cos()[:, None], angles_Tk.sin()[:, None])


def apply_rope(x_BTHK: Tensor, by: RopeTables) -> Tensor:
    """Turn each pair (i, i + K/2) of a head by an angle that grows with its position.

    x_BTHK: queries or keys, any float dtype; K is even.

    Returns x's shape and dtype.
    """
    cos_T1k, sin_T1k = by.cos_T1k.to(x_BTHK.dtype), by.sin_T1k.to(x_BTHK.dtype)
    a_BTHk, b_BTHk = x_BTHK.chunk(2, dim=-1)
    return torch.cat((a_BTHk * cos_T1k - b_BTHk * sin_T1k, b_BTHk * cos_T1k + a_BTHk * sin_T1k), dim=-1)
