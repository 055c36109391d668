"""Scoring a text: each token once, with the context it is owed, against a pass of its own for every token."""

import math

import numpy as np
import pytest
import torch

from tests.hardware.test_setup import HERE
from tests.model.test_transformer import SMALL, VOCAB, build
from tinystories_lm.data.batches import IGNORED
from tinystories_lm.evaluation.perplexity import Score, score, windows
from tinystories_lm.system.errors import DivergedError, UsageError

CONTEXT = SMALL.context_tokens


def text(length: int) -> np.ndarray:
    return np.random.default_rng(0).integers(1, VOCAB, length).astype(np.uint16)


@pytest.mark.parametrize("length", [1, 2, CONTEXT - 1, CONTEXT, CONTEXT + 1, CONTEXT + 4, 5 * CONTEXT + 3])
@pytest.mark.parametrize("stride", [1, 5, CONTEXT // 2, CONTEXT])
@pytest.mark.parametrize("batch", [1, 3])
def test_every_token_is_a_target_once_and_has_the_context_it_is_owed(length: int, stride: int, batch: int) -> None:
    ids, seen = text(length), []
    stream = [0, *ids.tolist()]
    for part in windows(ids, context_tokens=CONTEXT, stride_tokens=stride, batch_size=batch):
        assert part.inputs_BT.shape == (batch, CONTEXT)
        for inputs, targets in zip(part.inputs_BT.tolist(), part.targets_BT.tolist(), strict=True):
            for place, target in enumerate(targets):
                if target != IGNORED:
                    number = len(seen) + 1
                    assert place + 1 >= min(number, CONTEXT - stride)
                    assert inputs[: place + 1] == stream[number - place - 1 : number]
                    seen.append(target)
    assert seen == ids.tolist()


@pytest.mark.parametrize("length", [3, CONTEXT, 45])
def test_the_score_is_that_of_a_pass_for_every_token(length: int) -> None:
    model, ids, stride = build(wide=5.0), text(length), 4
    stream, nats = [0, *ids.tolist()], 0.0
    for place in range(1, len(stream)):
        late = max(0, place - CONTEXT)
        begin = math.ceil(late / stride) * stride  # of the window that has it as a target
        logits = model(torch.tensor([stream[begin:place]]))[0, -1]
        nats -= logits.log_softmax(-1)[stream[place]].item()
    got = score(model, ids, text_bytes=77, machine=HERE, context_tokens=CONTEXT, stride_tokens=stride, batch_size=3)
    assert (got.tokens, got.bytes) == (length, 77)
    assert got.nats == pytest.approx(nats, rel=1e-5)


def test_loss_perplexity_and_bits_per_byte_belong_together() -> None:
    found = Score(nats=8 * math.log(2) * 10, tokens=20, bytes=40)
    assert found.loss == pytest.approx(4 * math.log(2))
    assert found.perplexity == pytest.approx(16)
    assert found.bits_per_byte == pytest.approx(2)


def test_a_model_without_a_finite_loss_is_refused() -> None:
    model = build()
    model.get_parameter("norm.weight").data.fill_(torch.nan)
    with pytest.raises(DivergedError, match="is not finite"):
        score(model, text(9), text_bytes=9, machine=HERE, context_tokens=CONTEXT, stride_tokens=8, batch_size=1)


@pytest.mark.parametrize("stride", [0, CONTEXT + 1])
def test_a_stride_that_leaves_tokens_out_is_refused(stride: int) -> None:
    with pytest.raises(UsageError, match="outside 1 to the context's 16"):
        list(windows(text(9), context_tokens=CONTEXT, stride_tokens=stride, batch_size=1))
