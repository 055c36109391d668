"""The mirror in Weights & Biases: what the run folder has, shown in a dashboard, never the only copy.

Nothing here blocks, slows or ends a run. The SDK is imported, started, fed and finished by a thread of the mirror's
own: a row costs the training loop one entry in a queue, starting and finishing are waited for up to a deadline, and
after a few errors the mirror falls silent. Whatever was not uploaded, one printed command uploads: `wandb sync` for a
run that was whole offline, else `tinystories-lm upload`, which asks W&B what it has; `wandb sync` would say that twice.
"""

import logging
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tinystories_lm.config.choices import TrackingMode
from tinystories_lm.config.schema import TrackingConfig
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.records import read_metrics, read_samples
from tinystories_lm.tracking.wandb_files import (
    is_unsent,
    is_uploaded,
    is_written,
    pieces_of,
    remove_pieces,
    sync_command,
    unsent_pieces,
    upload_command,
    was_online,
)
from tinystories_lm.tracking.wandb_run import (
    GRACE_SECONDS,
    SAMPLE_COLUMNS,
    NoRunError,
    abandon_service,
    begin_run,
    one_line,
    within,
)

if TYPE_CHECKING:
    import wandb

ERRORS_BEFORE_SILENCE = 5
TABLE_GROWTH = 10  # one part in so many
MOST_WAITING = 10_000  # rows kept for an SDK that has stopped answering
LONGEST_TAG = 64  # characters; the server refuses a run with a longer one

log = logging.getLogger(__name__)


