"""Record a run during training: metrics, samples and checkpoints on disk, a copy in W&B, and log lines."""

import dataclasses
import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from tinystories_lm.config.choices import OnWriteError
from tinystories_lm.jobs.checkpoint_writer import CheckpointWriter, with_one_retry
from tinystories_lm.jobs.clock import RunClock
from tinystories_lm.jobs.workspace import Workspace
from tinystories_lm.runs.checkpoint import take_snapshot
from tinystories_lm.system import failpoints
from tinystories_lm.system.console import ProgressBar, plain
from tinystories_lm.system.errors import CannotWriteError, DivergedError
from tinystories_lm.system.jsonl import JsonlWriter
from tinystories_lm.tracking.wandb_tracker import WandbTracker
from tinystories_lm.training.loop import StepResult, ValidationLoss, evaluation_is_due
from tinystories_lm.training.loss import perplexity

MOST_WAITING_BYTES = 10_000_000  # limit of the rows kept in memory while the disk is full

log = logging.getLogger(__name__)


class RunRecorder:
    """Records what the training loop reports after each step and evaluation."""

    def __init__(
        self,
        work: Workspace,
        tracker: WandbTracker,
        *,
        stop_requested: Callable[[], bool],
        profile_step: Callable[[], None],
    ) -> None:
        self.work, self.tracker = work, tracker
        self.stop_requested, self.profile_step = stop_requested, profile_step
        self.run, self.config, self.progress = work.run, work.config.training, work.state.progress
        progress = self.progress
        self.metrics = JsonlWriter(self.run.metrics, keep_bytes=progress.metrics_bytes, sha256=progress.metrics_sha256)
        self.samples = JsonlWriter(self.run.samples, keep_bytes=progress.samples_bytes, sha256=progress.samples_sha256)
        self.bar = ProgressBar(steps=self.config.steps, first=progress.step)
        self.clock = RunClock(progress, dollars_per_hour=work.machine.dollars_per_hour)
        self._next_row_extra = {"progress/pieces": progress.segments} if progress.segments > 1 else {}  # for one row
        self._untracked_row: dict[str, float | int] = {}  # a row not yet sent to W&B: its evaluation adds to it
        self._writer = CheckpointWriter(
            self.run.checkpoints, run_id=work.record.run_id, keep=self.config.keep_checkpoints
        )
        self._pending: list[StepResult] = []  # steps whose results are still on the device
        self._saved_step = progress.step or None  # the newest checkpoint's step; None if an evaluation followed it
        self._previous_best = progress.best_loss, progress.best_step  # restored if the best step's checkpoint fails
        self._continue_on_error = self.config.on_write_error is not OnWriteError.stop

    def after_step(self, rate: float, result: StepResult) -> None:
        """Keep the step's result and, every `log_every_steps`, write a row with the mean loss.

        Raises DivergedError after too many consecutive steps with a non-finite loss or gradient.
        """
        failpoints.hit("step", self.run.path)
        self._pending.append(result)
        self.bar.step()
        self.profile_step()
        if self.progress.step % self.config.log_every_steps and self.progress.step != self.config.steps:
            return
        if self._writer.is_done:
            self._finish_saving()
        norm = self._read_results()
        loss = self._pop_mean_loss()
        speed = self.clock.measure_speed()
        row: dict[str, float | None] = {
            "train/loss": loss,
            "optimizer/lr": rate,
            "optimizer/grad_norm": norm,
            "progress/skipped_steps": self.progress.skipped_steps or None,
            "speed/tokens_per_second": speed,
            "speed/mfu": speed * self.work.flops_per_token / self.work.machine.peak_flops_per_second,
        }
        self._write_row({name: value for name, value in row.items() if value is not None})
        if loss is None:
            return
        self.bar.show(f" loss {loss:.3f} perplexity {plain(perplexity(loss))} {self.clock.speed_and_cost()}")
        if self.bar.line_is_due():
            log.info("%s | train loss %.4f | %s", self._step_of_steps(), loss, self.clock.speed_and_cost())

    def after_evaluation(self, validation: ValidationLoss) -> None:
        """Write a row with the validation loss, then samples; raise DivergedError if the loss is not finite."""
        progress = self.progress
        if not math.isfinite(validation.loss):
            raise self._diverged(progress.step, f"the validation loss is {validation.loss}")
        self._finish_saving()  # it may be that of the best step, which this one may replace
        progress.val_step, progress.val_loss = progress.step, validation.loss
        progress.val_bits_per_byte = validation.bits_per_byte
        if progress.step and validation.loss < (math.inf if progress.best_loss is None else progress.best_loss):
            self._previous_best = progress.best_loss, progress.best_step
            progress.best_loss, progress.best_step = validation.loss, progress.step
        self._saved_step = None
        self._write_row(
            {
                "val/loss": validation.loss,
                "val/perplexity": validation.perplexity,
                "val/bits_per_byte": validation.bits_per_byte,
            }
        )
        shown = [f"val loss {validation.loss:.4f}", f"perplexity {plain(validation.perplexity)}"]
        shown += [self.clock.speed_and_cost(), self.clock.time_left(self.config.steps)]
        log.info("%s", " | ".join([self._step_of_steps(), *filter(None, shown)]))
        self.bar.line_written()
        self._write_samples()
        self.clock.restart_speed()

    def save(self) -> None:
        """Begin to write a checkpoint beside the next steps; wait for that of the last step or of a requested stop.

        Raises CannotWriteError, after one retry, for a checkpoint that is waited for; for any other at the next row,
        evaluation or checkpoint, unless on_write_error=continue.
        """
        self._read_results()
        if self.progress.step != self._saved_step:
            self._finish_saving()
            self._begin_saving()
            self.clock.restart_speed()
        if self.progress.step == self.config.steps or self.stop_requested():
            self._finish_saving()

    def close(self) -> None:
        if not self.stop_requested():
            self._log_to_tracker()
        self._writer.close()
        self.bar.close()
        self.metrics.close()
        self.samples.close()

    def _begin_saving(self) -> None:
        progress = self.progress
        self.clock.count()
        try:
            with_one_retry(self._sync_rows)
        except CannotWriteError as error:
            self._continue_without(progress.step, error)
            return
        progress.metrics_bytes, progress.metrics_sha256 = self.metrics.size_bytes, self.metrics.sha256
        progress.samples_bytes, progress.samples_sha256 = self.samples.size_bytes, self.samples.sha256
        self._writer.begin(take_snapshot(self.work.state.model, self.work.state.optimizer, progress))
        self._saved_step = progress.step

    def _sync_rows(self) -> None:
        self.metrics.sync()
        self.samples.sync()

    def _finish_saving(self) -> None:
        """Wait for the checkpoint that is being written; raise CannotWriteError where it is required."""
        step = self._writer.step
        try:
            self._writer.wait()
        except CannotWriteError as error:
            assert step is not None
            self._continue_without(step, error)

    def _continue_without(self, step: int, error: CannotWriteError) -> None:
        """Warn of a checkpoint that could not be written; raise the error where the run may not continue without it."""
        progress = self.progress
        if progress.best_step == step:  # best_step must have a checkpoint
            progress.best_loss, progress.best_step = self._previous_best
        self._saved_step = None
        is_required = step == progress.step and (step == self.config.steps or self.stop_requested())
        if is_required or not self._continue_on_error:
            raise error
        log.warning("%s; training continues without a checkpoint of step %s", error, f"{step:,}")

    def _read_results(self) -> float | None:
        """Fetch the pending results from the device; return the newest finite gradient norm.

        Raises DivergedError, naming the first non-finite tensor, after too many consecutive non-finite steps.
        """
        if not self._pending:
            return None
        progress, first = self.progress, self.progress.step - len(self._pending) + 1
        results = torch.stack([torch.stack(result) for result in self._pending]).tolist()
        self._pending.clear()
        newest_norm = None
        for step, (loss, norm) in enumerate(results, start=first):
            if math.isfinite(loss) and math.isfinite(norm):
                newest_norm, progress.skipped_in_a_row = norm, 0
                progress.loss_sum += loss
                progress.loss_steps += 1
                continue
            progress.skipped_steps += 1
            progress.skipped_in_a_row += 1
            numbers = f"the loss is {loss:.4g}, the gradient's norm {norm:.4g}"
            log.warning("step %s skipped: %s", f"{step:,}", numbers)
            if progress.skipped_in_a_row > self.config.max_skipped_steps:
                raise self._diverged(step, f"{numbers}, and so {progress.skipped_in_a_row} times in a row")
        return newest_norm

    def _pop_mean_loss(self) -> float | None:
        """Return the mean of the finite losses since the last row and reset it; None if there were none."""
        progress = self.progress
        loss = progress.loss_sum / progress.loss_steps if progress.loss_steps else None
        progress.loss_sum, progress.loss_steps = 0.0, 0
        return loss

    def _diverged(self, step: int, what: str) -> DivergedError:
        return DivergedError(
            f"diverged at step {step}: {what}; it begins in {self.work.first_nonfinite(step)}; "
            "the last good checkpoint is kept: try a lower optimizer.lr or a longer training.warmup_steps"
        )

    def _write_row(self, values: dict[str, float]) -> None:
        progress = self.progress
        self.clock.count()
        row: dict[str, float | int] = {
            "progress/step": progress.step,
            "progress/tokens": progress.tokens,
            "progress/flops": progress.tokens * self.work.flops_per_token,
            **values,
            **self._next_row_extra,
            "cost/usd": progress.dollars,
            "time/train_seconds": progress.train_seconds,
        }
        self._next_row_extra = {}
        self._append(self.metrics, row)
        self._untracked_row |= row
        if not evaluation_is_due(progress, self.config):  # W&B cannot add to a step whose row it has
            self._log_to_tracker()

    def _log_to_tracker(self) -> None:
        if self._untracked_row:
            self.tracker.log(self._untracked_row)
            self._untracked_row = {}

    def _append(self, records: JsonlWriter, row: Mapping[str, Any]) -> None:
        """Write a row; with on_write_error=continue keep a row that cannot be written in memory until the next.

        Raises CannotWriteError without that setting, or if more than MOST_WAITING_BYTES are unwritten.
        """
        had_unwritten = bool(records.unwritten_bytes)
        try:
            records.append(row)
        except CannotWriteError as error:
            if not self._continue_on_error or records.unwritten_bytes > MOST_WAITING_BYTES:
                raise
            if not had_unwritten:
                log.warning("%s; its rows wait in memory", error)

    def _write_samples(self) -> None:
        samples = [dataclasses.asdict(sample) for sample in self.work.write_samples()]
        for sample in samples:
            self._append(self.samples, {"step": self.progress.step, **sample})
        if samples and self.progress.step:
            log.info("    %s", " ".join(str(samples[0]["text"]).split()))
        self.tracker.log_samples(self.progress.step, samples)

    def _step_of_steps(self) -> str:
        return f"step {self.progress.step:,}/{self.config.steps:,}"
