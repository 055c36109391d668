"""Compile the loss before the first step, so that the time it takes is measured apart."""

import dataclasses
import logging
import time
from typing import NamedTuple

import torch
from torch import nn

from tinystories_lm.config.choices import Switch
from tinystories_lm.data.batches import Batch
from tinystories_lm.hardware.machine import Machine
from tinystories_lm.hardware.memory import is_out_of_memory
from tinystories_lm.system.console import duration
from tinystories_lm.system.errors import UsageError
from tinystories_lm.training.loss import LossOf, mean_loss

log = logging.getLogger(__name__)


class Compiled(NamedTuple):
    loss_of: LossOf
    machine: Machine  # its `compile` tells whether the loss is compiled
    seconds: float  # that compiling took


def compile_loss(model: nn.Module, part: Batch, machine: Machine) -> Compiled:
    """Compile forward and backward for micro-batches of this shape, without changing the weights.

    torch keeps compiled code in TORCHINDUCTOR_CACHE_DIR, so that the next run of the same shape starts sooner.

    Raises UsageError where torch cannot compile.
    """
    started = time.perf_counter()
    # The flags that choose an attention kernel are not in the cache's own key (pytorch#185449).
    torch.compiler.config.cache_key_tag = f"attention={machine.attention}"
    loss_of = torch.compile(mean_loss, fullgraph=True, dynamic=False)
    try:
        with machine.computing():
            loss = loss_of(model, part)
        loss.backward()
        float(loss.detach())  # waits for the device
    except Exception as error:  # each stage of the compiler raises its own class
        if is_out_of_memory(error):
            raise
        reason = str(error).strip().partition("\n")[0][:200] or type(error).__name__
        raise UsageError(
            f"hardware.compile=on: torch.compile does not work here ({reason}); it needs a C++ compiler and a writable "
            "TORCHINDUCTOR_CACHE_DIR; use hardware.compile=off, or auto to run without if it fails"
        ) from error
    finally:
        model.zero_grad(set_to_none=True)
    return Compiled(loss_of, machine, time.perf_counter() - started)


def compile_if_possible(model: nn.Module, part: Batch, machine: Machine, *, wanted: Switch) -> Compiled:
    """Compile the loss; where torch cannot and the setting is `auto`, warn and return the eager loss.

    part: a micro-batch of the shape to compile for.

    Raises UsageError where torch cannot compile and hardware.compile=on.
    """
    try:
        compiled = compile_loss(model, part, machine)
    except UsageError as error:
        if wanted is Switch.on:
            raise
        log.warning("the model is not compiled, so the run is slower: %s", error)
        return Compiled(mean_loss, dataclasses.replace(machine, compile=False), 0.0)
    log.info("compiled in %s", duration(compiled.seconds))
    return compiled
