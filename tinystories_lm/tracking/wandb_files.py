"""Find what earlier processes of a run left on disk for W&B, send what it lacks, and name the command that does so.

Each process of a run that tracks it offline leaves a folder of its own, a segment.
"""

import contextlib
import shlex
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.records import read_metrics, read_samples
from tinystories_lm.runs.schemas import MetricsRow

if TYPE_CHECKING:
    import wandb

# What the SDK's own log has when an upload was given up for good; its finish() returns as after a success.
UPLOAD_FAILURES = ("filestream: fatal error", "failed to log artifact")
WRITE_FAILURE = "failed to save record"


def offline_segments(run: "wandb.Run") -> list[Path]:
    """Return the folders of the run that were written offline, by earlier processes and this one."""
    return sorted(Path(run.settings.sync_dir).parent.glob(f"offline-run-*-{run.id}*"))  # …-1 for two in one second


def is_unsent(segment: Path) -> bool:
    return not list(segment.glob("*.synced"))


def unsent_segments(run: "wandb.Run") -> list[Path]:
    return [segment for segment in offline_segments(run) if is_unsent(segment)]


def remove_segments(segments: Iterable[Path]) -> None:
    """Delete segments whose rows are elsewhere too; the run's own rows are never among them."""
    for segment in segments:
        shutil.rmtree(segment, ignore_errors=True)


def sync_command(run: "wandb.Run") -> str:
    """Return the command that uploads the run's unsent segments."""
    return shlex.join(["wandb", "sync", *(_relative(segment) for segment in unsent_segments(run))])


def upload_command(folder: Path, *, as_new_run: bool = False) -> str:
    """Return the command that uploads what W&B lacks of the run in `folder`, or all of it `as_new_run`."""
    return shlex.join(["tinystories-lm", "upload", _relative(folder), *(["--anew"] if as_new_run else [])])


def is_uploaded(run: "wandb.Run") -> bool:
    return not any(failure in _sdk_log(run) for failure in UPLOAD_FAILURES)


def is_written(run: "wandb.Run") -> bool:
    """Return whether the SDK's own files have all rows of a finished run.

    On a full disk the SDK drops rows and reports it in its log only, and that log may be cut short there too.
    """
    text = _sdk_log(run)
    return text.endswith("\n") and WRITE_FAILURE not in text


def _sdk_log(run: "wandb.Run") -> str:
    return Path(run.settings.log_internal).read_text(encoding="utf-8", errors="replace")


def _relative(folder: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(folder.relative_to(Path.cwd()))
    return str(folder)


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """What earlier processes of a run have recorded, up to the checkpoint that it resumes from.

    rows: W&B gets those that it lacks.
    samples: for the table of texts.
    was_online: a process was online, or tried to be: W&B may have rows, which no offline segment may repeat.
    """

    rows: Sequence[MetricsRow] = ()
    samples: Sequence[Mapping[str, object]] = ()
    was_online: bool = False

    @classmethod
    def read(cls, folder: Path, run_id: str, *, until_step: int | None) -> "Earlier":
        """Read a run folder, before this process may be online; `until_step` is None for a run that is not resumed."""
        online = any((folder / "wandb").glob(f"run-*-{run_id}*"))
        if until_step is None:
            return cls(was_online=online)
        rows = [row for row in read_metrics(RunFolder(folder)) if row["progress/step"] <= until_step]
        samples = [sample for sample in read_samples(RunFolder(folder)) if sample.step <= until_step]
        return cls(rows=rows, samples=[msgspec.to_builtins(sample) for sample in samples], was_online=online)

    def last_copied_step(self, run: "wandb.Run") -> int:
        """Return the last step whose row W&B has or would get twice, -1 where it needs all rows.

        Online the server names the step that it waits for. Offline a new segment repeats all rows, unless an older one
        was uploaded or W&B may have rows.
        """
        if not run.offline:
            return int(run.step) - 1
        if self.was_online or not all(is_unsent(segment) for segment in _older_segments(run)):
            return int(self.rows[-1]["progress/step"])
        return -1

    def send(self, run: "wandb.Run", *, after_step: int) -> None:
        """Log the rows after a step. Older segments, whose last rows a kill may have lost, go if all are repeated."""
        for row in self.rows:
            if (step := int(row["progress/step"])) > after_step:
                run.log(dict(row), step=step)
        if run.offline and after_step < 0:
            remove_segments(_older_segments(run))


def _older_segments(run: "wandb.Run") -> list[Path]:
    return [segment for segment in offline_segments(run) if segment != Path(run.settings.sync_dir)]
