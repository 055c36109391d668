"""Choose the tokens of each step: a pure function of the seed and the step.

Shapes: B batch, T tokens, N tokens of the stream, R rows of an epoch.
"""

import hashlib
import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

IGNORED = -100  # a target that cross_entropy skips


class Batch(NamedTuple):
    """Inputs and next-token targets of one step or micro-batch."""

    inputs_BT: Tensor  # int64 token ids
    targets_BT: Tensor  # the inputs shifted by one token


def token_tensor(tokens: np.ndarray, device: torch.device) -> Tensor:
    """Return a token cache as int16 bits on `device`; on the CPU it is a view of the memory-mapped file.

    torch indexes uint16 on few devices, so the bits are stored as int16 and `_ids` converts them.
    """
    with warnings.catch_warnings():
        # torch warns about writing to a read-only array; the tensor is only indexed.
        warnings.simplefilter("ignore", UserWarning)
        bits = torch.from_numpy(tokens.view(np.int16))
    return bits if device.type == "cpu" else bits.to(device)


def fits(tokens: np.ndarray, device: torch.device) -> bool:
    """Return whether the stream takes at most a tenth of the device's free memory."""
    if device.type != "cuda":
        return True
    free_bytes, _ = torch.cuda.mem_get_info(device)
    return tokens.nbytes <= free_bytes // 10


class Batches:
    """Rows of T + 1 consecutive tokens, in a new order each epoch.

    An epoch splits the stream into rows that share only their border token, so that every token is predicted once,
    except for fewer than T. The first row of an epoch begins at one of the first T tokens; a row that reaches the
    stream's end continues at its beginning.

    sequences: maps a step to the numbers of its rows, counted over all epochs.
    data_version: 1 is the rule of older runs, by which the first row begins only where no row reaches the end: at one
        place alone where T divides N - 1.
    """

    def __init__(
        self,
        tokens_N: Tensor,
        *,
        context_tokens: int,
        sequences: Callable[[int], range],
        seed: int,
        data_version: int,
    ) -> None:
        if tokens_N.numel() <= context_tokens:
            raise ValueError(
                f"the training split has {tokens_N.numel():,} tokens, model.context_tokens={context_tokens} "
                f"needs at least {context_tokens + 1:,}: add text or lower model.context_tokens"
            )
        self.tokens_N, self.context_tokens, self.sequences, self.seed = tokens_N, context_tokens, sequences, seed
        self.rows = (tokens_N.numel() - 1) // context_tokens
        slack = tokens_N.numel() - 1 - self.rows * context_tokens
        self._first_places = slack + 1 if data_version == 1 else context_tokens
        self._offsets = torch.arange(context_tokens + 1, device=tokens_N.device)
        self._starts_R: dict[int, Tensor] = {}  # first token of each row, for the epochs of the newest batch

    def batch(self, step: int, *, device: torch.device) -> Batch:
        """Return the step's whole batch on `device`; it may span two epochs.

        The host does not wait for the device where the tokens are stored on it.
        """
        wanted = self.sequences(step)
        epochs = range(wanted.start // self.rows, (wanted.stop - 1) // self.rows + 1)
        self._starts_R = {epoch: self._starts_of(epoch) for epoch in epochs}
        starts_B = torch.cat(
            [
                starts_R[max(0, wanted.start - epoch * self.rows) : wanted.stop - epoch * self.rows]
                for epoch, starts_R in self._starts_R.items()
            ]
        )
        places_BT = (starts_B[:, None] + self._offsets) % self.tokens_N.numel()
        ids = _ids(self.tokens_N[places_BT]).to(device)
        # Other strides would recompile a compiled model, and the batches of validation are contiguous.
        return Batch(ids[:, :-1].contiguous(), ids[:, 1:].contiguous())

    def _starts_of(self, epoch: int) -> Tensor:
        """Return the first token of each row of an epoch, in the epoch's order [R]."""
        if epoch in self._starts_R:
            return self._starts_R[epoch]
        digest = hashlib.sha256(f"{self.seed}/{epoch}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
        offset = int(torch.randint(self._first_places, (1,), generator=generator))
        order_R = torch.randperm(self.rows, generator=generator)
        return (offset + order_R * self.context_tokens).to(self.tokens_N.device)


def validation_batches(
    tokens_N: Tensor, *, eval_tokens: int, context_tokens: int, batch_size: int, device: torch.device
) -> Iterator[Batch]:
    """Yield the split's first `eval_tokens` tokens, each predicted once from at most T tokens before it.

    All batches have the same shape, so that a compiled model is compiled once; positions beyond the end are IGNORED.
    """
    scored = min(eval_tokens, tokens_N.numel() - 1)
    for first in range(0, scored, batch_size * context_tokens):
        # Made where the tokens are: a copy to a GPU would make the host wait in every batch.
        places = first + torch.arange(batch_size * context_tokens, device=tokens_N.device).view(batch_size, -1)
        inside = places < scored
        places = torch.where(inside, places, 0)
        targets = torch.where(inside, _ids(tokens_N[places + 1]), IGNORED)
        yield Batch(_ids(tokens_N[places]).to(device), targets.to(device))


def _ids(bits: Tensor) -> Tensor:
    return bits.long() & 0xFFFF