class WandbTracker:
    """One W&B run; with `begin` None, nothing at all.

    begin: makes the SDK's run, in the mirror's thread; returns None, or raises NoRunError, where there can be none.
    folder: the run's, which the command that mends a mirror with gaps names.
    samples: those of before a resume, for the table.
    earlier: the rows of before a resume that still count; what of them W&B has not got is sent again.
    sent_before: an earlier process of the run was online: W&B may have rows that no offline piece may repeat.
    """

    def __init__(
        self,
        begin: "Callable[[], wandb.Run | None] | None",
        *,
        folder: Path,
        finish_timeout_seconds: int,
        samples: Sequence[Mapping[str, object]] = (),
        earlier: Sequence[Mapping[str, float | int]] = (),
        sent_before: bool = False,
    ) -> None:
        self._sent_before = sent_before
        self._begin, self._finish_timeout_seconds, self._earlier = begin, finish_timeout_seconds, earlier
        self._run_folder, self._written = folder, True  # whether the SDK's own files have every row
        self._after_step = -1  # rows up to here are there already
        self._run: wandb.Run | None = None
        self._table: dict[int, list[list[object]]] = {}  # its rows by their step
        self._table_due = False
        self._next_table = 0  # evaluations it is to have before it is sent again
        for sample in samples:
            self._table.setdefault(int(str(sample.get("step", 0))), []).append(_cells(sample))
        self._calls: queue.SimpleQueue[Callable[[wandb.Run], object] | None] = queue.SimpleQueue()
        self._begun, self._ended = threading.Event(), threading.Event()
        self._errors, self._exit_code, self._whole = 0, 0, True
        self._closed = begin is None
        if begin is not None:
            threading.Thread(target=self._work, name="wandb-tracker", daemon=True).start()

    @property
    def folder(self) -> Path | None:
        """Where the SDK keeps this run: `wandb sync` takes it."""
        return None if self._run is None else Path(self._run.settings.sync_dir)

    @property
    def url(self) -> str | None:
        """The run's page, of a run that is online."""
        return None if self._run is None or self._run.offline else self._run.url

    @property
    def mode(self) -> TrackingMode:
        """What became of the mode that was asked for; off also where W&B could not be started."""
        if self._run is None:
            return TrackingMode.off
        return TrackingMode.offline if self._run.offline else TrackingMode.online

    @property
    def is_whole(self) -> bool:
        """Of a finished run: whether all of it was uploaded, or offline kept."""
        return self._whole and self._written

    def log(self, metrics: Mapping[str, float | int]) -> None:
        """Add one row, at its `progress/step`; rows of one step become one."""
        row = dict(metrics)

        def add(run: "wandb.Run") -> None:
            if (step := int(row["progress/step"])) > self._after_step:
                run.log(row, step=step)

        self._later(add)

    def log_samples(self, step: int, samples: Sequence[Mapping[str, object]]) -> None:
        """Add texts to the table of all that the run wrote; each has `prompt`, `text` and `settings`."""
        rows = [_cells({**sample, "step": step}) for sample in samples]

        def add(_: object) -> None:
            self._table[step], self._table_due = rows, True

        self._later(add)

    def summarize(self, summary: Mapping[str, object]) -> None:
        """Set the final figures, under the names of the metrics where they are such."""
        figures = dict(summary)

        def set_figures(run: "wandb.Run") -> None:
            run.log({}, commit=True)  # the last row, which waits for more of its step, would overwrite them
            run.summary.update(figures)

        self._later(set_figures)

    def log_model(self, folder: Path, *, name: str, metadata: Mapping[str, object]) -> None:
        """Send a checkpoint's files as a model artifact; offline they are kept with the run, to be sent with it."""
        about = dict(metadata)

        def send(run: "wandb.Run") -> None:
            import wandb

            artifact = wandb.Artifact(name=name, type="model", metadata=about)
            artifact.add_dir(str(folder))
            run.log_artifact(artifact)

        self._later(send)

    def finish(self, *, exit_code: int) -> None:
        """Hand over what is left, for as long as the deadlines allow, and say how to send the rest."""
        if self._closed:
            return
        self._closed, self._exit_code = True, exit_code
        self._calls.put(None)
        ended = self._ended.wait(self._finish_timeout_seconds + 2 * GRACE_SECONDS)
        dropped = ended and not self._written and self.mode is TrackingMode.online
        if not ended or self._errors:
            abandon_service()
            self._written = False
        if dropped:  # rows of the middle, and W&B takes none of an earlier step
            log.warning(
                "W&B: rows are missing there; `%s` sends all, as a run of its own",
                upload_command(self._run_folder, anew=True),
            )
        elif not self.is_whole:
            log.warning("W&B: not all is there; `%s` sends the rest", upload_command(self._run_folder))
        elif self._run is not None and unsent_pieces(self._run):
            if not self._run.offline:  # all rows are there: what an earlier process kept would say them twice
                remove_pieces(unsent_pieces(self._run))
            elif self._sent_before:
                log.info("W&B: kept offline; `%s` uploads it", upload_command(self._run_folder))
            else:
                log.info("W&B: kept offline; `%s` uploads it", sync_command(self._run))

    def wait_until_begun(self, seconds: float) -> None:
        """Wait for the start, so that what it says comes first; a slower one goes on beside the training."""
        if not self._closed and not self._begun.wait(seconds):
            log.warning("W&B: no answer yet; the run goes on, its rows are kept")

    def _later(self, call: "Callable[[wandb.Run], object]") -> None:
        if self._closed or self._silent:
            return
        if self._calls.qsize() < MOST_WAITING:
            self._calls.put(call)
        else:
            self._failed(TimeoutError(f"{MOST_WAITING:,} rows wait for an answer"))

    @property
    def _silent(self) -> bool:
        return self._errors >= ERRORS_BEFORE_SILENCE

    def _failed(self, error: Exception) -> None:
        self._errors += 1
        if self._errors == ERRORS_BEFORE_SILENCE:
            log.warning("W&B: %s; after %d errors the run goes on without it", one_line(error), self._errors)

    def _work(self) -> None:
        """The thread: begin, make the calls in their order, finish."""
        assert self._begin is not None
        try:
            self._run = self._begin()
        except NoRunError as error:
            log.warning("W&B: %s; the run goes on without it", error)
            self._written = False
        if self._run is not None and self._earlier:
            try:
                self._catch_up(self._run)
            except Exception as error:
                self._failed(error)
        self._begun.set()
        while (call := self._calls.get()) is not None:
            if self._run is None or self._silent:
                continue
            try:
                call(self._run)
                if self._calls.empty() and len(self._table) >= self._next_table:
                    self._log_table(self._run)
            except Exception as error:  # whatever a tracker raises, a step is worth more
                self._failed(error)
        if self._run is not None and not self._silent:
            self._log_table(self._run)
            self._end(self._run)
        self._ended.set()

    def _catch_up(self, run: "wandb.Run") -> None:
        """Leave no gap and say nothing twice, however the run was cut off before.

        Online the server says which step it waits for. Offline the newest piece stands for the whole run, and those
        before, whose last rows a kill may have cost, are removed; but not once one of them was sent.
        """
        pieces = [piece for piece in pieces_of(run) if piece != Path(run.settings.sync_dir)]
        if not run.offline:
            self._after_step = run.step - 1
        elif self._sent_before or not all(is_unsent(piece) for piece in pieces):
            self._after_step = int(self._earlier[-1]["progress/step"])
        for row in self._earlier:
            if (step := int(row["progress/step"])) > self._after_step:
                run.log(dict(row), step=step)
        if run.offline and self._after_step < 0:
            remove_pieces(pieces)

    def _log_table(self, run: "wandb.Run") -> None:
        """Send the newest table, after the rows: the SDK asks the server first, for 19 s where there is none.

        The SDK keeps every table it was given, so a long one is sent again when it has grown by a tenth,
        and at the end.
        """
        if not self._table_due:
            return
        import wandb

        self._table_due = False
        self._next_table = len(self._table) + len(self._table) // TABLE_GROWTH
        rows = [row for _, rows in sorted(self._table.items()) for row in rows]
        table = wandb.Table(columns=list(SAMPLE_COLUMNS), data=rows)
        self._whole = within(GRACE_SECONDS, lambda: run.log({"samples": table}, commit=False))

    def _end(self, run: "wandb.Run") -> None:
        try:
            run.finish(exit_code=self._exit_code)
            self._whole = self._whole and is_uploaded(run)
            self._written = is_written(run)
        except TimeoutError:
            self._whole = False
        except Exception as error:
            self._failed(error)


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
    """Begin the mirror of the run in `folder`, online where that is wanted and possible, else offline.

    tags: beside those of the config.
    settings: the run's resolved settings and record, for W&B's config; never the process's environment.
    resumed_at: the step of the checkpoint that the run goes on from; rows of after it will be written again.
    is_done: the run is over, and figures are to be added to what is there.
    """
    if config.mode is TrackingMode.off:
        return WandbTracker(None, folder=folder, finish_timeout_seconds=config.finish_timeout_seconds)
    goes_on = resumed_at is not None
    resumed = ["resumed"] if goes_on and not is_done else []
    sent_before = was_online(folder, run_id)  # asked before this process may be
    begin = partial(
        begin_run,
        config,
        folder.resolve(),
        run_id=run_id,
        name=name,
        tags=[tag for tag in dict.fromkeys([*config.tags, *tags, *resumed]) if len(tag) <= LONGEST_TAG],
        settings=dict(settings),
        resumed=goes_on or is_done,
        sent_before=sent_before,
    )
    rows = read_metrics(RunFolder(folder)) if goes_on else []
    earlier = [row for row in rows if _step_of(row) <= (resumed_at or 0)]
    samples = read_samples(RunFolder(folder)) if goes_on else []
    tracker = WandbTracker(
        begin,
        folder=folder,
        finish_timeout_seconds=config.finish_timeout_seconds,
        samples=[msgspec.to_builtins(sample) for sample in samples if sample.step <= (resumed_at or 0)],
        earlier=earlier,
        sent_before=sent_before,
    )
    tracker.wait_until_begun(config.init_timeout_seconds + GRACE_SECONDS)
    return tracker


def _step_of(row: Mapping[str, Any]) -> int:
    return int(row.get("progress/step", 0))


def _cells(sample: Mapping[str, object]) -> list[object]:
    return [sample.get("step"), sample.get("prompt"), sample.get("text"), str(sample.get("settings"))]


def evaluation_metrics(result: Mapping[str, Any]) -> dict[str, float]:
    """The figures of an evaluation, under the names they have in W&B."""
    return {f"evaluation/{key}": value for key, value in result.items() if isinstance(value, int | float)}
