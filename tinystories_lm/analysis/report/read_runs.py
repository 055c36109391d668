"""What run folders say, as plain values. What is missing or damaged is told beside the rest and stops nothing."""

import json
import os
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any

from tinystories_lm.analysis.report.curves import DOLLARS, SECONDS, STEP, TOKENS, VALIDATION, Row, finite, is_finite
from tinystories_lm.config.fields import Effect
from tinystories_lm.config.schema import Config, settings
from tinystories_lm.model.flops import count_parameters
from tinystories_lm.runs.folder import OUTPUTS, RunFolder, overrides_of, read_config
from tinystories_lm.runs.status import Status, read_status
from tinystories_lm.system.errors import CommandError, DamagedError
from tinystories_lm.system.json_files import from_json, read_json
from tinystories_lm.system.jsonl import read_lines

LONGEST_TEXT = 4000  # characters of a story that are shown
MOST_SAMPLES = 3
FILES = ("config.yaml", "environment.json", "metrics.jsonl", "samples.jsonl", "status.json", "summary.json")


class State(StrEnum):
    """What became of a run, as the page says it."""

    RUNNING = "running"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    DONE = "done"
    IMPORTED = "imported"  # a model from elsewhere: no curve
    UNKNOWN = "unknown"  # nothing readable says it


@dataclass(frozen=True)
class Verdict:
    name: str
    because: tuple[str, ...]
    next: tuple[str, ...]


@dataclass(frozen=True)
class Sample:
    step: float | None
    prompt: str
    text: str
    settings: str


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run folder.

    path: as the reader would type it.
    figures: the newest known, under the names of metrics.jsonl and summary.json; what is not known is not there.
    problems: what could not be read, in words.
    updated: when it was last heard of, in seconds since 1970.
    """

    path: str
    folder: str  # its own name
    group: str  # where it lies: the sweep or preset
    group_name: str
    overrides: tuple[str, ...]
    state: State
    reason: str
    updated: float | None
    verdict: Verdict | None
    config: Config | None
    figures: Mapping[str, float]
    rows: Sequence[Row]
    samples: tuple[Sample, ...]
    problems: tuple[str, ...]


class Reader:
    """Reads run folders; one that has not changed since is not read again."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[object, Run]] = {}

    def read(self, folder: RunFolder) -> Run:
        signature = [_signature(folder.path / name) for name in FILES]
        known = self._known.get(folder.path)
        if known and known[0] == signature and known[1].state is not State.RUNNING:
            return known[1]
        run = read_run(folder)
        self._known[folder.path] = (signature, run)
        return run


