"""A run's folder: what lies where, and what a run left there says about it."""

import contextlib
import difflib
import json
import logging
import os
import shlex
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TextIO

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from tinystories_lm import faults
from tinystories_lm.config import Config
from tinystories_lm.errors import DamagedError, UsageError
from tinystories_lm.files import lock, to_json, write_json, write_text, writing
from tinystories_lm.identity import ADDED_LATER, config_hash

LONGEST_ROW_BYTES = 8192  # of metrics.jsonl
MOST_NAMED = 12  # in one line
OUTPUTS = Path("outputs")  # below the folder a command is started in

log = logging.getLogger(__name__)


class Status(StrEnum):
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    DONE = "done"


@dataclass(frozen=True)
class RunFolder:
    """Paths of the files in one run's folder."""

    path: Path

    @property
    def lock(self) -> Path:
        return self.path / ".lock"

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def environment(self) -> Path:
        return self.path / "environment.json"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def samples(self) -> Path:
        return self.path / "samples.jsonl"

    @property
    def tokenizer(self) -> Path:
        return self.path / "tokenizer.json"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def status(self) -> Path:
        return self.path / "status.json"

    @property
    def summary(self) -> Path:
        return self.path / "summary.json"


def write_config(run: RunFolder, config: Config) -> None:
    write_text(run.config, OmegaConf.to_yaml(OmegaConf.structured(config)))


def read_config(run: RunFolder) -> Config:
    """The run's stored config.

    Raises DamagedError when it is missing, no longer fits the schema, or holds interpolations: a stored config
    has only values, and one that asks for the reader's environment is not ours.
    """
    try:
        text = run.config.read_text(encoding="utf-8")
        if "${" in text:
            raise DamagedError(f"{run.config} holds interpolations, which a stored config never does")
        config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Config), ADDED_LATER, OmegaConf.create(text)))
    except (OSError, ValueError, RecursionError, OmegaConfBaseException, YAMLError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DamagedError(f"{run.config} cannot be read as a run's config: {reason}") from error
    assert isinstance(config, Config)
    return config


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; raises DamagedError where there is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedError(f"{path} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise DamagedError(f"{path} holds no JSON object")
    return value


def overrides_of(run: RunFolder) -> list[str]:
    """What was typed to begin the run; empty where Hydra's record of it is not there."""
    try:
        typed = OmegaConf.to_container(OmegaConf.load(run.path / ".hydra" / "overrides.yaml"))
    except (OSError, ValueError, OmegaConfBaseException, YAMLError):
        return []
    return [str(override) for override in typed] if isinstance(typed, list) else []


def command_of(run: RunFolder, *, steps: int) -> str:
    """What was typed to begin the run, but for so many steps: a finished run then goes on."""
    leave_out = ("training.steps=", "+sweep=")  # the second would begin the whole sweep
    kept = [override for override in overrides_of(run) if not override.startswith(leave_out)]
    folder = f"hydra.run.dir={os.path.relpath(run.path)}"
    return shlex.join(["tinystories-lm", "train", *kept, f"training.steps={steps}", folder])


def write_status(run: RunFolder, status: Status, *, reason: str, step: int) -> None:
    value = {"status": status, "reason": reason, "step": step, "updated": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
    write_json(run.status, value)


def read_status(run: RunFolder) -> Status:
    """What became of the run: a run that says it is running, while no process holds its folder, was killed."""
    try:
        status = Status(read_json(run.status).get("status", ""))
    except ValueError as error:
        raise DamagedError(f"{run.status} names no status") from error
    if status is Status.RUNNING:
        with lock(run.lock, wait=False) as holder:
            return Status.RUNNING if holder else Status.INTERRUPTED
    return status


def new_run_id() -> str:
    return uuid.uuid4().hex[:12]


class Records:
    """A file of one JSON object a line, cut back on opening to what the checkpoint knows of."""

    def __init__(self, path: Path, *, keep_bytes: int) -> None:
        with writing(path):
            path.touch()
            faults.reach("rows.before_cut", path)
            if (there := path.stat().st_size) < keep_bytes:
                log.warning("%s: the last %s bytes of its rows are gone", path, f"{keep_bytes - there:,}")
            with path.open("r+b") as file:
                file.truncate(min(there, keep_bytes))
            self._file: TextIO = path.open("a", encoding="utf-8")
        self._path = path

    def append(self, row: dict[str, Any]) -> None:
        with writing(self._path):
            faults.reach("row.before", self._path)
            self._file.write(to_json(row) + "\n")
            self._file.flush()

    def sync(self) -> None:
        """Wait until the rows are on the disk."""
        with writing(self._path):
            os.fsync(self._file.fileno())

    @property
    def size_bytes(self) -> int:
        return self._path.stat().st_size

    def close(self) -> None:
        self._file.close()


def read_records(path: Path) -> list[dict[str, Any]]:
    """All whole rows; the half row of a killed writer is left out."""
    rows = []
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows


def last_record(path: Path) -> dict[str, Any]:
    """The last whole row, without reading the others; empty where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LONGEST_ROW_BYTES))
            lines = file.read().splitlines()
    except OSError:
        return {}
    for line in reversed(lines):
        with contextlib.suppress(ValueError):
            row = json.loads(line)
            if isinstance(row, dict):
                return row
    return {}


def runs_below(folder: Path) -> Iterator[RunFolder]:
    """Every run under outputs/, sweeps' members included, newest first by when it was last heard of."""
    found = [path.parent for pattern in ("*/*/status.json", "sweeps/*/*/status.json") for path in folder.glob(pattern)]
    for path in sorted(found, key=lambda path: ((path / "status.json").stat().st_mtime, path.name), reverse=True):
        yield RunFolder(path)


def find_run(name: str, *, outputs: Path = OUTPUTS) -> RunFolder:
    """A run by its folder (as it stands, or below outputs/), by its preset (the newest run of it), or `latest`.

    Raises UsageError naming what there is.
    """
    for direct in (Path(name), outputs / name):
        if (direct / "config.yaml").is_file():
            return RunFolder(direct)
    runs = list(runs_below(outputs))
    if runs and name == "latest":
        return runs[0]
    for names in ([run.path.parent.name for run in runs], [run.path.name for run in runs]):
        if name in names:
            return runs[names.index(name)]
    if not runs:
        raise UsageError(f"{name}: there is no run under {outputs}/ yet: start one with `tinystories-lm train`")
    presets = dict.fromkeys(run.path.parent.name for run in runs)
    known = [*presets, *(run.path.name for run in runs), *(str(run.path) for run in runs)]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join([*presets][:MOST_NAMED])}"
    raise UsageError(f"{name}: there is no such run; {hint} (a run folder, a preset's name, or `latest`)")


def interrupted_run(config: Config, *, outputs: Path = OUTPUTS) -> RunFolder | None:
    """The newest run of this config that was stopped before its end."""
    wanted = config_hash(config)
    for run in runs_below(outputs):
        if not run.path.name.startswith(".") and wanted in run.path.name:
            try:
                if read_status(run) is Status.INTERRUPTED and config_hash(read_config(run)) == wanted:
                    return run
            except DamagedError:
                continue
    return None
