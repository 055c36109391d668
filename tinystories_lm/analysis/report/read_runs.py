"""Read run folders for the report: what is missing or damaged is listed beside the rest and stops nothing."""

import json
import math
import os
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import msgspec

from tinystories_lm.analysis.report.curves import DOLLARS, SECONDS, STEP, TOKENS, VALIDATION
from tinystories_lm.config.schema import Config
from tinystories_lm.model.flops import count_parameters
from tinystories_lm.runs.folder import RunFolder, choices_of, overrides_of
from tinystories_lm.runs.schemas import MetricsRow, RunRecord, SampleRow, Summary, VerdictRecord
from tinystories_lm.runs.status import Status, StatusFile
from tinystories_lm.runs.tolerant_reader import TolerantReader
from tinystories_lm.runs.tree import OUTPUTS
from tinystories_lm.runs.trials import StudyRecord, TrialRecord

LONGEST_TEXT = 4000  # characters of a story that are shown
MOST_SAMPLES = 3
FILES = (
    "config.yaml",
    "environment.json",
    "metrics.jsonl",
    "samples.jsonl",
    "status.json",
    "summary.json",
    "trial.json",
)


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
    updated: when its files last changed, in seconds since 1970.
    """

    path: str
    folder: str  # its own name
    group: str  # where it lies: the sweep or preset
    group_name: str
    overrides: tuple[str, ...]
    choices: Mapping[str, str]  # by which it was started: model, experiment, …
    state: str  # a Status, "imported" (a model from elsewhere: no curve), or "unknown" (its status cannot be read)
    reason: str
    updated: float | None
    verdict: VerdictRecord | None
    config: Config | None
    figures: Mapping[str, float]
    rows: Sequence[MetricsRow]
    samples: tuple[Sample, ...]
    problems: tuple[str, ...]
    trials: tuple[TrialRecord, ...] = ()
    studies: Mapping[str, StudyRecord] = field(default_factory=dict)  # of the trials


class Reader:
    """Reads run folders; one that has not changed since is not read again."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[object, Run]] = {}

    def read(self, folder: RunFolder) -> Run:
        signature = [_signature(folder.path / name) for name in FILES]
        known = self._known.get(folder.path)
        if known and known[0] == signature and known[1].state != Status.RUNNING:
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
    """Return everything the page needs of one run; never raises for what a run folder may hold."""
    reader = TolerantReader(folder)
    config, summary, status = reader.config(), reader.summary(), reader.status()
    record, rows, samples = reader.record(), reader.metrics(), reader.samples()
    state, trials = _state(status, summary), reader.trials()
    if state == Status.DONE and not folder.summary.is_file():
        reader.problems.append("summary.json is missing")
    group = folder.path.absolute().parent
    return Run(
        path=_typed(folder.path),
        folder=clean(folder.path.absolute().name),
        group=_typed(folder.path.parent),
        group_name=clean(f"sweep {group.name}" if group.parent.name == "sweeps" else group.name),
        overrides=tuple(map(clean, overrides_of(folder))),
        choices={clean(group): shown(choice) for group, choice in choices_of(folder).items()},
        state=state,
        reason=shown(status.reason) if status is not None else "",
        updated=_updated(folder, status),
        verdict=_verdict(summary),
        config=config,
        figures=_figures(config, summary, record, rows),
        rows=rows,
        samples=_samples(samples, summary),
        problems=tuple(map(shown, reader.problems)),
        trials=trials,
        studies=reader.studies(trials),
    )


def clean(text: str) -> str:
    """Text that can be written down: half characters become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def shown(value: object) -> str:
    """Format a value briefly, without this machine's paths: an absolute path is cut to its last name."""
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


def _typed(path: Path) -> str:
    """Return the path as a command takes it: below outputs/, without that prefix."""
    return clean(str(path).removeprefix(f"{OUTPUTS}/"))


def _state(status: StatusFile | None, summary: Summary | None) -> str:
    if status is None:
        return "unknown"
    return "imported" if summary is not None and summary.imported_from is not None else str(status.status)


def _updated(folder: RunFolder, status: StatusFile | None) -> float | None:
    if status is not None and status.status is not Status.RUNNING and status.updated_seconds is not None:
        return status.updated_seconds
    written = [os.stat(path).st_mtime for path in (folder.status, folder.metrics, folder.config) if path.is_file()]
    return max(written, default=None)


def _verdict(summary: Summary | None) -> VerdictRecord | None:
    if summary is None or (found := summary.verdict) is None:
        return None
    return VerdictRecord(name=shown(found.name), because=[*map(shown, found.because)], next=[*map(shown, found.next)])


def _figures(
    config: Config | None, summary: Summary | None, record: RunRecord | None, rows: Sequence[MetricsRow]
) -> dict[str, float]:
    figures: dict[str, float] = {}
    for row in rows:
        figures |= {name: row[name] for name in (STEP, TOKENS, SECONDS, DOLLARS, *VALIDATION) if name in row}
    for name in ("speed/tokens_per_second", "speed/mfu"):
        if measured := [row[name] for row in rows if name in row]:
            figures[name] = statistics.median(measured)
    losses = {row[STEP]: row["val/loss"] for row in rows if "val/loss" in row}
    if losses:  # step 0, which has no checkpoint, counts as long as it is the only one
        figures["best/val_loss"] = min(loss for step, loss in losses.items() if step or len(losses) == 1)
    if config is not None:
        recorded = record.corpus.vocab_size if record is not None and record.corpus is not None else None
        vocab_size = recorded if recorded is not None else config.data.vocab_size
        figures["parameters"] = count_parameters(config.model, vocab_size=vocab_size).total
        figures["training.steps"] = config.training.steps
    if summary is not None:
        final = msgspec.to_builtins(summary)
        names = (STEP, TOKENS, SECONDS, DOLLARS, *VALIDATION, "best/val_loss", "parameters")
        figures |= {name: final[name] for name in names if name in final}
    # The median of two finite numbers may be infinite.
    return {name: value for name, value in figures.items() if math.isfinite(value)}


def _samples(rows: Sequence[SampleRow], summary: Summary | None) -> tuple[Sample, ...]:
    """Return what the model wrote last, and the stories of the summary."""
    found = {}
    for row in (row for row in rows if row.step == rows[-1].step):
        options = ", ".join(f"{key} {shown(value)}" for key, value in (row.settings or {}).items())
        found[row.text] = Sample(float(row.step), _cut(row.prompt), _cut(row.text), options[:500])
    for text in (summary.stories if summary is not None else None) or []:
        found.setdefault(text, Sample(None, "", _cut(text), ""))
    return tuple(found.values())[:MOST_SAMPLES]


def _cut(text: str) -> str:
    return clean(text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]} … (cut)")
