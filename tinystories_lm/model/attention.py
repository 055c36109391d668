"""Causal attention, computed in one of two ways (Vaswani et al. 2017, eq. 1).

Shapes: B batch, T tokens, H heads, K head width; Q queries of a block, S keys that they may see.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

AttentionFn = Callable[[Tensor, Tensor, Tensor], Tensor]  # queries, keys, values [B, H, T, K] to [B, H, T, K]


def causal(q_BHTK: Tensor, k_BHTK: Tensor, v_BHTK: Tensor) -> Tensor:
    """By one of torch's kernels, which keep no scores."""
    return F.scaled_dot_product_attention(q_BHTK, k_BHTK, v_BHTK, is_causal=True)


def causal_in_blocks(q_BHTK: Tensor, k_BHTK: Tensor, v_BHTK: Tensor, *, block: int = 128) -> Tensor:
    """In plain torch, a block of queries at a time against the keys up to its end; scores and softmax in float32.

    For the backward pass the scores are kept, about B · H · T² / 2 of them: for short contexts on a CPU, where it
    takes half the time of torch's kernel.
    """
    tokens, scale = q_BHTK.shape[2], q_BHTK.shape[3] ** -0.5
    outputs = []
    for begin in range(0, tokens, block):
        end = min(begin + block, tokens)
        scores_BHQS = (q_BHTK[:, :, begin:end] @ k_BHTK[:, :, :end].transpose(-1, -2)).float() * scale
        places_S = torch.arange(end, device=q_BHTK.device)
        later_QS = places_S > places_S[begin:, None]
        weights_BHQS = scores_BHQS.masked_fill(later_QS, -torch.inf).softmax(dim=-1).to(v_BHTK.dtype)
        outputs.append(weights_BHQS @ v_BHTK[:, :, :end])
    return torch.cat(outputs, dim=2)
