"""Compile the loss before the first step, so that the time it takes is measured apart."""

import contextlib
import dataclasses
import logging
import time
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from tinystories_lm.config.choices import Switch
from tinystories_lm.data.batches import Batch
from tinystories_lm.hardware.machine import Machine
from tinystories_lm.hardware.memory import is_out_of_memory
from tinystories_lm.system.console import duration
from tinystories_lm.system.errors import CannotWriteError, UsageError
from tinystories_lm.training.compile_cache import CompileKey, code_folder, compile_key, compiling_into, remove_code
from tinystories_lm.training.loss import LossOf, mean_loss

log = logging.getLogger(__name__)


class Compiled(NamedTuple):
    loss_of: LossOf
    machine: Machine  # its `compile` tells whether the loss is compiled
    seconds: float  # that compiling took


def compile_loss(model: nn.Module, part: Batch, machine: Machine) -> Compiled:
    """Compile forward and backward for micro-batches of this shape, without changing the weights.

    The compiled code is kept for the next run of the same shape, see `compile_cache`; where it is damaged, as by a
    process that was killed while it wrote, it is compiled again.

    Raises UsageError where torch cannot compile.
    """
    started = time.perf_counter()
    key = compile_key(model, part, machine)
    folder = code_folder(key)
    was_there = folder.is_dir()
    try:
        loss_of = _compile(model, part, machine, folder, key)
    except UsageError as error:
        if not was_there:
            raise
        log.warning("compiling again, without the code in %s: %s", folder, _reason(error.__cause__))
        with contextlib.suppress(CannotWriteError):
            remove_code(folder)
        loss_of = _compile(model, part, machine, folder, key)
    return Compiled(loss_of, machine, time.perf_counter() - started)


def _compile(model: nn.Module, part: Batch, machine: Machine, folder: Path, key: CompileKey) -> LossOf:
    torch.compiler.reset()  # forgets what this process compiled for another kernel, or failed to compile
    loss_of = torch.compile(mean_loss, fullgraph=True, dynamic=False)
    try:
        with compiling_into(folder, key):
            with machine.computing():
                loss = loss_of(model, part)
            loss.backward()
            float(loss.detach())  # waits for the device
    except Exception as error:  # each stage of the compiler raises its own class
        if is_out_of_memory(error):
            raise
        raise UsageError(
            f"hardware.compile=on: torch.compile does not work here ({_reason(error)}); it needs a C++ compiler and a "
            "writable TORCHINDUCTOR_CACHE_DIR; use hardware.compile=off, or auto to run without if it fails"
        ) from error
    finally:
        model.zero_grad(set_to_none=True)
    return loss_of


def _reason(error: BaseException | None) -> str:
    return str(error).strip().partition("\n")[0][:200] or type(error).__name__


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
