"""Attention in blocks, against torch's kernel and against what a causal function may depend on."""

import pytest
import torch
from torch import Tensor

from tinystories_lm.model.attention import attention_by_kernel, attention_in_blocks


def some(tokens: int, *, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    random = torch.Generator().manual_seed(tokens)
    return [torch.randn(2, 3, tokens, 16, generator=random).to(dtype).requires_grad_() for _ in range(3)]


@pytest.mark.parametrize("tokens", [1, 5, 8, 21])  # within a block, one, and a remainder
def test_blocks_give_the_values_and_gradients_of_torchs_kernel(tokens: int) -> None:
    q, k, v = some(tokens)
    ours, theirs = attention_in_blocks(q, k, v, block=8), attention_by_kernel(q, k, v)
    torch.testing.assert_close(ours, theirs)
    weights = torch.randn(ours.shape)
    for one, other in zip(
        torch.autograd.grad((ours * weights).sum(), (q, k, v)),
        torch.autograd.grad((theirs * weights).sum(), (q, k, v)),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_in_bfloat16_blocks_round_scores_once_more_than_torchs_kernel_and_no_worse() -> None:
    q, k, v = some(300, dtype=torch.bfloat16)
    truth = attention_by_kernel(*(x.double() for x in (q, k, v)))
    ours, theirs = (
        (attention_fn(q, k, v).double() - truth).abs().mean()
        for attention_fn in (attention_in_blocks, attention_by_kernel)
    )
    assert ours < 2 * theirs


def test_no_token_depends_on_a_later_one() -> None:
    q, k, v = some(21)
    later = attention_in_blocks(q, k, v, block=8)[:, :, 12].sum()
    for gradient in torch.autograd.grad(later, (k, v)):
        assert gradient[:, :, :13].any() and not gradient[:, :, 13:].any()
