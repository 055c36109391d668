"""Copy a run to Weights & Biases; the run folder stays the record, W&B's copy is for looking at.

Nothing here blocks, slows or ends a run. A thread of the tracker's own imports, starts, feeds and finishes the SDK: a
row costs the training loop one entry in a queue, start and finish are awaited up to a deadline, and after a few errors
the tracker falls silent. One printed command uploads whatever was not: `wandb sync` for a run that was kept whole
offline, else `tinystories-lm upload`, which asks W&B what it has, where `wandb sync` would send duplicates.
"""

import logging
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinystories_lm.config.choices import TrackingMode
from tinystories_lm.config.schema import TrackingConfig
from tinystories_lm.tracking.wandb_files import (
    Earlier,
    is_uploaded,
    is_written,
    remove_segments,
    sync_command,
    unsent_segments,
    upload_command,
)
from tinystories_lm.tracking.wandb_run import (
    GRACE_SECONDS,
    NoRunError,
    RunSpec,
    abandon_service,
    one_line,
    start_run,
)
from tinystories_lm.tracking.wandb_table import SamplesTable

if TYPE_CHECKING:
    import wandb

ERRORS_BEFORE_SILENCE = 5
MOST_WAITING = 10_000  # rows kept for an SDK that has stopped answering
LONGEST_TAG = 64  # characters; the server refuses a run with a longer one

log = logging.getLogger(__name__)


class WandbTracker:
    """One W&B run; without `start` it does nothing. What it is given is sent later, and may not be changed meanwhile.

    start: makes the SDK's run, in the tracker's thread; returns None, or raises NoRunError, where there can be none.
    folder: the run's, for the command that completes an incomplete copy.
    """

    def __init__(
        self,
        start: "Callable[[], wandb.Run | None] | None",
        *,
        folder: Path,
        finish_timeout_seconds: int,
        earlier: Earlier | None = None,
    ) -> None:
        self._start, self._run_folder, self._finish_timeout_seconds = start, folder, finish_timeout_seconds
        self._earlier = earlier or Earlier()
        self._last_copied_step = -1  # W&B has the rows up to this step already
        self._run: wandb.Run | None = None
        self._table = SamplesTable(self._earlier.samples)
        self._calls: queue.SimpleQueue[Callable[[wandb.Run], object] | None] = queue.SimpleQueue()
        self._started, self._ended = threading.Event(), threading.Event()
        self._errors, self._exit_code = 0, 0
        self._is_uploaded = True  # the SDK has given no upload up
        self._is_written = True  # the SDK's own files have every row
        self._is_closed = start is None
        if start is not None:
            threading.Thread(target=self._work, name="wandb-tracker", daemon=True).start()

    @property
    def folder(self) -> Path | None:
        """The SDK's folder of this run, which `wandb sync` takes."""
        return None if self._run is None else Path(self._run.settings.sync_dir)

    @property
    def url(self) -> str | None:
        """The run's page, if the run is online."""
        return None if self._run is None or self._run.offline else self._run.url

    @property
    def mode(self) -> TrackingMode:
        """The mode that the requested one has resolved to; off also where W&B could not be started."""
        if self._run is None:
            return TrackingMode.off
        return TrackingMode.offline if self._run.offline else TrackingMode.online

    @property
    def is_complete(self) -> bool:
        """Whether all of a finished run was uploaded, or kept offline."""
        return self._table.is_sent and self._is_uploaded and self._is_written

    def log(self, row: Mapping[str, float | int]) -> None:
        """Add one row, at its `progress/step`; rows of one step become one."""

        def add(run: "wandb.Run") -> None:
            if (step := int(row["progress/step"])) > self._last_copied_step:
                run.log(dict(row), step=step)

        self._enqueue(add)

    def log_samples(self, step: int, samples: Sequence[Mapping[str, object]]) -> None:
        """Add texts to the table of all that the run has written; each has `prompt`, `text` and `settings`."""
        self._enqueue(lambda _: self._table.add(step, samples))

    def summarize(self, figures: Mapping[str, object]) -> None:
        """Set the final figures, under the metrics' names where they are metrics."""

        def set_figures(run: "wandb.Run") -> None:
            run.log({}, commit=True)  # the last row, which waits for more of its step, would overwrite them
            run.summary.update(dict(figures))

        self._enqueue(set_figures)

    def log_model(self, folder: Path, *, name: str, metadata: Mapping[str, object]) -> None:
        """Send a checkpoint's files as a model artifact; offline they are kept with the run, to be sent with it."""

        def send(run: "wandb.Run") -> None:
            import wandb

            artifact = wandb.Artifact(name=name, type="model", metadata=dict(metadata))
            artifact.add_dir(str(folder))
            run.log_artifact(artifact)

        self._enqueue(send)

    def wait_until_started(self, seconds: float) -> None:
        """Wait for the start, so that its messages come first; a slower start continues beside the training."""
        if not self._is_closed and not self._started.wait(seconds):
            log.warning("W&B: the server has not answered yet; the run continues and its rows are kept")

    def finish(self, *, exit_code: int) -> None:
        """Send what is left, as long as the deadlines allow, and name the command that sends the rest."""
        if self._is_closed:
            return
        self._is_closed, self._exit_code = True, exit_code
        self._calls.put(None)
        ended = self._ended.wait(self._finish_timeout_seconds + 2 * GRACE_SECONDS)
        has_gaps = ended and not self._is_written and self.mode is TrackingMode.online
        if not ended or self._errors:
            abandon_service()
            self._is_written = False
        self._report_rest(has_gaps=has_gaps)

    def _report_rest(self, *, has_gaps: bool) -> None:
        """Log the command that sends what W&B lacks, and remove offline segments that it does not."""
        if has_gaps:  # W&B takes no row of an earlier step
            command = upload_command(self._run_folder, as_new_run=True)
            log.warning("W&B: rows in the middle are missing; `%s` sends the whole run as a new W&B run", command)
        elif not self.is_complete:
            log.warning("W&B: the copy is incomplete; `%s` sends the rest", upload_command(self._run_folder))
        elif self._run is not None and (unsent := unsent_segments(self._run)):
            if not self._run.offline:  # all rows are there: what an earlier process kept would duplicate them
                remove_segments(unsent)
                return
            command = upload_command(self._run_folder) if self._earlier.was_online else sync_command(self._run)
            log.info("W&B: the run is kept offline; `%s` uploads it", command)

    def _enqueue(self, call: "Callable[[wandb.Run], object]") -> None:
        if self._is_closed or self._is_silent:
            return
        if self._calls.qsize() < MOST_WAITING:
            self._calls.put(call)
        else:
            self._count_error(TimeoutError(f"{MOST_WAITING:,} rows wait for an answer"))

    @property
    def _is_silent(self) -> bool:
        return self._errors >= ERRORS_BEFORE_SILENCE

    def _count_error(self, error: Exception) -> None:
        self._errors += 1
        if self._errors == ERRORS_BEFORE_SILENCE:
            log.warning("W&B: %s; after %d errors the run continues without it", one_line(error), self._errors)

    def _work(self) -> None:
        """Start the SDK's run, make the calls in their order and finish it; the body of the tracker's thread."""
        self._start_run()
        self._started.set()
        while (call := self._calls.get()) is not None:
            if self._run is None or self._is_silent:
                continue
            try:
                call(self._run)
                if self._calls.empty() and self._table.has_grown:  # rows first: a table may wait for the server
                    self._table.send(self._run)
            except Exception as error:  # whatever a tracker raises, a step is worth more
                self._count_error(error)
        if self._run is not None and not self._is_silent:
            self._table.send(self._run)
            self._finish_run(self._run)
        self._ended.set()

    def _start_run(self) -> None:
        assert self._start is not None
        try:
            self._run = self._start()
        except NoRunError as error:
            log.warning("W&B: %s; the run continues without it", error)
            self._is_written = False
        if self._run is not None and self._earlier.rows:
            try:
                self._last_copied_step = self._earlier.last_copied_step(self._run)
                self._earlier.send(self._run, after_step=self._last_copied_step)
            except Exception as error:
                self._count_error(error)

    def _finish_run(self, run: "wandb.Run") -> None:
        try:
            run.finish(exit_code=self._exit_code)
            self._is_uploaded = is_uploaded(run)
            self._is_written = is_written(run)
        except TimeoutError:
            self._is_uploaded = False
        except Exception as error:
            self._count_error(error)


