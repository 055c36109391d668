"""The decoder: pre-norm RMSNorm, rotary positions, SwiGLU, no biases (the shape of Llama; Touvron et al. 2023).

Shapes: B batch, T tokens, D d_model, H heads, K head width, F d_ff, V vocabulary; 1 and k (= K/2)
broadcast.
"""

import math
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from tinystories_lm.config.schema import ModelConfig
from tinystories_lm.model.attention import AttentionFn, causal


def rope(x_BTHK: Tensor, positions_T: Tensor, *, theta: float) -> Tensor:
    """Turn each pair (i, i + K/2) of a head by an angle that grows with its position (Su et al. 2021, eq. 34).

    x_BTHK: queries or keys, any float dtype; K is even.
    positions_T: absolute positions, in tokens.

    Returns x's shape and dtype. Angles are float32: bfloat16 cannot tell token 257 from 256.
    """
    return apply_rope(x_BTHK, rope_tables(positions_T, head_width=x_BTHK.shape[-1], theta=theta))


class RopeTables(NamedTuple):
    cos_T1k: Tensor
    sin_T1k: Tensor


def rope_tables(positions_T: Tensor, *, head_width: int, theta: float) -> RopeTables:
    """Cosines and sines of RoPE's angles, in float32.

    Computed from the positions at each pass and kept nowhere: no table can be stale, stored, or left
    uninitialised by construction on the meta device.
    """
    pairs_k = torch.arange(0, head_width, 2, device=positions_T.device, dtype=torch.float32)
    turns_k = 1.0 / theta ** (pairs_k / head_width)  # in the order of operations, and so the bits, of transformers
    angles_Tk = positions_T[:, None].float() * turns_k
    return RopeTables(angles_Tk.cos()[:, None], angles_Tk.sin()[:, None])


def apply_rope(x_BTHK: Tensor, by: RopeTables) -> Tensor:
    cos_T1k, sin_T1k = by.cos_T1k.to(x_BTHK.dtype), by.sin_T1k.to(x_BTHK.dtype)
    a_BTHk, b_BTHk = x_BTHK.chunk(2, dim=-1)
    return torch.cat((a_BTHk * cos_T1k - b_BTHk * sin_T1k, b_BTHk * cos_T1k + a_BTHk * sin_T1k), dim=-1)


class RMSNorm(nn.Module):
    """Divide by the root mean square, times a learned gain (Zhang and Sennrich 2019)."""

    def __init__(self, width: int, *, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.weight.shape, self.weight.to(x.dtype), self.eps)


class Attention(nn.Module):
    """Causal multi-head self-attention with rotary positions."""

    def __init__(self, config: ModelConfig, *, attention_fn: AttentionFn = causal) -> None:
        super().__init__()
        width, head_width = config.d_model, config.d_model // config.n_heads
        self.n_heads, self.attention_fn = config.n_heads, attention_fn
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.output = nn.Linear(width, width, bias=False)
        self.query_norm = RMSNorm(head_width, eps=config.norm_eps) if config.qk_norm else nn.Identity()
        self.key_norm = RMSNorm(head_width, eps=config.norm_eps) if config.qk_norm else nn.Identity()

    def forward(self, x_BTD: Tensor, positions: RopeTables) -> Tensor:
        q_BTHK, k_BTHK, v_BTHK = (
            rearrange(project(x_BTD), "B T (H K) -> B T H K", H=self.n_heads)
            for project in (self.query, self.key, self.value)
        )
        q_BHTK = apply_rope(self.query_norm(q_BTHK), positions).transpose(1, 2)
        k_BHTK = apply_rope(self.key_norm(k_BTHK), positions).transpose(1, 2)
        v_BHTK = v_BTHK.transpose(1, 2)
        y_BHTK = self.attention_fn(q_BHTK, k_BHTK, v_BHTK)
        return self.output(rearrange(y_BHTK, "B H T K -> B T (H K)"))


class SwiGLU(nn.Module):
    """down(silu(gate(x)) * up(x)) (Shazeer 2020)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.up = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.down = nn.Linear(config.d_ff, config.d_model, bias=False)

    def forward(self, x_BTD: Tensor) -> Tensor:
        return self.down(F.silu(self.gate(x_BTD)) * self.up(x_BTD))


class Block(nn.Module):
    """Attention, then the MLP, each on a normalised copy of the residual stream."""

    def __init__(self, config: ModelConfig, *, attention_fn: AttentionFn = causal) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.d_model, eps=config.norm_eps)
        self.attention = Attention(config, attention_fn=attention_fn)
        self.mlp_norm = RMSNorm(config.d_model, eps=config.norm_eps)
        self.mlp = SwiGLU(config)

    def forward(self, x_BTD: Tensor, positions: RopeTables) -> Tensor:
        x_BTD = x_BTD + self.attention(self.attention_norm(x_BTD), positions)
        return x_BTD + self.mlp(self.mlp_norm(x_BTD))


class Transformer(nn.Module):
    """Token ids in, next-token logits out.

    residual: dtype of the stream that the blocks add to; bfloat16 halves what is moved between them.
    attention_fn: how attention is computed; the result is the same but for rounding.
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        vocab_size: int,
        residual: torch.dtype = torch.float32,
        attention_fn: AttentionFn = causal,
    ) -> None:
        super().__init__()
        self.config, self.residual = config, residual
        self.embedding = nn.Embedding(vocab_size, config.d_model)
        self.blocks = nn.ModuleList(Block(config, attention_fn=attention_fn) for _ in range(config.n_layers))
        self.norm = RMSNorm(config.d_model, eps=config.norm_eps)
        self.head = nn.Linear(config.d_model, vocab_size, bias=False)
        if config.tie_embeddings:
            self.head.weight = self.embedding.weight

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """Logits [B, T, V] for the token after each of `tokens_BT`."""
        positions_T = torch.arange(tokens_BT.shape[1], device=tokens_BT.device)
        head_width = self.config.d_model // self.config.n_heads
        positions = rope_tables(positions_T, head_width=head_width, theta=self.config.rope_theta)
        x_BTD = self.embedding(tokens_BT).to(self.residual)
        for block in self.blocks:
            x_BTD = block(x_BTD, positions)
        return self.head(self.norm(x_BTD))

    def materialise(self, device: str | torch.device) -> "Transformer":
        """Give a model that was built on the meta device memory, with no values yet, and keep tied weights tied."""
        self.to_empty(device=device)
        if self.config.tie_embeddings:
            self.head.weight = self.embedding.weight
        return self

    @torch.no_grad()
    def initialise(self, seed: int) -> None:
        """Draw the weights: normal, 0.02 wide, and narrower by sqrt(2 layers) where a branch joins the residual
        stream (Radford et al. 2019). Drawn on the CPU: every device begins from the same numbers.
        """
        generator = torch.Generator().manual_seed(seed)
        narrow = 0.02 / math.sqrt(2 * self.config.n_layers)
        for name, weight in self.named_parameters():
            if weight.dim() == 1:
                weight.fill_(1.0)
                continue
            std = narrow if name.endswith(("attention.output.weight", "mlp.down.weight")) else 0.02
            weight.copy_(torch.empty(weight.shape).normal_(0.0, std, generator=generator))
