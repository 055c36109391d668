"""Which tokens each step sees: a pure function of the seed and the step.

Shapes: B batch, T tokens, N tokens of the stream, R rows of an epoch.
"""

import hashlib
import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

IGNORED = -100  # the target that cross_entropy leaves out


class Batch(NamedTuple):
    inputs_BT: Tensor  # int64 token ids
    targets_BT: Tensor  # the same, one token later


def token_tensor(tokens: np.ndarray, device: torch.device) -> Tensor:
    """A token cache as int16 bits on `device`; on the CPU a view of the file, which is read as it is needed.

    torch indexes uint16 on few devices, so the bits travel as int16 and are put right by `_ids`.
    """
    with warnings.catch_warnings():
        # The file is mapped read-only and only ever indexed: what torch says about writing to it does not apply.
        warnings.simplefilter("ignore", UserWarning)
        bits = torch.from_numpy(tokens.view(np.int16))
    return bits if device.type == "cpu" else bits.to(device)


def fits(tokens: np.ndarray, device: torch.device) -> bool:
    """Whether the stream may live on the device: it leaves at least nine tenths of the free memory."""
    if device.type != "cuda":
        return True
    free_bytes, _ = torch.cuda.mem_get_info(device)
    return tokens.nbytes <= free_bytes // 10


class Batches:
    """Rows of T + 1 neighbouring tokens, in another order each epoch.

    An epoch cuts the stream into rows that share only their border token, so that every token is predicted once,
    all but the fewer than T at its ends that fill no row; where the cut begins differs between epochs.

    sequences: which of the endless rows each step reads.
    """

    def __init__(self, tokens_N: Tensor, *, context_tokens: int, sequences: Callable[[int], range], seed: int) -> None:
        if tokens_N.numel() <= context_tokens:
            raise ValueError(
                f"the training split has {tokens_N.numel():,} tokens, model.context_tokens={context_tokens} "
                f"needs at least {context_tokens + 1:,}: bring more text or take a shorter context"
            )
        self.tokens_N, self.context_tokens, self.sequences, self.seed = tokens_N, context_tokens, sequences, seed
        self.rows = (tokens_N.numel() - 1) // context_tokens
        self._offsets = torch.arange(context_tokens + 1, device=tokens_N.device)
        self._starts_R: dict[int, Tensor] = {}  # of the epochs that the newest batch is of

    def batch(self, step: int, *, device: torch.device) -> Batch:
        """The step's whole batch, on `device`; a batch may end one epoch and begin the next.

        Nothing waits for the device where the tokens live on it.
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
        ids = _ids(self.tokens_N[starts_B[:, None] + self._offsets]).to(device)
        # A compiled model is compiled again for other strides, and validation's batches are contiguous.
        return Batch(ids[:, :-1].contiguous(), ids[:, 1:].contiguous())

    def _starts_of(self, epoch: int) -> Tensor:
        """Where the rows of an epoch begin, in their order [R]."""
        if epoch in self._starts_R:
            return self._starts_R[epoch]
        digest = hashlib.sha256(f"{self.seed}/{epoch}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
        slack = self.tokens_N.numel() - 1 - self.rows * self.context_tokens
        offset = int(torch.randint(slack + 1, (1,), generator=generator))
        order_R = torch.randperm(self.rows, generator=generator)
        return (offset + order_R * self.context_tokens).to(self.tokens_N.device)


def validation_batches(
    tokens_N: Tensor, *, eval_tokens: int, context_tokens: int, batch_size: int, device: torch.device
) -> Iterator[Batch]:
    """The split's first `eval_tokens` tokens, each predicted once, from at most T tokens before it.

    Always whole batches of whole rows, so that a compiled model meets one shape: what is beyond the end is IGNORED.
    """
    scored = min(eval_tokens, tokens_N.numel() - 1)
    for first in range(0, scored, batch_size * context_tokens):
        places = first + torch.arange(batch_size * context_tokens).view(batch_size, context_tokens)
        inside = places < scored
        places = torch.where(inside, places, 0).to(tokens_N.device)
        targets = torch.where(inside.to(tokens_N.device), _ids(tokens_N[places + 1]), IGNORED)
        yield Batch(_ids(tokens_N[places]).to(device), targets.to(device))


def _ids(bits: Tensor) -> Tensor:
    return bits.long() & 0xFFFF
