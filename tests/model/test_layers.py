"""Rotary positions and RMSNorm, against closed forms and the stock implementation."""

import pytest
import torch

from tinystories_lm.model.layers import RMSNorm, apply_rope, rope_tables


def rope(x: torch.Tensor, positions: torch.Tensor, *, theta: float) -> torch.Tensor:
    return apply_rope(x, rope_tables(positions, head_width=x.shape[-1], theta=theta))


def test_rope_is_a_complex_rotation_of_each_pair() -> None:
    x = torch.randn(2, 7, 3, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    angles = torch.arange(7)[:, None, None] * 100.0 ** (-torch.arange(4) / 4)
    z = torch.complex(*x.chunk(2, dim=-1)) * torch.exp(1j * angles)
    want = torch.cat((z.real, z.imag), dim=-1)
    torch.testing.assert_close(rope(x, torch.arange(7), theta=100.0), want, atol=1e-5, rtol=0)


@pytest.mark.parametrize("head_width", [16, 48, 64])
@pytest.mark.parametrize("theta", [100.5, 1e4, 5e5])
def test_ropes_angles_are_the_stock_ones_to_the_bit(head_width: int, theta: float) -> None:
    llama = pytest.importorskip("transformers.models.llama.modeling_llama", reason="it is in the dev extra")
    from transformers import LlamaConfig

    config = LlamaConfig(
        hidden_size=head_width, num_attention_heads=1, rope_parameters={"rope_type": "default", "rope_theta": theta}
    )
    positions = torch.arange(512)
    cos, sin = llama.LlamaRotaryEmbedding(config)(torch.zeros(1), positions[None])
    got = rope_tables(positions, head_width=head_width, theta=theta)
    assert torch.equal(got.cos_T1k[:, 0], cos[0, :, : head_width // 2])
    assert torch.equal(got.sin_T1k[:, 0], sin[0, :, : head_width // 2])


def test_rope_in_bfloat16_tells_token_257_from_256() -> None:
    x = torch.ones(1, 2, 1, 64, dtype=torch.bfloat16)
    turned = rope(x, torch.tensor([256, 257]), theta=10_000.0)
    assert turned.dtype == torch.bfloat16
    assert (turned[0, 0] != turned[0, 1]).any()


def test_rms_norm_divides_by_the_root_mean_square() -> None:
    norm = RMSNorm(8, eps=1e-5)
    x = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    want = x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(norm(x), want)
