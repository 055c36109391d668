"""Record a run while it trains: its rows, samples and checkpoints, their copy in W&B, and lines on the terminal."""

import dataclasses
import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from tinystories_lm.config.choices import OnWriteError
from tinystories_lm.jobs.clock import RunClock
from tinystories_lm.jobs.workspace import Workspace
from tinystories_lm.runs.checkpoint import save_checkpoint
from tinystories_lm.system import failpoints
from tinystories_lm.system.console import ProgressBar, plain
from tinystories_lm.system.errors import CannotWriteError, DivergedError
from tinystories_lm.system.jsonl import JsonlWriter
from tinystories_lm.tracking.wandb_tracker import WandbTracker
from tinystories_lm.training.loop import StepResult, ValidationLoss, evaluation_is_due
from tinystories_lm.training.loss import perplexity

MOST_WAITING_BYTES = 10_000_000  # of rows that are kept in memory while the disk is full

log = logging.getLogger(__name__)


class RunRecorder:
    """The training loop's observer."""

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
        self._marks = {"progress/pieces": progress.segments} if progress.segments > 1 else {}  # of the next row alone
        self._untracked: dict[str, float | int] = {}  # a row that the evaluation of its step adds to
        self._pending: list[StepResult] = []  # steps whose results are still on the device
        self._saved_step = progress.step or None  # of the newest checkpoint, if it holds all that is known of the step
        self._best_before = progress.best_loss, progress.best_step  # of the newest best
        self._may_wait = self.config.on_write_error is not OnWriteError.stop

    def after_step(self, rate: float, result: StepResult) -> None:
        """Keep the step's result; every `log_every_steps` write a row of their mean.

        Raises DivergedError after too many steps in a row without finite numbers.
        """
        failpoints.hit("step", self.run.path)
        self._pending.append(result)
        self.bar.step()
        self.profile_step()
        if self.progress.step % self.config.log_every_steps and self.progress.step != self.config.steps:
            return
        norm = self._read_results()
        loss = self._mean_loss()
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
        """Write a row of the validation loss, and samples; raises DivergedError for a loss that is not finite."""
        progress = self.progress
        if not math.isfinite(validation.loss):
            raise self._diverged(progress.step, f"the validation loss is {validation.loss}")
        progress.val_step, progress.val_loss = progress.step, validation.loss
        progress.val_bits_per_byte = validation.bits_per_byte
        if progress.step and validation.loss < (math.inf if progress.best_loss is None else progress.best_loss):
            self._best_before = progress.best_loss, progress.best_step
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
        """Write a checkpoint, and try once more where that fails.

        Raises CannotWriteError; with on_write_error=continue only for the last checkpoint and that of a requested stop.
        """
        self._read_results()
        if self.progress.step == self._saved_step:
            return
        try:
            self._save_or_try_again()
        except CannotWriteError as error:
            if self.progress.best_step == self.progress.step:  # the best is a step that has a checkpoint
                self.progress.best_loss, self.progress.best_step = self._best_before
            if not self._may_wait or self.progress.step == self.config.steps or self.stop_requested():
                raise
            log.warning("%s; training continues without a checkpoint of step %s", error, f"{self.progress.step:,}")
        else:
            self._saved_step = self.progress.step
        self.clock.restart_speed()

    def close(self) -> None:
        if not self.stop_requested():
            self._log_to_tracker()
        self.bar.close()
        self.metrics.close()
        self.samples.close()

    def _save_or_try_again(self) -> None:
        try:
            self._save()
        except CannotWriteError as error:  # a network's file system may have failed for a moment
            log.warning("%s; trying once more", error)
            self._save()

    def _save(self) -> None:
        progress = self.progress
        self.clock.count()
        self.metrics.sync()
        self.samples.sync()
        progress.metrics_bytes, progress.metrics_sha256 = self.metrics.size_bytes, self.metrics.sha256
        progress.samples_bytes, progress.samples_sha256 = self.samples.size_bytes, self.samples.sha256
        save_checkpoint(
            self.run.checkpoints,
            self.work.state.model,
            self.work.state.optimizer,
            progress,
            run_id=self.work.record.run_id,
            keep=self.config.keep_checkpoints,
        )

    def _read_results(self) -> float | None:
        """Fetch the pending steps' losses from the device; returns the newest finite gradient norm.

        Raises DivergedError, with the tensor where it began, after too many steps in a row without finite numbers.
        """
        if not self._pending:
            return None
        progress, first = self.progress, self.progress.step - len(self._pending) + 1
        found = torch.stack([torch.stack(result) for result in self._pending]).tolist()
        self._pending.clear()
        newest = None
        for step, (loss, norm) in enumerate(found, start=first):
            if math.isfinite(loss) and math.isfinite(norm):
                newest, progress.skipped_in_a_row = norm, 0
                progress.loss_sum += loss
                progress.loss_steps += 1
                continue
            progress.skipped_steps += 1
            progress.skipped_in_a_row += 1
            numbers = f"the loss is {loss:.4g}, the gradient's norm {norm:.4g}"
            log.warning("step %s skipped: %s", f"{step:,}", numbers)
            if progress.skipped_in_a_row > self.config.max_skipped_steps:
                raise self._diverged(step, f"{numbers}, and so {progress.skipped_in_a_row} times in a row")
        return newest

    def _mean_loss(self) -> float | None:
        """Return the mean of the finite losses since the last row, and forget them; None where there were none."""
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
            **self._marks,
            "cost/usd": progress.dollars,
            "time/train_seconds": progress.train_seconds,
        }
        self._marks = {}
        self._append(self.metrics, row)
        self._untracked |= row
        if not evaluation_is_due(progress, self.config):  # W&B takes nothing more of a step once its row is sent
            self._log_to_tracker()

    def _log_to_tracker(self) -> None:
        if self._untracked:
            self.tracker.log(self._untracked)
            self._untracked = {}

    def _append(self, records: JsonlWriter, row: Mapping[str, Any]) -> None:
        """Write a row; with on_write_error=continue a row that cannot be written waits in memory for the next one.

        Raises CannotWriteError without that setting, and when more rows wait than MOST_WAITING_BYTES.
        """
        others_wait = bool(records.unwritten_bytes)
        try:
            records.append(row)
        except CannotWriteError as error:
            if not self._may_wait or records.unwritten_bytes > MOST_WAITING_BYTES:
                raise
            if not others_wait:
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
