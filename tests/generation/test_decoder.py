"""The decoder gives the logits of the full forward pass, in whatever steps it computes them."""

import pytest
import torch
from torch import nn

from tests.model.test_transformer import SMALL, VOCAB, build, tokens, with_
from tinystories_lm.generation.decoder import Decoder, product
from tinystories_lm.generation.static_decoder import StaticDecoder

CONTEXT = SMALL.context_tokens
each_decoder = pytest.mark.parametrize("kind", [Decoder, StaticDecoder])  # on a CPU neither is recorded as a graph


def close(got: torch.Tensor, want: torch.Tensor) -> None:
    torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)


@each_decoder
@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize("qk_norm", [False, True])
@pytest.mark.parametrize("texts", [1, 3])
@pytest.mark.parametrize("read", [1, 6, CONTEXT])
def test_cached_decoding_equals_the_full_pass_up_to_the_context(
    kind: type[Decoder], qk_norm: bool, tie: bool, texts: int, read: int
) -> None:
    model, ids = build(with_(SMALL, qk_norm=qk_norm, tie_embeddings=tie), wide=5.0), tokens(texts, CONTEXT)
    full, decoder = model(ids).detach(), kind(model, texts)
    close(decoder.read(ids[:, :read].tolist()), full[:, read - 1])
    for place in range(read, CONTEXT):
        close(decoder.step(ids[:, place]), full[:, place])


@each_decoder
def test_texts_of_different_lengths_give_what_each_gives_alone(kind: type[Decoder]) -> None:
    model, ids, lengths = build(wide=5.0), tokens(4, CONTEXT), [3, 9, 1, 5]
    full, decoder = model(ids).detach(), kind(model, 4)
    logits = decoder.read([row[:length] for row, length in zip(ids.tolist(), lengths, strict=True)])
    for step in range(CONTEXT - max(lengths) + 1):
        for row, length in enumerate(lengths):
            close(logits[row], full[row, length + step - 1])
        if step < CONTEXT - max(lengths):
            logits = decoder.step(torch.stack([ids[row, length + step] for row, length in enumerate(lengths)]))


@each_decoder
def test_the_shortest_text_may_fill_its_context_beside_a_longer_one(kind: type[Decoder]) -> None:
    model, ids = build(wide=5.0), tokens(2, CONTEXT)
    full, decoder = model(ids[:1]).detach(), kind(model, 2)
    logits = decoder.read([ids[0, :2].tolist(), ids[1, :-1].tolist()])
    for place in range(2, CONTEXT):
        close(logits[0], full[0, place - 1])
        logits = decoder.step(ids[:, place])  # the other text is beyond its context: nobody looks at it
        assert torch.isfinite(logits).all()


@each_decoder
def test_a_decoder_forgets_what_it_read_before(kind: type[Decoder]) -> None:
    model, ids = build(wide=5.0), tokens(1, CONTEXT)
    decoder = kind(model, 1)
    first = decoder.read(ids[:, :7].tolist()), decoder.step(ids[:, 7])
    decoder.read(ids.tolist())
    again = decoder.read(ids[:, :7].tolist()), decoder.step(ids[:, 7])
    assert all(torch.equal(*pair) for pair in zip(first, again, strict=True))


@each_decoder
@pytest.mark.parametrize("texts", [1, 3])
def test_bfloat16_matrices_give_nearly_the_same(kind: type[Decoder], texts: int) -> None:
    model, ids = build(wide=3.0), tokens(texts, CONTEXT)
    full, decoder = model(ids).detach(), kind(model, texts, dtype=torch.bfloat16)
    decoder.read(ids[:, :-1].tolist())
    assert (decoder.step(ids[:, -1]) - full[:, -1]).abs().max() < 0.05 * full.abs().max()


@pytest.mark.parametrize("texts", [[], [[1]] * 3, [[], [1]], [[1], [1] * (CONTEXT + 1)]], ids=str)
def test_what_cannot_be_read_is_refused(texts: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="this decoder reads 2 texts of 1 to 16 tokens"):
        Decoder(build(), 2).read(texts)


@pytest.mark.parametrize(
    ("weight", "where"),
    [
        ("embedding", "the embedding"),
        ("blocks.0.attention.value", "the attention of layer 0"),
        ("blocks.1.mlp.down", "the MLP of layer 1"),
        ("head", "the output head"),
    ],
)
@pytest.mark.parametrize("texts", [1, 2])
def test_logits_that_are_not_finite_are_traced_to_the_part_where_it_began(weight: str, where: str, texts: int) -> None:
    model = build()
    with torch.no_grad():
        part = model.get_submodule(weight)
        assert isinstance(part, nn.Linear | nn.Embedding)
        part.weight.fill_(torch.inf)
    assert Decoder(model, texts).where_not_finite([1, 2, 3]) == where


def test_where_all_is_finite_no_part_is_named() -> None:
    assert Decoder(build(), 1).where_not_finite([1, 2, VOCAB - 1]) == ""


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("size", [(24, 16), (97, 16)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_every_form_of_a_product_is_the_product(rows: int, size: tuple[int, int], dtype: torch.dtype) -> None:
    random = torch.Generator().manual_seed(0)
    weight = torch.randn(size, generator=random).to(dtype)
    for shape in ((rows, 1, 16), (rows, 5, 16)):
        x = torch.randn(shape, generator=random).to(dtype).float()
        got = product(weight.float(), rows, dtype)(x)
        torch.testing.assert_close(got, x @ weight.float().t(), atol=1e-5 if dtype is torch.float32 else 0.1, rtol=0.01)
