"""Which tokens each step sees: a pure function of the seed and the step.

Shapes: B batch, T tokens, N tokens of the stream, R rows of an epoch.
"""

import hashlib
import warnings
from collections.abc import Iterator
from functools import lru_cache
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
    """

    def __init__(self, tokens_N: Tensor, *, context_tokens: int, batch_size: int, seed: int) -> None:
        if tokens_N.numel() <= context_tokens:
            raise ValueError(
                f"the training split has {tokens_N.numel():,} tokens, model.context_tokens={context_tokens} "
                f"needs at least {context_tokens + 1:,}: bring more text or take a shorter context"
            )
        self.tokens_N, self.context_tokens, self.batch_size, self.seed = tokens_N, context_tokens, batch_size, seed
        self.rows = (tokens_N.numel() - 1) // context_tokens

    def batch(self, step: int, *, device: torch.device) -> Batch:
        """The step's whole batch, on `device`; a batch may end one epoch and begin the next."""
        first = step * self.batch_size
        starts_B = torch.tensor([self._start(row) for row in range(first, first + self.batch_size)])
        offsets = torch.arange(self.context_tokens + 1)
        index = (starts_B[:, None] + offsets).to(self.tokens_N.device)
        ids = _ids(self.tokens_N[index]).to(device)
        return Batch(ids[:, :-1], ids[:, 1:])

    def _start(self, row: int) -> int:
        epoch, place = divmod(row, self.rows)
        slack = self.tokens_N.numel() - 1 - self.rows * self.context_tokens
        order = _epoch_order(self.seed, epoch, self.rows, slack)
        return order.offset + int(order.rows_R[place]) * self.context_tokens


class _Order(NamedTuple):
    offset: int
    rows_R: Tensor


@lru_cache(maxsize=2)
def _epoch_order(seed: int, epoch: int, rows: int, slack: int) -> _Order:
    digest = hashlib.sha256(f"{seed}/{epoch}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
    offset = int(torch.randint(slack + 1, (1,), generator=generator))
    return _Order(offset, torch.randperm(rows, generator=generator))


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
