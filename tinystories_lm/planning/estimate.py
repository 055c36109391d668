"""Estimate the time and the price of a run before it starts. Does not load torch."""

import math
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from tinystories_lm.config.fingerprint import short_hash
from tinystories_lm.config.removed import removed_defaults
from tinystories_lm.config.schema import Config, TrainingConfig
from tinystories_lm.model.flops import flops_per_token
from tinystories_lm.planning.memory import activation_bytes_per_token
from tinystories_lm.system.console import amount
from tinystories_lm.system.json_files import read_json_if_whole, write_json

EVALUATION_COST = 1 / 3  # of a training step's, for each token: an evaluation has no backward pass
# Measured on two CPUs for 0.7M to 29M parameters, with one thread and two: benchmarks/estimate.py measures again.
ACTIVATION_PASSES = 7.0  # times that a step moves each byte of its activations between memory and processor
SAMPLED_TOKEN_SECONDS = 0.005  # 4 ms with 0.7M parameters, 7 ms with 5M


class Speed(NamedTuple):
    """What a machine can do at most.

    memory_bytes_per_second: infinite on a GPU, where `hardware.utilisation` includes the time of memory.
    """

    peak_flops_per_second: float
    memory_bytes_per_second: float = math.inf


class Estimate(NamedTuple):
    """What is left of a run takes this, from its first step to its last checkpoint."""

    flops: float
    seconds: float
    dollars: float
    basis: str  # what the seconds were computed from


class Rate(NamedTuple):
    """Tokens per second in training steps alone."""

    tokens_per_second: float
    basis: str


def estimate(config: Config, speed: Speed, *, start_step: int = 0, vocab_size: int | None = None) -> Estimate:
    """Return what the steps after `start_step` take, with their evaluations and samples.

    seconds = (trained tokens + evaluated tokens / 3) / tokens per second + sampled tokens * 5 ms

    vocab_size: the config's where it is left out.

    Start-up, compilation, checkpoints and the stories after the last step are left out: a few seconds each.
    """
    training, vocabulary = config.training, vocab_size or config.data.vocab_size
    rate = read_calibration(config) or predict_rate(config, speed, vocab_size=vocabulary)
    tokens = max(0, training.steps - start_step) * training.batch_size * config.model.context_tokens
    evaluations = count_evaluations(training, start_step)
    evaluated = evaluations * training.eval_tokens * EVALUATION_COST
    sampled = evaluations * len(config.sampling.prompts) * config.sampling.count * config.sampling.max_tokens
    seconds = (tokens + evaluated) / rate.tokens_per_second + sampled * SAMPLED_TOKEN_SECONDS
    flops = tokens * flops_per_token(config.model, vocab_size=vocabulary)
    return Estimate(flops, seconds, seconds / 3600 * config.hardware.dollars_per_hour, rate.basis)


def predict_rate(config: Config, speed: Speed, *, vocab_size: int) -> Rate:
    """Predict the training speed of a machine that has not been calibrated for this step.

    seconds per token = FLOPs / (peak * utilisation) + 7 * bytes of activations / bandwidth of the memory
    """
    utilisation, (peak, bandwidth) = config.hardware.utilisation, speed
    arithmetic = flops_per_token(config.model, vocab_size=vocab_size) / (peak * utilisation)
    movement = ACTIVATION_PASSES * activation_bytes_per_token(config, vocab_size=vocab_size) / bandwidth
    basis = f"{utilisation:.0%} of {peak / 1e12:,.3g} TFLOP/s"
    if math.isfinite(bandwidth):
        basis += f", {bandwidth / 1e9:.0f} GB/s"
    return Rate(1 / (arithmetic + movement), basis)


def count_evaluations(training: TrainingConfig, start_step: int = 0) -> int:
    """Return how often a run evaluates from `start_step` on: before its first step, at intervals, after its last."""
    every, steps = training.eval_every_steps, training.steps
    if start_step >= steps:
        return 0
    return steps // every - start_step // every + (steps % every > 0) + (start_step == 0)


def read_calibration(config: Config) -> Rate | None:
    """Return the speed that `plan --calibrate` measured for this step on this machine; None where it did not."""
    found: Any = read_json_if_whole(_calibration_file(config)).get(_calibration_key(config))
    try:
        rate, when = float(found["tokens_per_second"]), str(found["when"])
    except (KeyError, TypeError, ValueError):
        return None
    return Rate(rate, f"measured here: {amount(rate)} tokens/s, {when}") if rate > 0 else None


def calibrated_hardware(config: Config) -> str | None:
    """Return the hardware that `plan --calibrate` found on this machine; None where it never ran here."""
    found = read_json_if_whole(_calibration_file(config)).get(platform.node())
    return found if isinstance(found, str) else None


def keep_calibration(config: Config, *, tokens_per_second: float, when: str) -> None:
    """Remember the measured speed of a config's steps, and which hardware this machine is."""
    file = _calibration_file(config)
    file.parent.mkdir(parents=True, exist_ok=True)
    measured = {"tokens_per_second": tokens_per_second, "when": when}
    found = {platform.node(): config.hardware.name, _calibration_key(config): measured}
    write_json(file, read_json_if_whole(file) | found)


def _calibration_file(config: Config) -> Path:
    return Path(config.data.cache_dir) / "calibration.json"


def _calibration_key(config: Config) -> str:
    """Name this machine, its hardware, and all that the speed of a step depends on."""
    hardware, training = config.hardware, config.training
    step = [
        asdict(config.model) | removed_defaults("model"),
        config.data.vocab_size,
        training.batch_size,
        training.micro_batch_size,
        config.optimizer.kind,
        hardware.precision,
        hardware.compile,
        hardware.threads,
    ]
    return f"{platform.node()}/{hardware.name}/{short_hash(step)}"
