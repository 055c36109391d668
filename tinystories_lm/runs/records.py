"""Read and write the typed records of a run folder: environment.json, summary.json and the files of rows."""

import contextlib
import hashlib
import logging
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tinystories_lm.config.schema import DataConfig
from tinystories_lm.data.corpus import fingerprint, notes_of
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.schemas import Evaluation, MetricsRow, RunRecord, SampleRow, Summary, parse_metrics_row
from tinystories_lm.system.errors import DamagedError
from tinystories_lm.system.files import read_plain
from tinystories_lm.system.json_files import read_json, write_sealed
from tinystories_lm.system.jsonl import last_row, read_rows

LONGEST_REASON = 200  # characters: an error may quote what stands in the file
log = logging.getLogger(__name__)
T = TypeVar("T")


def read_as(path: Path, kind: type[T]) -> T:
    """Return a JSON file as a record; raises DamagedError where it is missing, was changed, or does not fit."""
    value = read_json(path)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise DamagedError(f"{path} is damaged: {str(error)[:LONGEST_REASON]}") from error


def read_record(run: RunFolder) -> RunRecord:
    """Return what the run was made with; raises DamagedError."""
    return read_as(run.environment, RunRecord)


def write_record(run: RunFolder, record: RunRecord) -> None:
    """Write environment.json; what a newer version has added to the file stays in it."""
    stored: dict[str, Any] = {}
    if run.environment.is_file():
        with contextlib.suppress(DamagedError):
            stored = read_json(run.environment)
    values = msgspec.to_builtins(record)
    write_sealed(run.environment, _merged(stored, values) if stored.get("run_id") == record.run_id else values)


def _merged(stored: Any, values: Any) -> Any:
    """Return `values`, with the keys that only `stored` has in the same places."""
    if isinstance(stored, dict) and isinstance(values, dict):
        return stored | {key: _merged(stored.get(key), value) for key, value in values.items()}
    if isinstance(stored, list | tuple) and isinstance(values, list | tuple):
        return [*map(_merged, stored, values), *values[len(stored) :]]
    return values


def read_summary(run: RunFolder, *, whole: bool = False) -> Summary:
    """Return the final figures; raises DamagedError.

    whole: refuse a summary that lacks a figure which every finished run has.
    """
    summary = read_as(run.summary, Summary)
    missing = summary.missing() if whole or summary.imported_from is not None else None
    if missing is not None:
        raise DamagedError(f"{run.summary} is damaged: it has no `{missing}`")
    return summary


def check_text(run: RunFolder, data: DataConfig) -> None:
    """Raise DamagedError where the run was trained on another text than the corpus has now.

    Names and sizes, of which the config's hash is made, may be equal: the contents decide.
    """
    recorded = read_record(run).corpus if run.environment.is_file() else None
    if recorded is not None and recorded.fingerprint is not None:
        check_same("text", recorded.fingerprint, fingerprint(data, notes=notes_of(data)), run)


def check_same(what: str, before: str, now: str, run: RunFolder) -> None:
    """Raise DamagedError where the run was trained with another text or tokenizer than there is now."""
    if before != now:
        raise DamagedError(
            f"{run.path} was started on another corpus: the hash of its {what} is {before[:12]}, now it is {now[:12]}; "
            "restore the old text, or start a new run (training.fresh=true, or another hydra.run.dir)"
        )


def read_evaluation(run: RunFolder) -> Evaluation | None:
    """Return what `evaluate` measured, None where it did not run yet; raises DamagedError."""
    return read_as(run.evaluation, Evaluation) if run.evaluation.is_file() else None


def is_imported(run: RunFolder) -> bool:
    """Return whether `import` made the run, so that its model was trained elsewhere."""
    with contextlib.suppress(DamagedError):
        return read_record(run).imported_from is not None
    with contextlib.suppress(DamagedError):
        return read_summary(run).imported_from is not None
    return False


def read_metrics(run: RunFolder) -> list[MetricsRow]:
    """Return the rows of metrics.jsonl; warns of damaged rows, and of a finished run's rows that were changed."""
    _warn_of_changed_rows(run)
    return read_rows(run.metrics, parse_metrics_row)


def last_step(run: RunFolder) -> int:
    """Return the step in the last whole row of metrics.jsonl, without reading the others; 0 where there is none."""
    row = last_row(run.metrics, parse_metrics_row)
    return int(row["progress/step"]) if row is not None else 0


def read_samples(run: RunFolder) -> list[SampleRow]:
    """Return the rows of samples.jsonl; warns of damaged ones."""
    return read_rows(run.samples, lambda row: msgspec.convert(row, SampleRow))


def _warn_of_changed_rows(run: RunFolder) -> None:
    if not run.summary.is_file():
        return
    with contextlib.suppress(DamagedError, OSError):
        recorded = read_summary(run).rows or {}
        for path in (run.metrics, run.samples):
            rows = recorded.get(path.name)
            if rows and hashlib.sha256(read_plain(path)[: rows.bytes]).hexdigest() != rows.sha256:
                log.warning("%s was changed after the run had finished", path)
