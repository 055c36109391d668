"""Repeat on resuming what a run's bits depend on beside its config: compilation, the attention kernel, the machine."""

import dataclasses
from collections.abc import Sequence

import torch

from tinystories_lm.config.choices import Attention
from tinystories_lm.config.schema import Config, HardwareConfig
from tinystories_lm.hardware.machine import Machine
from tinystories_lm.hardware.setup import open_machine
from tinystories_lm.model.flops import flops_per_token
from tinystories_lm.planning.preflight import ResolvedJob
from tinystories_lm.runs.schemas import Segment

COMPILE_PAYS_SECONDS = 540  # of arithmetic at a CPU's peak: compiling takes about 40 s and gains about a tenth
ROUNDS = ("device_name", "precision", "residual", "compile", "attention", "threads")  # of a machine: another one rounds


def open_machine_as_before(job: ResolvedJob, segments: Sequence[Segment]) -> Machine:
    """Open the machine with the choices of the run's last segment; for a new run choose what is fastest here."""
    hardware = job.config.hardware
    return open_machine(
        with_recorded_attention(hardware, segments),
        peak_flops_per_second=job.speed.peak_flops_per_second,
        compile_pays=compile_pays(job.config, segments, job.speed.peak_flops_per_second),
        deterministic=job.config.training.deterministic,
        attention_shape=None if ran_on_this_device(hardware, segments) else job.config.attention_shape,
    )


def compile_pays(config: Config, segments: Sequence[Segment], peak_flops_per_second: float) -> bool:
    """Return whether compiling saves more time than it takes; a resumed run keeps its first choice."""
    if segments:
        return segments[-1].machine.compile
    flops = config.tokens * flops_per_token(config.model, vocab_size=config.data.vocab_size)
    return flops / peak_flops_per_second > COMPILE_PAYS_SECONDS


def ran_on_this_device(config: HardwareConfig, segments: Sequence[Segment]) -> bool:
    """Return whether the run's last segment used this kind of device."""
    return bool(segments) and torch.device(segments[-1].machine.device).type == config.device.value


def with_recorded_attention(config: HardwareConfig, segments: Sequence[Segment]) -> HardwareConfig:
    """Replace attention=auto by the kernel of the run's last segment, if that used this kind of device."""
    if config.attention is not Attention.auto or not ran_on_this_device(config, segments):
        return config
    return dataclasses.replace(config, attention=segments[-1].machine.attention)


def rounds_alike(before: Segment, now: Segment) -> bool:
    """Return whether two segments compute the same bits: the same machine, choices, torch and optimizer."""
    same_machine = all(getattr(before.machine, name) == getattr(now.machine, name) for name in ROUNDS)
    same_torch = before.packages["torch"] == now.packages["torch"]
    return same_machine and same_torch and before.optimizer_arithmetic == now.optimizer_arithmetic
