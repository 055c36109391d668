"""Score a text under a model: the loss of every token, each given the context before it.

Shapes: B windows, T tokens, N tokens of the text, V vocabulary.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from tinystories_lm.data.batches import IGNORED, Batch
from tinystories_lm.data.tokenizer import END_OF_TEXT_ID
from tinystories_lm.hardware.machine import Machine
from tinystories_lm.system.errors import DivergedError, UsageError
from tinystories_lm.training.loss import perplexity


@dataclass(frozen=True)
class Score:
    """The loss of a text, and what it was measured over."""

    nats: float  # summed over all tokens
    tokens: int
    bytes: int  # of the text that the tokens encode

    @property
    def loss(self) -> float:
        """Return the mean loss, in nats per token."""
        return self.nats / self.tokens

    @property
    def perplexity(self) -> float:
        return perplexity(self.loss)

    @property
    def bits_per_byte(self) -> float:
        """Return bits per byte of text, which compares across tokenizers; ends of documents add no bytes."""
        return self.nats / math.log(2) / max(1, self.bytes)


def windows(ids_N: NDArray[np.uint16], *, context_tokens: int, stride_tokens: int, batch_size: int) -> Iterator[Batch]:
    """Yield the text as overlapping windows in which each token is a target exactly once.

    Each window starts `stride_tokens` after the previous one, and its targets are the tokens that the previous one did
    not cover: each is predicted from at least context_tokens - stride_tokens tokens, except near the start of the text
    (Baevski and Auli 2019, section 5). The first token follows an end of text, as in training. All batches have the
    same shape [B, T]; positions beyond the end are IGNORED.

    Raises UsageError for a stride outside 1 to context_tokens.
    """
    if not 1 <= stride_tokens <= context_tokens:
        raise UsageError(f"a stride of {stride_tokens} tokens is outside 1 to the context's {context_tokens}")
    stream = np.concatenate(([END_OF_TEXT_ID], ids_N)).astype(np.int64)
    begins = list(range(0, max(1, ids_N.size - context_tokens + stride_tokens), stride_tokens))
    for first in range(0, len(begins), batch_size):
        inputs_BT = np.full((batch_size, context_tokens), END_OF_TEXT_ID)
        targets_BT = np.full((batch_size, context_tokens), IGNORED)
        for row, begin in enumerate(begins[first : first + batch_size]):
            window = stream[begin : begin + context_tokens + 1]
            inputs_BT[row, : window.size - 1] = window[:-1]
            known = context_tokens - stride_tokens if begin else 0  # targets that earlier windows scored
            targets_BT[row, known : window.size - 1] = window[1 + known :]
        yield Batch(torch.from_numpy(inputs_BT), torch.from_numpy(targets_BT))


@torch.inference_mode()
def score(
    model: nn.Module,
    ids_N: NDArray[np.uint16],
    *,
    text_bytes: int,
    machine: Machine,
    context_tokens: int,
    stride_tokens: int,
    batch_size: int,
    progress: Callable[[int], object] = lambda tokens: None,
) -> Score:
    """Score every token of `ids_N` and call `progress` with the number of tokens scored in each batch.

    Raises DivergedError where the model's loss is not finite.
    """
    nats, tokens = 0.0, 0
    for batch in windows(ids_N, context_tokens=context_tokens, stride_tokens=stride_tokens, batch_size=batch_size):
        targets_BT = batch.targets_BT.to(machine.device)
        with machine.computing():
            logits_BTV = model(batch.inputs_BT.to(machine.device))
        losses_BT = F.cross_entropy(
            logits_BTV.flatten(0, 1).float(), targets_BT.flatten(), ignore_index=IGNORED, reduction="none"
        )
        nats += float(losses_BT.cpu().double().sum())  # MPS has no float64
        done = int((batch.targets_BT != IGNORED).sum())
        tokens += done
        progress(done)
        if not math.isfinite(nats):
            raise DivergedError(
                "the loss on the validation text is not finite: this model cannot be evaluated; choose another run"
            )
    return Score(nats, tokens, text_bytes)
