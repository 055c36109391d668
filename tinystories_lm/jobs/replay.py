"""Repeat a run from its stored config: the result is identical bit for bit, or the first difference is named."""

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tinystories_lm.config.choices import TrackingMode
from tinystories_lm.config.schema import Config
from tinystories_lm.jobs.job import run_job
from tinystories_lm.jobs.reproducibility import with_recorded_attention
from tinystories_lm.planning.estimate import Speed
from tinystories_lm.planning.preflight import ResolvedJob, find_speeds
from tinystories_lm.runs.checkpoint import list_checkpoints
from tinystories_lm.runs.conditions import compare_conditions
from tinystories_lm.runs.folder import RunFolder, locked, read_config
from tinystories_lm.runs.lookup import find_run
from tinystories_lm.runs.records import is_imported, read_metrics, read_record, read_samples
from tinystories_lm.runs.schemas import MetricsRow, RunRecord, Segment
from tinystories_lm.runs.status import Status, read_status
from tinystories_lm.runs.tree import OUTPUTS
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.hashing import sha256_of

# Metrics that depend on the clock, on the machine's other work and on interruptions.
VOLATILE = ("cost/usd", "time/train_seconds", "speed/tokens_per_second", "speed/mfu", "progress/pieces")
FILES_OF_BITS = ("model.safetensors", "optimizer.safetensors")


@dataclass(frozen=True)
class Replayed:
    """How the second run compares with the first.

    rows: how many were compared.
    difference: the first one, None where there is none.
    conditions: that differ between the runs, such as versions.
    """

    original: Path
    replay: Path
    rows: int
    difference: str | None
    conditions: list[str]

    def as_record(self) -> dict[str, Any]:
        """Return plain values, for programs."""
        return msgspec.to_builtins(self, enc_hook=str) | {"identical": self.difference is None}

    def describe(self) -> str:
        if self.difference is None:
            return f"identical: {self.rows} rows, the samples, and the last weights and optimizer bit for bit"
        lines = [f"differs first {self.difference}", *(f"  then and now: {each}" for each in self.conditions)]
        return "\n".join(lines if self.conditions else [*lines, "  under the same conditions, as far as they are kept"])


def replay(name: str, *, folder: Path | None = None) -> Replayed:
    """Train the run again in a folder of its own, without W&B, and compare.

    Raises UsageError for a run that is not done or was not trained here, and whatever a training run raises.
    """
    original = find_run(name)
    if not original.status.is_file() or read_status(original) is not Status.DONE:
        raise UsageError(f"{original.path} is not done, so that it cannot be compared: finish it first")
    if is_imported(original):
        raise UsageError(f"{original.path} holds an imported model: it was not trained here")
    again = RunFolder(folder or OUTPUTS / "replays" / f"{original.path.name}_{time.strftime('%Y-%m-%d_%H-%M-%S')}")
    if again.path.exists() and any(again.path.iterdir()):
        raise UsageError(f"{again.path} is not empty: name a new folder")
    config, record = read_config(original, to_train=True), read_record(original)
    job = ResolvedJob(_as_recorded(config, record), again.path, _speed(config, record.segments))
    with locked(again.path):
        run_job(job)
    return compare(original, again)


def _as_recorded(config: Config, record: RunRecord) -> Config:
    """Return the config with what the first run found in the place of names and `auto`, and without W&B."""
    init_from = config.training.init_from
    if record.init_from is not None:  # the name may mean another run by now
        init_from = str(Path(record.init_from.checkpoint).parents[1])
    return dataclasses.replace(
        config,
        data=dataclasses.replace(config.data, cache_dir=_cache_dir(config)),
        training=dataclasses.replace(config.training, init_from=init_from),
        tracking=dataclasses.replace(config.tracking, mode=TrackingMode.off),
        hardware=with_recorded_attention(config.hardware, record.segments),
    )


def _cache_dir(config: Config) -> str:
    """Return the run's own folder if it holds caches, else ours: a run folder chooses no place to write to."""
    return config.data.cache_dir if any(Path(config.data.cache_dir).glob("*/header.json")) else str(OUTPUTS / "cache")


def _speed(config: Config, segments: Sequence[Segment]) -> Speed:
    """Return this machine's speed with the peak of the first run, on which the choice to compile depends."""
    speed = find_speeds([config])[config.hardware.name]
    return speed._replace(peak_flops_per_second=segments[0].machine.peak_flops_per_second) if segments else speed


def compare(original: RunFolder, again: RunFolder) -> Replayed:
    """Compare rows, samples, then the last checkpoint's bytes, until the first difference."""
    before, after = read_metrics(original), read_metrics(again)
    difference = _row_difference(before, after) or _file_difference(original, again)
    conditions = compare_conditions(read_record(original), read_record(again))
    return Replayed(original.path, again.path, min(len(before), len(after)), difference, conditions)


def _row_difference(before: list[MetricsRow], after: list[MetricsRow]) -> str | None:
    for one, other in zip(before, after, strict=False):
        for key in dict.fromkeys([*one, *other]):
            if key not in VOLATILE and one.get(key) != other.get(key):
                return f"at step {one.get('progress/step')}: {key} was {one.get(key)} and is {other.get(key)}"
    return None if len(before) == len(after) else f"in the number of rows: {len(before)} and {len(after)}"


def _file_difference(original: RunFolder, again: RunFolder) -> str | None:
    if read_samples(original) != read_samples(again):
        return "in the samples"
    first, second = list_checkpoints(original.checkpoints), list_checkpoints(again.checkpoints)
    if not first or not second:
        return "in the checkpoints: one run has none"
    for name in FILES_OF_BITS:
        if sha256_of(first[0] / name) != sha256_of(second[0] / name):
            return f"in {first[0].name}/{name}, though all losses agree"
    return None
