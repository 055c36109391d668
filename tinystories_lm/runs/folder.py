"""Define the files of a run folder, and read and write its config."""

import contextlib
import hashlib
import itertools
import os
import shlex
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tinystories_lm.config.overrides import as_text, key_of, with_value
from tinystories_lm.config.removed import LAST_COMMIT, REMOVED, pop_removed
from tinystories_lm.config.schema import SETTINGS, Config, values_of_older_runs
from tinystories_lm.system.errors import DamagedError, RunFolderInUseError, UsageError
from tinystories_lm.system.files import find_link, read_plain, unreadable, write_text
from tinystories_lm.system.locks import lock
from tinystories_lm.system.yaml_files import from_yaml

CONFIG_SEAL = "# sha256 of the lines above: "
MOST_CONFIG_BYTES = 1 << 20
GROUPS = ("experiment", "model", "optimizer", "schedule", "data", "hardware", "sampling", "tracking")  # of conf/
HYDRAS_CHOICES = "\n    choices:\n"  # precedes them in hydra.yaml


class RunFolder:
    """Paths of the files in one run's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = path / ".lock"
        self.config = path / "config.yaml"
        self.environment = path / "environment.json"
        self.metrics = path / "metrics.jsonl"
        self.samples = path / "samples.jsonl"
        self.tokenizer = path / "tokenizer.json"
        self.checkpoints = path / "checkpoints"
        self.status = path / "status.json"
        self.summary = path / "summary.json"
        self.evaluation = path / "evaluation.json"


@contextlib.contextmanager
def locked(folder: Path, *, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the lock of the run's folder; raises RunFolderInUseError with the pid of the process that holds it."""
    until = time.monotonic() + wait_seconds
    while True:
        with lock(RunFolder(folder).lock, wait=False) as holder:
            if holder is None:
                yield
                return
        if time.monotonic() >= until:
            raise RunFolderInUseError(f"{folder} is in use by process {holder.get('pid')} since {holder.get('since')}")
        time.sleep(0.2)


def refuse_links(run: RunFolder) -> None:
    """Raise DamagedError for a link, pipe or device in the folder: what is written there would land elsewhere.

    W&B's SDK makes links of its own within wandb/.
    """
    if (link := find_link(run.path, beside=frozenset({"wandb"}))) is not None:
        raise DamagedError(
            f"{link} is neither a file nor a folder, and what is written there would land elsewhere: delete it"
        )


def write_config(run: RunFolder, config: Config) -> None:
    """Write the config as YAML, with its sha256 in a last line."""
    from omegaconf import OmegaConf  # reading needs none of it

    text = OmegaConf.to_yaml(OmegaConf.structured(config))
    write_text(run.config, f"{text}{CONFIG_SEAL}{_sha256(text)}\n")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def read_config(run: RunFolder, *, to_train: bool = False) -> Config:
    """Return the stored config, by which a run's model can be loaded, or its training resumed or repeated.

    A setting that an older run did not store has the value that it meant.

    Raises DamagedError when the file is missing, was changed, does not fit the schema, or holds interpolations: a
    stored config has only values, and one that asks for the reader's environment was not written by this program.
    Raises UsageError when a removed setting makes the model one that this version cannot build, and with `to_train`
    also for one that only training used.
    """
    try:
        stored = from_yaml(_config_text(run))
        if not isinstance(stored, dict):
            raise ValueError("it has no settings")
        for key, value in pop_removed(stored).items():
            if to_train or REMOVED[key].changes_model:
                raise UsageError(
                    f"{run.path} was trained with {key}={value}, which was removed in this version; "
                    f"commit {LAST_COMMIT} is the last one that has it"
                )
        return msgspec.convert(_complete(stored), Config, strict=False)  # a person may have written 1e-3
    except OSError as error:
        raise unreadable(run.config, error) from error
    except (ValueError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DamagedError(f"{run.config} cannot be read as a run's config: {reason}") from error


def data_version(run: RunFolder) -> int | None:
    """Return the data.version that the run in the folder began with; None where no config can be read."""
    with contextlib.suppress(DamagedError, UsageError):
        return read_config(run, to_train=True).data.version if run.config.is_file() else None
    return None


def _complete(stored: dict[str, Any]) -> dict[str, Any]:
    """Return the settings with those that older runs did not have; raises ValueError for an unknown one."""
    for section, values in stored.items():
        for name in [f"{section}.{key}" for key in values] if isinstance(values, dict) else [section]:
            if name not in SETTINGS:
                raise ValueError(f"`{name}` is not a setting of this version")
    before: dict[str, Any] = values_of_older_runs()
    return before | {
        section: before.get(section, {}) | values if isinstance(values, dict) else values
        for section, values in stored.items()
    }


def _config_text(run: RunFolder) -> str:
    text, sealed, recorded = read_plain(run.config, most_bytes=MOST_CONFIG_BYTES).decode().partition(CONFIG_SEAL)
    if sealed and recorded.strip() != _sha256(text):
        raise DamagedError(
            f"{run.config} was changed after it was written: its sha256 differs from the one in its last line"
        )
    if "${" in text:
        raise DamagedError(f"{run.config} holds interpolations, which a stored config never does")
    return text


def overrides_of(run: RunFolder) -> list[str]:
    """Return the overrides that started the run; empty where Hydra's record of them is missing or damaged."""
    try:
        text = read_plain(run.path / ".hydra" / "overrides.yaml", most_bytes=MOST_CONFIG_BYTES).decode()
        typed = from_yaml(text)
    except (OSError, ValueError):
        return []
    return [override for override in typed if isinstance(override, str)] if isinstance(typed, list) else []


def choices_of(run: RunFolder) -> dict[str, str]:
    """Return the choice of each group (model, experiment, …) that the run was composed of; {} where it is not recorded.

    Without Hydra's full record, the choices are those of its overrides.
    """
    typed = (override.lstrip("+").partition("=") for override in overrides_of(run))
    choices: dict[str, str] = {key: value for key, _, value in typed if key in GROUPS}
    try:
        text = read_plain(run.path / ".hydra" / "hydra.yaml", most_bytes=MOST_CONFIG_BYTES).decode()
        _, _, below = text.partition(HYDRAS_CHOICES)
        lines = itertools.takewhile(lambda line: line.startswith("      "), below.splitlines())
        recorded = from_yaml("\n".join(lines))  # to read the rest takes ten times as long
    except (OSError, ValueError):
        return choices
    recorded = recorded if isinstance(recorded, dict) else {}
    return choices | {key: recorded[key] for key in GROUPS if isinstance(recorded.get(key), str)}


def own_overrides(run: RunFolder) -> list[str]:
    """Return the overrides that mean this run alone: a sweep's name would start the sweep, training.fresh another run.

    The folder is left out too: it may have been moved.
    """
    leave_out = ("sweep", "training.fresh", "hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir", "hydra.mode")
    return [override for override in overrides_of(run) if key_of(override) not in leave_out]


def command_of(run: RunFolder, *, steps: int, config_dir: str | None = None) -> str:
    """Return the command that started the run, with another number of steps, which resumes a finished run."""
    overrides = with_value(own_overrides(run), "training.steps", steps)
    folder = f"hydra.run.dir={as_text(os.path.relpath(run.path))}"
    own = [] if config_dir is None else ["--config-dir", config_dir]
    return shlex.join(["tinystories-lm", "train", *own, *overrides, folder])


def new_run_id() -> str:
    """Return twelve random hex digits."""
    return uuid.uuid4().hex[:12]
