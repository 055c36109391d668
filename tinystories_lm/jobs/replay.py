"""The same run again, from its stored config: identical bit for bit, or where it first differs."""

import dataclasses
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinystories_lm.config.choices import TrackingMode
from tinystories_lm.config.schema import Config
from tinystories_lm.jobs.job import run_job
from tinystories_lm.jobs.reproducibility import as_begun
from tinystories_lm.planning.estimate import Speed
from tinystories_lm.planning.preflight import ResolvedJob, find_speeds
from tinystories_lm.runs.checkpoint import list_checkpoints
from tinystories_lm.runs.folder import (
    OUTPUTS,
    RunFolder,
    is_imported,
    locked,
    read_environment,
    read_metrics,
    read_samples,
    read_training_config,
)
from tinystories_lm.runs.lookup import find_run
from tinystories_lm.runs.status import Status, read_status
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.hashing import sha256_of

log = logging.getLogger(__name__)
# What the clock, the machine's other work and interruptions decide.
NEVER_THE_SAME = ("cost/usd", "time/train_seconds", "speed/tokens_per_second", "speed/mfu", "progress/pieces")
BYTES = ("model.safetensors", "optimizer.safetensors")


@dataclass(frozen=True)
class Replayed:
    """How the second run compares with the first."""

    original: Path
    replay: Path
    rows: int  # compared
    difference: str | None  # the first one
    conditions: list[str]  # that were otherwise

    def as_record(self) -> dict[str, Any]:
        """Plain values, for programs."""
        return dataclasses.asdict(self) | {
            "identical": self.difference is None,
            "original": str(self.original),
            "replay": str(self.replay),
        }

    def describe(self) -> str:
        if self.difference is None:
            return f"identical: {self.rows} rows, the samples, and the last weights and optimizer bit for bit"
        said = [f"differs first {self.difference}", *(f"  then and now: {each}" for each in self.conditions)]
        return "\n".join(said if self.conditions else [*said, "  under the same conditions, as far as they are kept"])


def replay(name: str, *, folder: Path | None = None) -> Replayed:
    """Train the run once more in a folder of its own, and compare.

    W&B is left out of it.

    Raises UsageError for a run that is not done or was not trained here, and whatever a training run raises.
    """
    original = find_run(name)
    if not original.status.is_file() or read_status(original) is not Status.DONE:
        raise UsageError(f"{original.path} is not done: there is nothing whole to compare with")
    if is_imported(original):
        raise UsageError(f"{original.path} holds an imported model: it was not trained here")
    config = read_training_config(original)
    again = RunFolder(folder or OUTPUTS / "replays" / f"{original.path.name}_{time.strftime('%Y-%m-%d_%H-%M-%S')}")
    if again.path.exists() and any(again.path.iterdir()):
        raise UsageError(f"{again.path} is not empty: name a new folder")
    record = read_environment(original)
    quiet = dataclasses.replace(
        config,
        data=dataclasses.replace(config.data, cache_dir=_cache_dir(config)),
        training=dataclasses.replace(config.training, init_from=_source(config, record)),
        tracking=dataclasses.replace(config.tracking, mode=TrackingMode.off),
        hardware=as_begun(config.hardware, record["pieces"]),
    )
    with locked(again.path):
        run_job(ResolvedJob(quiet, again.path, _speed(original, config)))
    return compare(original, again)


def _cache_dir(config: Config) -> str:
    """The run's own where it holds caches, else ours: no run folder chooses where on this machine is written."""
    return config.data.cache_dir if any(Path(config.data.cache_dir).glob("*/header.json")) else str(OUTPUTS / "cache")


def _source(config: Config, record: Mapping[str, Any]) -> str | None:
    """The run that it began from, by its folder: its name may mean another one by now."""
    return (
        str(Path(record["init_from"]["checkpoint"]).parents[1]) if "init_from" in record else config.training.init_from
    )


def _speed(original: RunFolder, config: Config) -> Speed:
    """Return this machine's speed with the peak of the first run, on which the choice to compile depends."""
    speed, pieces = find_speeds([config])[config.hardware.name], read_environment(original)["pieces"]
    if not pieces:
        return speed
    return speed._replace(peak_flops_per_second=float(pieces[0]["machine"]["peak_flops_per_second"]))


def compare(original: RunFolder, again: RunFolder) -> Replayed:
    """Rows, samples, then the last checkpoint's bytes: the first difference, if there is one."""
    before, after = read_metrics(original), read_metrics(again)
    difference = next(
        (found for one, other in zip(before, after, strict=False) if (found := _row_difference(one, other))), None
    )
    if difference is None and len(before) != len(after):
        difference = f"in the number of rows: {len(before)} and {len(after)}"
    if difference is None and read_samples(original) != read_samples(again):
        difference = "in the samples"
    if difference is None:
        difference = _bytes_difference(original, again)
    return Replayed(original.path, again.path, min(len(before), len(after)), difference, _conditions(original, again))


def _row_difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    for key in dict.fromkeys([*one, *other]):
        if key not in NEVER_THE_SAME and one.get(key) != other.get(key):
            return f"at step {one.get('progress/step')}: {key} was {one.get(key)} and is {other.get(key)}"
    return None


def _bytes_difference(original: RunFolder, again: RunFolder) -> str | None:
    first, second = list_checkpoints(original.checkpoints), list_checkpoints(again.checkpoints)
    if not first or not second:
        return "in the checkpoints: one has none"
    last, newest = max(first, key=lambda path: path.name), max(second, key=lambda path: path.name)
    for name in BYTES:
        if sha256_of(last / name) != sha256_of(newest / name):
            return f"in {last.name}/{name}, though all losses agree"
    return None


def _conditions(original: RunFolder, again: RunFolder) -> list[str]:
    """Settings, versions, machine and text that were otherwise."""
    one, other = read_environment(original), read_environment(again)
    found = [] if one.get("exact", True) else ["changed on its way (its summary says so), in one piece"]
    for key in ("fingerprint", "tokenizer_sha256"):
        if one.get("corpus", {}).get(key) != other["corpus"][key]:
            found.append(f"the text's {key}: {str(one.get('corpus', {}).get(key))[:12]}, {other['corpus'][key][:12]}")
    weights = [record.get("init_from", {}).get("sha256", "")[:12] for record in (one, other)]
    if weights[0] != weights[1]:
        found.append(f"the weights it began with: {weights[0]}, {weights[1]}")
    for piece in one.get("pieces", []):
        now = other["pieces"][-1]
        for section in ("packages", "machine"):
            for key, value in now[section].items():
                if piece[section].get(key) != value and key not in ("peak_flops_per_second", "dollars_per_hour"):
                    found.append(f"{key}: {piece[section].get(key)}, {value}")
        if piece["git_commit"] != now["git_commit"]:
            found.append(f"commit: {_short(piece['git_commit'])}, {_short(now['git_commit'])}")
    return list(dict.fromkeys(found))


def _short(commit: str) -> str:
    """Twelve digits of a commit, and whether files differed from it."""
    digits, changes, _ = commit.partition("+changes")
    return digits[:12] + changes