def start_tracker(
    config: TrackingConfig,
    folder: Path,
    *,
    run_id: str,
    name: str,
    tags: Sequence[str] = (),
    settings: Mapping[str, object],
    resumed_at: int | None,
    is_done: bool = False,
) -> WandbTracker:
    """Start to copy the run in `folder`, online where that is wanted and possible, else offline.

    tags: beside those of the config.
    settings: the run's resolved settings and record, for W&B's config; never the process's environment.
    resumed_at: the step of the checkpoint that the run resumes from; rows after it will be written again.
    is_done: the run is over, and figures are added to what W&B has.
    """
    if config.mode is TrackingMode.off:
        return WandbTracker(None, folder=folder, finish_timeout_seconds=config.finish_timeout_seconds)
    is_resumed = resumed_at is not None
    all_tags = [*config.tags, *tags, *(["resumed"] if is_resumed and not is_done else [])]
    earlier = Earlier.read(folder, run_id, until_step=resumed_at)
    spec = RunSpec(
        config=config,
        folder=folder.resolve(),
        run_id=run_id,
        name=name,
        tags=[tag for tag in dict.fromkeys(all_tags) if len(tag) <= LONGEST_TAG],
        settings=dict(settings),
        is_resumed=is_resumed or is_done,
        was_online=earlier.was_online,
    )
    start = partial(start_run, spec)
    tracker = WandbTracker(start, folder=folder, finish_timeout_seconds=config.finish_timeout_seconds, earlier=earlier)
    tracker.wait_until_started(config.init_timeout_seconds + GRACE_SECONDS)
    return tracker


def evaluation_metrics(result: Mapping[str, Any]) -> dict[str, float]:
    """Return the figures of an evaluation under their names in W&B."""
    return {f"evaluation/{key}": value for key, value in result.items() if isinstance(value, int | float)}
