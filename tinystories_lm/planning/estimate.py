"""What a run will take, before it is started: from its FLOPs and the machine's."""

import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tinystories_lm.config.fingerprint import short_hash
from tinystories_lm.config.schema import Config, HardwareConfig
from tinystories_lm.model.flops import flops_per_token
from tinystories_lm.system.console import amount
from tinystories_lm.system.errors import DamagedError, UsageError
from tinystories_lm.system.files import write_json
from tinystories_lm.system.json_files import read_json

PUBLISHED_HARDWARE = {"round1": "Apple's MPS", "round2": "an h100", "round3": "an h100", "round4": "an h100"}


class Estimate(NamedTuple):
    flops: float
    seconds: float
    dollars: float


def estimate(config: Config, *, peak_flops_per_second: float, start_step: int = 0) -> Estimate:
    """Seconds are FLOPs over the peak times `hardware.utilisation`; evaluation and sampling come on top."""
    training = config.training
    sequences_left = training.sequences(max(training.steps, start_step)).start - training.sequences(start_step).start
    tokens = sequences_left * config.model.context_tokens
    flops = tokens * flops_per_token(config.model, vocab_size=config.data.vocab_size)
    seconds = flops / (peak_flops_per_second * config.hardware.utilisation)
    return Estimate(flops, seconds, seconds / 3600 * config.hardware.dollars_per_hour)


def check_affordable(config: Config, expected: Estimate) -> None:
    """Raise UsageError for a run that would outlast training.max_hours or cost more than training.max_dollars."""
    hours, where = expected.seconds / 3600, f"on this {config.hardware.name}"
    published = PUBLISHED_HARDWARE.get(config.name)
    advice = f"; it was published on {published}: use one, or" if published else ": use faster hardware,"
    if hours > config.training.max_hours:
        raise UsageError(
            f"{config.name} would take about {hours:,.0f} h {where}{advice} fewer steps (training.steps=…), "
            f"or raise training.max_hours={config.training.max_hours:g}"
        )
    if expected.dollars > config.training.max_dollars:
        raise UsageError(
            f"{config.name} would cost about ${expected.dollars:,.2f} {where}{advice} fewer steps (training.steps=…), "
            f"or raise training.max_dollars={config.training.max_dollars:g}"
        )


@dataclass(frozen=True)
class OnHardware:
    """What the run would take on one kind of machine; seconds None where nothing is known of its speed."""

    hardware: str
    seconds: float | None
    dollars: float | None
    basis: str


def on_hardware(hardware: HardwareConfig, config: Config, flops: float) -> OnHardware:
    """Seconds are FLOPs over the peak times the utilisation, or tokens over what `--calibrate` measured here."""
    if measured := read_calibration(config, hardware):
        seconds = config.tokens / measured["tokens_per_second"]
        basis = f"measured here: {amount(measured['tokens_per_second'])} tokens/s, {measured['when']}"
    elif hardware.peak_flops_per_second:
        seconds = flops / (hardware.peak_flops_per_second * hardware.utilisation)
        basis = f"{hardware.utilisation:.0%} of {hardware.peak_flops_per_second / 1e12:,.0f} TFLOP/s"
    else:
        return OnHardware(hardware.name, None, None, "not measured yet: plan --calibrate")
    return OnHardware(hardware.name, seconds, seconds / 3600 * hardware.dollars_per_hour, basis)


def calibration_file(config: Config) -> Path:
    return Path(config.data.cache_dir) / "calibration.json"


def calibration_key(config: Config, hardware: HardwareConfig) -> str:
    """The machine, and what a step on it consists of."""
    parts = (asdict(config.model), config.data.vocab_size, config.training.batch_size, config.training.micro_batch_size)
    step = short_hash([*parts, config.optimizer.kind, hardware.precision, hardware.compile, hardware.threads])
    return f"{platform.node()}/{hardware.name}/{step}"


def read_calibration(config: Config, hardware: HardwareConfig) -> dict[str, Any] | None:
    try:
        found = read_json(calibration_file(config)).get(calibration_key(config, hardware))
        return found if isinstance(found, dict) and float(found["tokens_per_second"]) > 0 and found["when"] else None
    except (DamagedError, KeyError, TypeError, ValueError):
        return None


def keep_calibration(config: Config, *, tokens_per_second: float, when: str) -> None:
    """Remember what a few steps took here."""
    file = calibration_file(config)
    try:
        kept = read_json(file)
    except DamagedError:
        kept = {}
    file.parent.mkdir(parents=True, exist_ok=True)
    key = calibration_key(config, config.hardware)
    write_json(file, {**kept, key: {"tokens_per_second": tokens_per_second, "when": when}})
