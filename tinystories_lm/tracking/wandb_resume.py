"""Bring W&B's copy of a resumed run up to date, without gaps and duplicates, however the run was cut off."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.records import read_metrics, read_samples
from tinystories_lm.runs.schemas import MetricsRow
from tinystories_lm.tracking.wandb_files import is_unsent, offline_segments, remove_segments, was_online

if TYPE_CHECKING:
    import wandb


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """What earlier processes of a run have recorded, up to the checkpoint that it resumes from.

    rows: W&B gets those that it lacks.
    samples: for the table of texts.
    was_online: W&B may have rows, which no offline segment may repeat.
    """

    rows: Sequence[MetricsRow] = ()
    samples: Sequence[Mapping[str, object]] = ()
    was_online: bool = False

    @classmethod
    def read(cls, folder: Path, run_id: str, *, until_step: int | None) -> "Earlier":
        """Read a run folder, before this process may be online; `until_step` is None for a run that is not resumed."""
        online = was_online(folder, run_id)
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
