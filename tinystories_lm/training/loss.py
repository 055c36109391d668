"""Compute the training loss, and perplexity from it.

Shapes: B batch, T tokens, V vocabulary.
"""

import math
from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

from tinystories_lm.data.batches import IGNORED, Batch

LossOf = Callable[[nn.Module, Batch], Tensor]  # mean_loss, eager or compiled


def mean_loss(model: nn.Module, batch: Batch) -> Tensor:
    """Return the mean cross-entropy in float32, in nats for each target that is not IGNORED."""
    logits_BTV = model(batch.inputs_BT)
    return F.cross_entropy(logits_BTV.flatten(0, 1).float(), batch.targets_BT.flatten(), ignore_index=IGNORED)


def perplexity(loss: float) -> float:
    """Return e to the power of a mean loss in nats; a loss over 700 counts as 700, so that a float can hold it."""
    return math.exp(min(loss, 700.0))
