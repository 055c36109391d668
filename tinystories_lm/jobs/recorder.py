"""A run's diary: rows, samples and checkpoints in its folder, their copy in W&B, and the watcher's terminal."""

import dataclasses
import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn, optim

from tinystories_lm.config.choices import OnWriteError
from tinystories_lm.config.schema import TrainingConfig
from tinystories_lm.generation.text import Sample
from tinystories_lm.hardware.machine import Machine
from tinystories_lm.runs.checkpoint import Progress, save_checkpoint
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.system import failpoints
from tinystories_lm.system.console import ProgressBar, amount, duration, plain
from tinystories_lm.system.errors import CannotWriteError, DivergedError
from tinystories_lm.system.jsonl import JsonlWriter
from tinystories_lm.tracking.wandb_tracker import WandbTracker
from tinystories_lm.training.loop import StepResult, ValidationLoss
from tinystories_lm.training.loss import perplexity

MOST_WAITING_BYTES = 10_000_000  # of rows that a full disk keeps back

log = logging.getLogger(__name__)


class RunRecorder:
    """The training loop's observer."""

    def __init__(
        self,
        folder: RunFolder,
        model: nn.Module,
        optimizer: optim.Optimizer,
        progress: Progress,
        *,
        config: TrainingConfig,
        machine: Machine,
        flops_per_token: float,
        run_id: str,
        tracker: WandbTracker,
        write_samples: Callable[[], list[Sample]],
        stop_requested: Callable[[], bool],
        origin: Callable[[int], str],
        step_taken: Callable[[], None] = lambda: None,
    ) -> None:
        self.folder, self.model, self.optimizer, self.progress = folder, model, optimizer, progress
        self.config, self.machine, self.run_id = config, machine, run_id
        self.flops_per_token = flops_per_token
        self.tracker, self.write_samples = tracker, write_samples
        self.stop_requested, self.origin, self.step_taken = stop_requested, origin, step_taken
        self.metrics = JsonlWriter(folder.metrics, keep_bytes=progress.metrics_bytes, sha256=progress.metrics_sha256)
        self.samples = JsonlWriter(folder.samples, keep_bytes=progress.samples_bytes, sha256=progress.samples_sha256)
        self.bar = ProgressBar(steps=config.steps, first=progress.step)
        self._marks = {"progress/pieces": progress.pieces} if progress.pieces > 1 else {}  # for the next row alone
        self._untracked: dict[str, float | int] = {}  # a row that the evaluation of its step adds to
        self._pending: list[StepResult] = []  # steps whose results are still on the device
        self._first_step, self._first_seconds = progress.step, progress.train_seconds
        self._clock = self._speed_clock = time.perf_counter()
        self._speed_tokens = progress.tokens  # so many when the clock was started
        self._tokens_per_second = 0.0
        self._saved_step = progress.step or None  # of the newest checkpoint, and with all that is known of that step
        self._may_wait = config.on_write_error is not OnWriteError.stop

    def trained(self, rate: float, result: StepResult) -> None:
        failpoints.hit("step", self.folder.path)
        self._pending.append(result)
        self.bar.step()
        self.step_taken()
        if self.progress.step % self.config.log_every_steps and self.progress.step != self.config.steps:
            return
        norm = self._read_results()
        progress = self.progress
        seconds = time.perf_counter() - self._speed_clock
        self._tokens_per_second = (self.progress.tokens - self._speed_tokens) / seconds
        self._restart_speed_clock()
        loss = progress.loss_sum / progress.loss_steps if progress.loss_steps else None
        progress.loss_sum, progress.loss_steps = 0.0, 0
        flops_per_second = self._tokens_per_second * self.flops_per_token
        row: dict[str, float | None] = {
            "train/loss": loss,
            "optimizer/lr": rate,
            "optimizer/grad_norm": norm,
            "progress/skipped_steps": progress.skipped_steps or None,
            "speed/tokens_per_second": self._tokens_per_second,
            "speed/mfu": flops_per_second / self.machine.peak_flops_per_second,
        }
        self._write_row({name: value for name, value in row.items() if value is not None})
        if loss is None:
            return
        self.bar.show(f" loss {loss:.3f} perplexity {plain(perplexity(loss))} {self._speed_and_cost()}")
        if self.bar.line_is_due():
            log.info("%s | train loss %.4f | %s", self._where(), loss, self._speed_and_cost())

    def evaluated(self, validation: ValidationLoss) -> None:
        progress = self.progress
        if not math.isfinite(validation.loss):
            raise self._diverged(progress.step, f"the validation loss is {validation.loss}")
        progress.val_step, progress.val_loss = progress.step, validation.loss
        self._saved_step = None
        progress.val_bits_per_byte = validation.bits_per_byte
        self._write_row(
            {
                "val/loss": validation.loss,
                "val/perplexity": validation.perplexity,
                "val/bits_per_byte": validation.bits_per_byte,
            }
        )
        log.info(
            "%s | val loss %.4f | perplexity %s | %s%s",
            self._where(),
            validation.loss,
            plain(validation.perplexity),
            self._speed_and_cost(),
            self._time_left(),
        )
        self.bar.line_written()
        self._write_samples()
        self._restart_speed_clock()

    def save(self) -> None:
        """Write a checkpoint, at the second try where the first one fails.

        Raises CannotWriteError, but where the run is to continue only for the last one and that of a requested stop.
        """
        self._read_results()
        if self.progress.step == self._saved_step:
            return
        before = self.progress.best_loss, self.progress.best_step
        try:
            try:
                self._save()
            except CannotWriteError as error:  # a network's file system may only have coughed
                log.warning("%s; trying once more", error)
                self._save()
        except CannotWriteError as error:
            self.progress.best_loss, self.progress.best_step = before
            if not self._may_wait or self.progress.step == self.config.steps or self.stop_requested():
                raise
            log.warning("%s; going on without a checkpoint of step %s", error, f"{self.progress.step:,}")
        else:
            self._saved_step = self.progress.step
        self._restart_speed_clock()

    def _save(self) -> None:
        progress = self.progress
        self._count_time()
        regular = progress.step % self.config.checkpoint_every_steps == 0 or progress.step == self.config.steps
        if regular and progress.val_loss is not None and progress.val_step == progress.step:  # a stop changes no choice
            progress.best_loss, progress.best_step = min(
                (progress.val_loss, progress.step), (progress.best_loss or math.inf, progress.best_step)
            )
        self.metrics.sync()
        self.samples.sync()
        progress.metrics_bytes, progress.metrics_sha256 = self.metrics.size_bytes, self.metrics.sha256
        progress.samples_bytes, progress.samples_sha256 = self.samples.size_bytes, self.samples.sha256
        save_checkpoint(
            self.folder.checkpoints,
            self.model,
            self.optimizer,
            progress,
            run_id=self.run_id,
            keep=self.config.keep_checkpoints,
        )

    def close(self) -> None:
        if not self.stop_requested():
            self._log_to_tracker()
        self.bar.close()
        self.metrics.close()
        self.samples.close()

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

    def _diverged(self, step: int, what: str) -> DivergedError:
        return DivergedError(
            f"diverged at step {step}: {what}; it begins in {self.origin(step)}; the last good checkpoint is kept: "
            "try a lower optimizer.lr or a longer training.warmup_steps"
        )

    def _write_row(self, values: dict[str, float]) -> None:
        progress = self.progress
        self._count_time()
        row: dict[str, float | int] = {
            "progress/step": progress.step,
            "progress/tokens": progress.tokens,
            "progress/flops": progress.tokens * self.flops_per_token,
            **values,
            **self._marks,
            "cost/usd": progress.dollars,
            "time/train_seconds": progress.train_seconds,
        }
        self._marks = {}
        self._append(self.metrics, row)
        self._untracked |= row
        if not self._evaluation_is_due:
            self._log_to_tracker()

    @property
    def _evaluation_is_due(self) -> bool:
        """Whether this step's row is not all: W&B takes nothing more of a step after a stop has sent it."""
        progress = self.progress
        asked = progress.step % self.config.eval_every_steps == 0 or progress.step == self.config.steps
        return asked and not (progress.val_loss is not None and progress.val_step == progress.step)

    def _log_to_tracker(self) -> None:
        if self._untracked:
            self.tracker.log(self._untracked)
            self._untracked = {}

    def _append(self, records: JsonlWriter, row: Mapping[str, Any]) -> None:
        """Write a row; one that cannot be written waits for the next one, or for the checkpoint, which needs them all.

        Raises CannotWriteError unless the run is to continue, and when more rows wait than memory is for.
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
        samples = [dataclasses.asdict(sample) for sample in self.write_samples()]
        for sample in samples:
            self._append(self.samples, {"step": self.progress.step, **sample})
        if samples and self.progress.step:
            log.info("    %s", " ".join(str(samples[0]["text"]).split()))
        self.tracker.log_samples(self.progress.step, samples)

    def _count_time(self) -> None:
        now = time.perf_counter()
        seconds, self._clock = now - self._clock, now
        self.progress.train_seconds += seconds
        self.progress.dollars += seconds / 3600 * self.machine.dollars_per_hour

    def _restart_speed_clock(self) -> None:
        """Speed is that of the steps alone: evaluation, sampling and saving are left out."""
        self._speed_clock, self._speed_tokens = time.perf_counter(), self.progress.tokens

    def _where(self) -> str:
        return f"step {self.progress.step:,}/{self.config.steps:,}"

    def _speed_and_cost(self) -> str:
        if not self._tokens_per_second:
            return f"${self.progress.dollars:.2f}"
        return f"{amount(self._tokens_per_second)} tokens/s | ${self.progress.dollars:.2f}"

    def _time_left(self) -> str:
        done, left = self.progress.step - self._first_step, self.config.steps - self.progress.step
        if not done or not left:
            return ""
        seconds = (self.progress.train_seconds - self._first_seconds) / done * left
        return f" | {duration(seconds)} left"
