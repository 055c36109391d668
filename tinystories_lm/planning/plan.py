"""Predict a run before it is paid for: its size, time, price, memory and likely limits. Does not load torch."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

from tinystories_lm.config.choices import OPTIMIZERS, Device, Source
from tinystories_lm.config.compose import compose_config, priced_hardware, with_hardware
from tinystories_lm.config.schema import Config, HardwareConfig
from tinystories_lm.data.corpus import text_bytes
from tinystories_lm.model.flops import (
    CHINCHILLA_TOKENS_PER_PARAMETER,
    Flops,
    ParameterCount,
    count_parameters,
    training_flops,
)
from tinystories_lm.planning.estimate import (
    EVALUATION_COST,
    Speed,
    calibrated_hardware,
    count_evaluations,
    estimate,
    read_calibration,
)
from tinystories_lm.planning.memory import Memory, counts_as_compiled, fitting_on_hardware, step_memory
from tinystories_lm.system.console import amount, coloured, duration, storage, table

# Bytes per token of a BPE of that many entries, between those of TinyStories and of WikiText-2, which are at most 1.25
# times apart (12 MB each); for text whose tokens have not been counted.
BYTES_PER_TOKEN = ((257, 1.0), (300, 1.5), (512, 2.3), (1024, 2.9), (2048, 3.5), (4096, 4.0), (65_536, 4.4))
EPOCHS_AS_GOOD_AS_NEW = 4.0  # Muennighoff et al. 2023, arXiv 2305.16264
STARVED_TOKENS_PER_PARAMETER = 2.0
SATED_TOKENS_PER_PARAMETER = 200.0
EVALUATION_SHARE = 0.1  # of the training time, above which a warning names it


@dataclass(frozen=True)
class OnHardware:
    """What the run would take on one kind of machine; seconds None where its speed is unknown."""

    hardware: str
    seconds: float | None
    dollars: float | None
    basis: str
    micro_batch_size: int | None = None  # the most sequences at once that fit its memory; None where that is unknown


@dataclass(frozen=True)
class Plan:
    """Predictions for one config, made before its first step."""

    name: str
    parameters: ParameterCount
    tokens: int
    corpus: str
    corpus_tokens: int  # of the training split; 0 where unknown
    corpus_counted: bool  # False for a guess from the size of the text
    flops_per_token: Flops
    memory: Memory
    compiled: bool  # whether `memory` is that of compiled steps
    micro_batch_size: int
    machines: list[OnHardware]
    warnings: list[str]

    @property
    def epochs(self) -> float | None:
        return self.tokens / self.corpus_tokens if self.corpus_tokens else None

    @property
    def tokens_per_parameter(self) -> float:
        return self.tokens / self.parameters.total

    @property
    def flops(self) -> float:
        return self.tokens * self.flops_per_token.total


def compose_for_plan(overrides: Sequence[str], *, config_dir: str | None = None) -> Config:
    """Compose a config for a prediction, without loading torch to find out what hardware=auto is here.

    `auto` becomes the hardware that `plan --calibrate` found on this machine, and stays where it never ran here.
    """
    config = compose_config(overrides, config_dir=config_dir).config
    if config.hardware.device is not Device.auto or (name := calibrated_hardware(config)) is None:
        return config
    return compose_config(with_hardware(overrides, name), config_dir=config_dir).config


def make_plan(config: Config, *, corpus_tokens: int | None = None, vocab_size: int | None = None) -> Plan:
    """Predict what a config's run is like.

    corpus_tokens: the counted tokens of the training split; guessed from the size of the text where left out.
    vocab_size: of the trained tokenizer; the config's where left out.
    """
    vocabulary = vocab_size or config.data.vocab_size
    known_tokens = corpus_tokens if corpus_tokens is not None else guess_corpus_tokens(config)
    hardware = [config.hardware, *(other for other in priced_hardware() if other.name != config.hardware.name)]
    plan = Plan(
        name=config.name,
        parameters=count_parameters(config.model, vocab_size=vocabulary),
        tokens=config.tokens,
        corpus=config.data.name if config.data.path is None else f"{config.data.name} ({config.data.path})",
        corpus_tokens=known_tokens,
        corpus_counted=corpus_tokens is not None,
        flops_per_token=training_flops(config.model, vocab_size=vocabulary),
        memory=step_memory(config, vocab_size=vocabulary),
        compiled=counts_as_compiled(config.hardware),
        micro_batch_size=config.training.micro_batch_size,
        machines=[on_hardware(choice, config, vocab_size=vocabulary) for choice in hardware],
        warnings=[],
    )
    return replace(plan, warnings=warnings(plan, config))


def guess_corpus_tokens(config: Config) -> int:
    """Return about how many tokens the training split has, from its size; 0 where that is unknown."""
    data = config.data
    if data.path is not None:
        return round(text_bytes(data) / bytes_per_token(data.vocab_size))
    if data.source is Source.grammar:
        return round(data.grammar_bytes / bytes_per_token(data.vocab_size))
    return round(data.published_tokens)


def bytes_per_token(vocab_size: int) -> float:
    """Return about how many bytes of English text a token stands for, between the measured vocabularies."""
    for (smaller, fewer), (larger, more) in pairwise(BYTES_PER_TOKEN):
        if vocab_size <= larger:
            return fewer + (more - fewer) * math.log(vocab_size / smaller) / math.log(larger / smaller)
    return BYTES_PER_TOKEN[-1][1]


def on_hardware(hardware: HardwareConfig, config: Config, *, vocab_size: int) -> OnHardware:
    there, speed = replace(config, hardware=hardware), Speed(hardware.peak_flops_per_second)
    fits = fitting_on_hardware(there)
    if not speed.peak_flops_per_second and read_calibration(there) is None:
        return OnHardware(hardware.name, None, None, "not measured yet: plan --calibrate", fits)
    expected = estimate(there, speed, vocab_size=vocab_size)
    return OnHardware(hardware.name, expected.seconds, expected.dollars, expected.basis, fits)


def warnings(plan: Plan, config: Config) -> list[str]:
    """Return what is likely to go wrong or to be wasted, in words."""
    found = _data_warnings(plan, config)
    if plan.tokens_per_parameter > SATED_TOKENS_PER_PARAMETER:
        found.append(f"{plan.tokens_per_parameter:.0f} tokens a parameter: a larger model would learn more from them")
    peak = config.optimizer.peak_lr(config.model.d_model)
    if peak >= OPTIMIZERS[config.optimizer.kind].diverging_lr:
        found.append(f"optimizer.lr={peak:g} is where models of this kind often diverge")
    evaluated = count_evaluations(config.training) * config.training.eval_tokens
    share = EVALUATION_COST * evaluated / config.tokens
    if share > EVALUATION_SHARE:
        found.append(f"evaluation takes about {share:.0%} as long as training: raise training.eval_every_steps")
    here = plan.machines[0]
    if here.seconds is not None and here.seconds / 3600 > config.training.max_hours:
        found.append(f"{duration(here.seconds)} on {here.hardware} is over training.max_hours")
    return found


def _data_warnings(plan: Plan, config: Config) -> list[str]:
    """Warn of text that is too little for the model, and of a run that reads too little of it or too much."""
    found = []
    count, wanted = plan.parameters.total, CHINCHILLA_TOKENS_PER_PARAMETER * plan.parameters.total
    if plan.corpus_tokens and EPOCHS_AS_GOOD_AS_NEW * plan.corpus_tokens < wanted:
        about = "" if plan.corpus_counted else "about "
        found.append(
            f"{config.data.name} has {about}{amount(plan.corpus_tokens)} tokens for {amount(count)} parameters; "
            f"{CHINCHILLA_TOKENS_PER_PARAMETER:.0f} per parameter would be {amount(wanted)}: expect a data-bound run"
        )
    if plan.epochs is not None and plan.epochs > EPOCHS_AS_GOOD_AS_NEW:
        found.append(f"{plan.epochs:.1f} epochs: beyond about 4, repeated tokens teach little")
    if plan.tokens_per_parameter < STARVED_TOKENS_PER_PARAMETER:
        few = f"{plan.tokens_per_parameter:.2g} tokens a parameter"
        found.append(
            f"{few}: expect this run to end undertrained, before the size of the corpus limits it"
            if found
            else f"{few}: expect an undertrained run; 20 a parameter would be {amount(wanted)} tokens"
        )
    return found


def describe(plan: Plan) -> str:
    corpus = f"{'' if plan.corpus_counted else 'about '}{amount(plan.corpus_tokens)} in {plan.corpus}"
    epochs = "" if plan.epochs is None else f", {plan.epochs:.2f} epochs of {corpus}"
    flops, needed = plan.flops_per_token, plan.memory
    lines = [
        f"{plan.name}: {plan.parameters}",
        f"tokens       {amount(plan.tokens)}{epochs}; {amount(plan.tokens_per_parameter)} a parameter "
        f"(Chinchilla: {CHINCHILLA_TOKENS_PER_PARAMETER:.0f})",
        f"operations   {plan.flops:.2e} FLOP: {amount(flops.matrices)} a token in matrices (6 a weight), "
        f"{amount(flops.attention)} in attention (12 D a layer for each key seen)",
        f"memory       {storage(needed.total)}: weights {storage(needed.weights)}, gradients "
        f"{storage(needed.gradients)}, optimizer {storage(needed.optimizer)}, activations "
        f"{storage(needed.activations)} ({'compiled' if plan.compiled else 'eager'}; {plan.micro_batch_size} at once)"
        + (f", a checkpoint that is written {storage(needed.checkpoint)}" if needed.checkpoint else ""),
        "",
        table(
            ["hardware", "time", "dollars", "at once", "by"],
            [_row(machine, plan.micro_batch_size) for machine in plan.machines],
            right=(1, 2, 3),
        ),
    ]
    return "\n".join([*lines, *(f"\n{coloured('warning:')} {warning}" for warning in plan.warnings)])


def _row(machine: OnHardware, micro_batch_size: int) -> list[str]:
    fits = machine.micro_batch_size
    return [
        "this computer" if machine.hardware == "auto" else machine.hardware,
        "?" if machine.seconds is None else duration(machine.seconds),
        "?" if machine.dollars is None else f"${machine.dollars:.2f}",
        "" if fits is None else f"{fits} of {micro_batch_size}",
        machine.basis,
    ]


def as_record(plan: Plan) -> dict[str, Any]:
    """Return the plan as plain values, for programs and for the run's record."""
    return {
        "name": plan.name,
        "parameters": plan.parameters.total,
        "parameters_without_embeddings": plan.parameters.without_embeddings,
        "tokens": plan.tokens,
        "corpus_tokens": plan.corpus_tokens,
        "corpus_counted": plan.corpus_counted,
        "epochs": plan.epochs,
        "tokens_per_parameter": plan.tokens_per_parameter,
        "flops": plan.flops,
        "flops_per_token": plan.flops_per_token._asdict(),
        "memory_bytes": plan.memory._asdict(),
        "machines": [asdict(machine) for machine in plan.machines],
        "warnings": plan.warnings,
    }
