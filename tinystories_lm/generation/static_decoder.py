"""Decode by a step of one shape and one place in memory, which a GPU records once and then launches as a whole.

A step of `Decoder` is some 200 launches, of shapes that grow with the text: more work for the host than for a GPU.

Shapes: B texts, C kept tokens, K head width, V vocabulary.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from tinystories_lm.generation.cuda_graph import Replay, recorded
from tinystories_lm.generation.decoder import Decoder, Places
from tinystories_lm.model.transformer import Transformer


def open_decoder(model: Transformer, batch_size: int, *, dtype: torch.dtype = torch.float32) -> Decoder:
    """Return the decoder that suits the model's device."""
    kind = StaticDecoder if model.embedding.weight.device.type == "cuda" else Decoder
    return kind(model, batch_size, dtype=dtype)


class StaticDecoder(Decoder):
    """Compute what `Decoder` does; attention reads the whole room, of which a mask hides what is not kept yet."""

    def __init__(self, model: Transformer, batch_size: int, *, dtype: torch.dtype = torch.float32) -> None:
        super().__init__(model, batch_size, dtype=dtype)
        self._newest_B = torch.zeros(batch_size, dtype=torch.long, device=self.device)
        self._slot_1 = torch.zeros(1, dtype=torch.long, device=self.device)
        self._unseen_B = torch.zeros(batch_size, dtype=torch.long, device=self.device)
        self._replay: Replay | None = None  # of a step with these tensors and the present room

    @torch.inference_mode()
    def step(self, tokens_B: Tensor) -> Tensor:
        """Take the next token of each text and return the logits [B, V] for the one after it, on the CPU."""
        assert self.length < self._room, "a GPU would abort at a place outside"
        self._newest_B.copy_(tokens_B)
        self._slot_1.fill_(self.length)
        if self._replay is None:
            self._replay = recorded(self._next, self.device)
        logits_BV = (self._replay or self._next)().cpu()
        self.length += 1
        return logits_BV

    @property
    def is_recorded(self) -> bool:
        return self._replay is not None

    @property
    def _room(self) -> int:
        return self.keys[0].shape[2]

    def _begin(self, texts: Sequence[Sequence[int]]) -> Tensor:
        tokens_BT = super()._begin(texts)
        self._unseen_B.zero_() if self._padding_B is None else self._unseen_B.copy_(self._padding_B)
        return tokens_BT

    def _make_room(self, shape: tuple[int, ...]) -> None:
        """Empty the room: what is hidden has no weight, but nothing times a NaN is one."""
        if not self.keys or self.keys[0].shape != shape:
            self._replay = None
            super()._make_room(shape)
        for kept in (*self.keys, *self.values):
            kept.zero_()

    def _next(self) -> Tensor:
        positions_B1 = (self._slot_1 - self._unseen_B[:, None]).clamp(max=self.config.context_tokens - 1)
        mask = self._attention_of_model.mask_of_slot(self._slot_1, room=self._room, padding_B=self._unseen_B)
        places = Places(self._cos_C1K[positions_B1], self._sin_C1K[positions_B1], mask, self._slot_1)
        return self._forward(self._newest_B[:, None], places)
