"""The training loss and perplexity."""

import math
from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

from tinystories_lm.data.batches import IGNORED, Batch

LossOf = Callable[[nn.Module, Batch], Tensor]  # mean_loss, or what torch.compile made of it


def mean_loss(model: nn.Module, batch: Batch) -> Tensor:
    """Mean cross-entropy in nats per token that is not IGNORED, in float32."""
    logits_BTV = model(batch.inputs_BT)
    return F.cross_entropy(logits_BTV.flatten(0, 1).float(), batch.targets_BT.flatten(), ignore_index=IGNORED)


def perplexity(loss: float) -> float:
    """e to the mean loss, as large as a float goes."""
    return math.exp(min(loss, 700.0))
