"""The loss as one compiled graph, made before the first step, so that what it takes is known."""

import time
from typing import NamedTuple

import torch
from torch import nn

from tinystories_lm.data.batches import Batch
from tinystories_lm.hardware.machine import Machine
from tinystories_lm.hardware.memory import is_out_of_memory
from tinystories_lm.system.errors import UsageError
from tinystories_lm.training.loss import LossOf, mean_loss


class Compiled(NamedTuple):
    loss_of: LossOf
    seconds: float


def compile_loss(model: nn.Module, part: Batch, machine: Machine) -> Compiled:
    """Compile forward and backward for batches of this shape. The weights stay as they are.

    torch keeps what it compiled in TORCHINDUCTOR_CACHE_DIR, and the next run of the same shape is soon ready.

    Raises UsageError where torch cannot compile here.
    """
    began = time.perf_counter()
    loss_of = torch.compile(mean_loss, fullgraph=True, dynamic=False)
    try:
        with machine.computing():
            loss = loss_of(model, part)
        loss.backward()
        float(loss.detach())  # waits for the device
    except Exception as error:  # each stage of the compiler has its own
        if is_out_of_memory(error):
            raise
        reason = str(error).strip().partition("\n")[0][:200] or type(error).__name__
        raise UsageError(
            f"hardware.compile=on: torch.compile does not work here ({reason}): it needs a C++ compiler and a "
            "TORCHINDUCTOR_CACHE_DIR that can be written; type hardware.compile=off, or auto to do without"
        ) from error
    finally:
        model.zero_grad(set_to_none=True)
    return Compiled(loss_of, time.perf_counter() - began)
