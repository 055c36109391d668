"""The decoder of a GPU: its step has the same tensors at every place, and reads nothing that it does not keep."""

from collections.abc import Callable

import pytest
import torch
from tokenizers import Tokenizer
from torch import Tensor

from tests.generation.test_generate import with_
from tests.model.test_transformer import SMALL, build, tokens
from tinystories_lm.generation import static_decoder
from tinystories_lm.generation.decoder import Decoder
from tinystories_lm.generation.generate import begin_texts, write
from tinystories_lm.generation.static_decoder import StaticDecoder, open_decoder
from tinystories_lm.model.transformer import Transformer

CONTEXT = SMALL.context_tokens


class Watched(StaticDecoder):
    """Keeps the addresses and shapes that each step reads and writes."""

    def __init__(self, model: Transformer, batch_size: int) -> None:
        super().__init__(model, batch_size)
        self.seen: list[tuple[object, ...]] = []

    def _next(self) -> Tensor:
        used = (self._newest_B, self._slot_1, self._unseen_B, *self.keys, *self.values)
        self.seen.append(tuple((tensor.data_ptr(), tensor.shape) for tensor in used))
        return super()._next()


def test_all_steps_after_a_reading_use_the_same_memory_and_those_after_another_of_one_room_too() -> None:
    decoder, ids = Watched(build(), 2), tokens(2, CONTEXT)
    for read in (3, 7):
        decoder.read(ids[:, :read].tolist())
        for place in range(read, CONTEXT):
            decoder.step(ids[:, place])
    assert len(set(decoder.seen)) == 1 and len(decoder.seen) == 2 * CONTEXT - 10


def test_a_step_is_recorded_again_for_another_room_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    recordings: list[torch.device] = []

    def record(work: Callable[[], Tensor], device: torch.device) -> Callable[[], Tensor]:
        recordings.append(device)
        return lambda: work()

    monkeypatch.setattr(static_decoder, "recorded", record)
    decoder, step = StaticDecoder(build(), 2), torch.tensor([1, 2])
    for texts in ([[1, 2], [3, 4]], [[5], [6]], [[1], [2, 3]], [[1, 2, 3], [4, 5]]):
        decoder.read(texts)
        decoder.step(step)
        decoder.step(step)
    assert len(recordings) == 2, "texts of one length have a room of the context, others one more place"


def test_what_an_earlier_text_left_in_the_room_counts_for_nothing_even_where_it_is_not_finite() -> None:
    model, ids = build(wide=5.0), tokens(1, CONTEXT)
    decoder = StaticDecoder(model, 1)
    decoder.read(ids.tolist())
    with torch.inference_mode():
        for kept in (*decoder.keys, *decoder.values):
            kept.fill_(torch.nan)
    decoder.read(ids[:, :4].tolist())
    torch.testing.assert_close(decoder.step(ids[:, 4]), model(ids[:, :5]).detach()[:, -1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("prompts", [["Once"], ["Once", "The end. The", ""]], ids=len)
def test_texts_beyond_the_context_are_those_of_the_other_decoder(
    model: Transformer, tokenizer: Tokenizer, prompts: list[str]
) -> None:
    config = with_(max_tokens=3 * CONTEXT, temperature=0.7, beyond_context=True)
    written = []
    for kind in (Decoder, StaticDecoder):
        texts = begin_texts(tokenizer, prompts, config, count=1, context_tokens=CONTEXT)
        for _ in write(kind(model, len(texts)), texts, config):
            pass
        written.append([text.ids for text in texts])
    assert written[0] == written[1] and max(map(len, written[0])) > 2 * CONTEXT


def test_a_full_room_takes_no_more_tokens() -> None:
    decoder, ids = StaticDecoder(build(), 1), tokens(1, CONTEXT)
    decoder.read(ids.tolist())
    with pytest.raises(AssertionError, match="outside"):
        decoder.step(ids[:, 0])


def test_a_cpu_has_the_decoder_of_growing_texts() -> None:
    assert type(open_decoder(build(), 1)) is Decoder