def _signature(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def read_run(folder: RunFolder) -> Run:
    """Everything the page needs of one run; never raises for what a run folder may hold."""
    problems: list[str] = []
    config = _config(folder, problems)
    summary = _object(folder.summary, problems)
    status = _object(folder.status, problems)
    environment = _object(folder.environment, problems)
    rows = [finite(row) for row in _rows(folder.metrics, problems)]
    state = _state(folder, status, summary, problems)
    if state is State.DONE and not folder.summary.is_file():
        problems.append("summary.json is missing")
    group = folder.path.absolute().parent
    return Run(
        path=_typed(folder.path),
        folder=clean(folder.path.absolute().name),
        group=_typed(folder.path.parent),
        group_name=clean(f"sweep {group.name}" if group.parent.name == "sweeps" else group.name),
        overrides=tuple(map(clean, overrides_of(folder))),
        state=state,
        reason=shown(status.get("reason")),
        updated=_updated(folder, status, state),
        verdict=_verdict(summary.get("verdict")),
        config=config,
        figures=_figures(config, summary, environment, rows),
        rows=rows,
        samples=_samples(folder, summary, problems),
        problems=tuple(problems),
    )


def clean(text: str) -> str:
    """Text that can be written down: half characters become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def shown(value: object) -> str:
    """A value in a few words, without the places of this machine: of an absolute path the last name is left."""
    if value is None:
        return ""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool | list | tuple | dict):
        try:
            value = json.dumps(value, ensure_ascii=False, default=str)
        except RecursionError:  # nested deeper than it can be written
            value = "…"
    return clean(re.sub(r"(?<![\w.…~/-])/(?:[^/\s'\",;:]+/)+", "…/", str(value)))


def differences(runs: Sequence[Run]) -> list[tuple[str, Effect, list[str | None]]]:
    """Settings in which the runs differ: name, kind, and a value for each run, None where its config is unreadable."""
    known = [None if run.config is None else settings(run.config) for run in runs]
    template = next((found for found in known if found is not None), {})
    differing = []
    for key, (_, kind) in template.items():
        values = [None if found is None else found[key][0] for found in known]
        if len({str(value) for value, found in zip(values, known, strict=True) if found is not None}) > 1:
            texts = [None if found is None else shown(found[key][0]) for found in known]
            differing.append((key, kind, texts))
    order = list(Effect)
    return sorted(differing, key=lambda found: order.index(found[1]))


def _typed(path: Path) -> str:
    """A path as a command takes it: what lies below outputs/ without that."""
    text = str(path)
    return clean(text.removeprefix(f"{OUTPUTS}/"))


def _config(folder: RunFolder, problems: list[str]) -> Config | None:
    if not folder.config.is_file():
        problems.append("config.yaml is missing")
        return None
    try:
        return read_config(folder)
    except DamagedError as error:
        problems.append(shown(f"config.yaml cannot be read: {str(error).partition(': ')[2] or error}"))
    except Exception as error:  # whatever a strange file makes of the YAML reader, the other runs are shown
        problems.append(f"config.yaml cannot be read: {type(error).__name__}")
    return None


def _object(path: Path, problems: list[str]) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return read_json(path)
    except DamagedError:
        problems.append(f"{path.name} is damaged")
        return {}


def _rows(path: Path, problems: list[str]) -> list[dict[str, Any]]:
    """All whole rows; half a row at the end, which a running or killed writer leaves, is no problem."""
    try:
        lines = read_lines(path) if path.is_file() else []
    except OSError:
        problems.append(f"{path.name} cannot be read")
        return []
    rows, damaged = [], 0
    for number, line in enumerate(lines, start=1):
        try:
            row = from_json(line) if line.strip() else None
        except ValueError:
            damaged += number < len(lines)
            continue
        if isinstance(row, dict):
            rows.append(row)
        elif row is not None:
            damaged += 1
    if damaged:
        problems.append(f"{damaged} line{'s' * (damaged > 1)} of {path.name} left out: damaged")
    return rows


def _state(folder: RunFolder, status: Mapping[str, Any], summary: Mapping[str, Any], problems: list[str]) -> State:
    name = status.get("status")
    if not isinstance(name, str) or name not in {str(one) for one in Status}:
        if status or not folder.status.is_file():
            problems.append("status.json names no status" if status else "status.json is missing")
        return State.UNKNOWN
    if "imported_from" in summary:
        return State.IMPORTED
    try:
        return State(read_status(folder).value)
    except (CommandError, OSError):  # whether a process holds the run cannot be asked on a read-only disk
        return State(name)


def _updated(folder: RunFolder, status: Mapping[str, Any], state: State) -> float | None:
    if state is not State.RUNNING:
        try:
            return datetime.strptime(str(status.get("updated")), "%Y-%m-%dT%H:%M:%S%z").timestamp()
        except (ValueError, OverflowError):
            pass
    heard = [os.stat(path).st_mtime for path in (folder.status, folder.metrics, folder.config) if path.is_file()]
    return max(heard, default=None)


def _verdict(value: object) -> Verdict | None:
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None
    return Verdict(shown(value["name"]), _sentences(value.get("because")), _sentences(value.get("next")))


def _sentences(value: object) -> tuple[str, ...]:
    found = value if isinstance(value, list) else [] if value is None else [value]
    return tuple(shown(one) for one in found)


def _figures(
    config: Config | None, summary: Mapping[str, Any], environment: Mapping[str, Any], rows: Sequence[Row]
) -> dict[str, float]:
    figures: dict[str, float] = {}
    for row in rows:
        figures |= {name: row[name] for name in (STEP, TOKENS, SECONDS, DOLLARS, *VALIDATION) if name in row}
    for name in ("speed/tokens_per_second", "speed/mfu"):
        if measured := [row[name] for row in rows if name in row]:
            figures[name] = statistics.median(measured)
    losses = [row["val/loss"] for row in rows if "val/loss" in row]
    if losses:
        figures["best/val_loss"] = min(losses)
    if config is not None:
        corpus = environment.get("corpus")
        vocab_size = corpus.get("vocab_size") if isinstance(corpus, dict) else None
        vocab_size = vocab_size if isinstance(vocab_size, int) else config.data.vocab_size
        figures["parameters"] = count_parameters(config.model, vocab_size=vocab_size).total
        figures["training.steps"] = config.training.steps
    names = (STEP, TOKENS, SECONDS, DOLLARS, *VALIDATION, "best/val_loss", "parameters")
    figures |= {name: summary[name] for name in names if is_finite(summary.get(name))}
    return finite(figures)  # also the mean of two finite ones may be none


def _samples(folder: RunFolder, summary: Mapping[str, Any], problems: list[str]) -> tuple[Sample, ...]:
    """What the model wrote last, and the stories of the summary."""
    rows = [row for row in _rows(folder.samples, problems) if isinstance(row.get("text"), str)]
    last = [row for row in rows if row.get("step") == rows[-1].get("step")]
    found = {row["text"]: _sample(row) for row in last}
    stories = summary.get("stories")
    for text in stories if isinstance(stories, list) else []:
        if isinstance(text, str) and text not in found:
            found[text] = Sample(None, "", _cut(text), "")
    return tuple(found.values())[:MOST_SAMPLES]


def _sample(row: Mapping[str, Any]) -> Sample:
    options = row.get("settings")
    told = ", ".join(f"{key} {shown(value)}" for key, value in options.items()) if isinstance(options, dict) else ""
    prompt = row.get("prompt")
    step = row.get("step")
    return Sample(
        step=float(step) if isinstance(step, int | float) and is_finite(step) else None,
        prompt=_cut(prompt) if isinstance(prompt, str) else "",
        text=_cut(row["text"]),
        settings=told[:500],
    )


def _cut(text: str) -> str:
    return clean(text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]} … (cut)")
