"""What a run's numbers depend on beside its config: settled when it begins, and kept when it goes on."""

import dataclasses
import logging
from typing import Any

import torch

from tinystories_lm.config.choices import Attention, Switch
from tinystories_lm.config.schema import Config, HardwareConfig
from tinystories_lm.data.batches import Batch
from tinystories_lm.hardware.machine import Machine
from tinystories_lm.model.flops import flops_per_token
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.runs.checkpoint import Progress
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.system.console import duration
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.json_files import write_sealed
from tinystories_lm.training.compile import compile_loss
from tinystories_lm.training.loss import LossOf, mean_loss

COMPILE_PAYS_SECONDS = 540  # of arithmetic at a CPU's peak: compiling takes about 40 s and gains about a tenth
log = logging.getLogger(__name__)


def compile_pays(config: Config, pieces: list[dict[str, Any]], peak_flops_per_second: float) -> bool:
    """Whether compiling saves more than it takes; a run that goes on stays as it was begun, to round the same."""
    if pieces:
        return bool(pieces[-1]["machine"]["compile"])
    flops = config.tokens * flops_per_token(config.model, vocab_size=config.data.vocab_size)
    return flops / peak_flops_per_second > COMPILE_PAYS_SECONDS


def begun_here(config: HardwareConfig, pieces: list[dict[str, Any]]) -> bool:
    """Whether the run goes on, and on the kind of device where it was last."""
    return bool(pieces) and torch.device(pieces[-1]["machine"]["device"]).type == config.device.value


def as_begun(config: HardwareConfig, pieces: list[dict[str, Any]]) -> HardwareConfig:
    """A run that goes on keeps the attention kernel that was settled when it began, to round the same."""
    if config.attention is not Attention.auto or not begun_here(config, pieces):
        return config
    return dataclasses.replace(config, attention=Attention(pieces[-1]["machine"]["attention"]))


def compile_or_not(
    model: Transformer,
    part: Batch,
    machine: Machine,
    run: RunFolder,
    record: dict[str, Any],
    progress: Progress,
    *,
    demanded: Switch,
) -> tuple[LossOf, Machine]:
    """The compiled loss, or the eager one where torch cannot compile and nobody demanded it; the record says which."""
    seconds = 0.0
    loss_of: LossOf = mean_loss
    try:
        loss_of, seconds = compile_loss(model, part, machine)
        log.info("compiled in %s", duration(seconds))
    except UsageError as error:
        if demanded is Switch.on:
            raise
        log.warning("not compiled, the run is slower for it: %s", error)
        machine = dataclasses.replace(machine, compile=False)
        progress.exact &= not any(piece["machine"]["compile"] for piece in record["pieces"][:-1])
    record["pieces"][-1] |= {"machine": machine.describe(), "compile_seconds": seconds}
    record["exact"] = progress.exact
    write_sealed(run.environment, record)
    return loss_of, machine


def compare_machines(pieces: list[dict[str, Any]], now: dict[str, Any], progress: Progress) -> None:
    """A run that goes on elsewhere, or under another torch, goes on with other roundings."""
    if not pieces:
        return
    for what in ("device_name", "precision", "residual", "compile", "attention", "threads"):
        if pieces[-1]["machine"].get(what, "float32") != now["machine"][what]:
            progress.exact = False
    if pieces[-1]["packages"]["torch"] != now["packages"]["torch"]:
        progress.exact = False
    if not progress.exact:
        log.warning("this run goes on under other conditions: its numbers are not bit for bit those of one process")
