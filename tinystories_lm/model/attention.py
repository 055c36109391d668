"""Causal self-attention: which tokens a token sees, and two ways to compute it (Vaswani et al. 2017, eq. 1).

The mask belongs to the model: training and decoding take it from here, and the hardware chooses only which of the two
ways, and which of torch's kernels, computes it.

Shapes: B batch, T tokens, D d_model, H heads, K head width; Q queries, S keys; C kept tokens of a decoder.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from tinystories_lm.config.schema import ModelConfig
from tinystories_lm.model.layers import RMSNorm, RopeTables, apply_rope

AttentionFn = Callable[[Tensor, Tensor, Tensor], Tensor]  # queries, keys, values [B, H, T, K] to [B, H, T, K]


def visible(queries_Q: Tensor, keys_S: Tensor) -> Tensor:
    """Return which positions of keys each position of a query sees, [..., Q, S]: its own and those before it."""
    return keys_S[..., None, :] <= queries_Q[..., None]


def attention_by_kernel(q_BHTK: Tensor, k_BHTK: Tensor, v_BHTK: Tensor) -> Tensor:
    """Compute attention by one of torch's kernels, which keep no scores for the backward pass."""
    return F.scaled_dot_product_attention(q_BHTK, k_BHTK, v_BHTK, is_causal=True)


def attention_in_blocks(q_BHTK: Tensor, k_BHTK: Tensor, v_BHTK: Tensor, *, block: int = 128) -> Tensor:
    """Compute attention in plain torch, a block of queries at a time against the keys up to its end.

    Scores and softmax are float32. About B · H · T² / 2 scores are kept for the backward pass, which is why this suits
    short contexts on a CPU: there it takes half the time of torch's kernel.
    """
    tokens, scale = q_BHTK.shape[2], q_BHTK.shape[3] ** -0.5
    outputs = []
    for begin in range(0, tokens, block):
        end = min(begin + block, tokens)
        scores_BHQS = (q_BHTK[:, :, begin:end] @ k_BHTK[:, :, :end].transpose(-1, -2)).float() * scale
        positions_S = torch.arange(end, device=q_BHTK.device)
        hidden_QS = ~visible(positions_S[begin:], positions_S)
        weights_BHQS = scores_BHQS.masked_fill(hidden_QS, -torch.inf).softmax(dim=-1).to(v_BHTK.dtype)
        outputs.append(weights_BHQS @ v_BHTK[:, :, :end])
    return torch.cat(outputs, dim=2)


class KernelMask(NamedTuple):
    """A mask in the two forms that scaled_dot_product_attention takes."""

    attn_mask: Tensor | None  # True where a query sees a key
    is_causal: bool


class Attention(nn.Module):
    """Multi-head self-attention with rotary positions and, if the config has it, QK-norm."""

    def __init__(self, config: ModelConfig, *, attention_fn: AttentionFn = attention_by_kernel) -> None:
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

    def mask_of_newest(self, n_tokens: int, length: int, *, padding_B: Tensor | None) -> KernelMask:
        """Return what the newest `n_tokens` of a decoder's `length` kept tokens see of all of them.

        padding_B: how many tokens before each text are padding, which no text sees; None where there is none, and then
            n_tokens is 1 or all of them.
        """
        if padding_B is None:
            return KernelMask(None, is_causal=n_tokens > 1)  # a single newest token sees all
        kept_C = torch.arange(length, device=padding_B.device)
        positions_BC = kept_C - padding_B[:, None]
        newest_BT, newest_T = positions_BC[:, length - n_tokens :], kept_C[length - n_tokens :]
        seen_BTC = visible(newest_BT, positions_BC) & (positions_BC >= 0)[:, None]
        itself_TC = kept_C == newest_T[:, None]  # padding sees itself: a softmax over nothing would be NaN
        return KernelMask((seen_BTC | itself_TC)[:, None], is_causal=False)

    def mask_of_slot(self, slot_1: Tensor, *, room: int, padding_B: Tensor) -> KernelMask:
        """Return what a newest token sees of all `room` places of a decoder, of which those after its own are unused.

        slot_1: its place, on the device: the mask has one shape for every place.
        padding_B: how many places before each text are padding, fewer than slot_1.
        """
        places_C = torch.arange(room, device=padding_B.device)
        seen_1C = visible(slot_1, places_C)
        return KernelMask((seen_1C & (places_C >= padding_B[:, None]))[:, None, None], is_causal=False)
