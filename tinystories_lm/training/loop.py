"""Train: the loop over steps, one step, and validation.

Shapes: B batch, T tokens, V vocabulary.
"""

import math
import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from tinystories_lm.config.schema import ScheduleConfig, TrainingConfig
from tinystories_lm.data.batches import IGNORED, Batch, Batches
from tinystories_lm.hardware.machine import Machine
from tinystories_lm.runs.checkpoint import Progress
from tinystories_lm.training.loss import LossOf, perplexity
from tinystories_lm.training.optimizer import step_if
from tinystories_lm.training.schedule import learning_rate, set_learning_rate


class StoppedError(Exception):
    """A stop was requested; the weights and the optimizer are those after the last whole step."""


def until_stopped(batches: Iterable[Batch], stop_requested: Callable[[], bool]) -> Iterator[Batch]:
    """Yield the batches; raise StoppedError before the next one once a stop is requested."""
    for batch in batches:
        if stop_requested():
            raise StoppedError
        yield batch


class StepResult(NamedTuple):
    loss: Tensor  # mean nats per token, over the whole batch
    gradient_norm: Tensor  # before clipping


class ValidationLoss(NamedTuple):
    loss: float  # mean nats per token
    bits_per_byte: float
    tokens: int

    @property
    def perplexity(self) -> float:
        return perplexity(self.loss)


@dataclass
class TrainingState:
    """What training changes, and what a checkpoint keeps of it."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    progress: Progress


@dataclass(frozen=True)
class Recipe:
    """What decides each step beside the state."""

    training: TrainingConfig
    schedule: ScheduleConfig
    peak_lr: float
    clip_grad_norm: float
    batches: Batches
    machine: Machine
    loss_of: LossOf


class Observer(Protocol):
    """What is done with the loop's results: rows, checkpoints, a line on the terminal."""

    def after_step(self, rate: float, result: StepResult) -> None: ...
    def after_evaluation(self, validation: ValidationLoss) -> None: ...
    def save(self) -> None: ...
    def stop_requested(self) -> bool: ...


def train(state: TrainingState, recipe: Recipe, *, evaluate: Callable[[], ValidationLoss], observer: Observer) -> bool:
    """Take the steps from `progress.step` to `training.steps`; return whether all of them were taken.

    A requested stop is obeyed between two micro-batches, of a step or of an evaluation, which is repeated when the run
    is resumed. Every step is a function of the weights, the optimizer, the seed and the step's number: a run that is
    stopped between any two steps and resumed ends with the same weights.

    A step without a finite loss and gradient is skipped; the observer ends the run after too many of them.
    """
    progress, training = state.progress, recipe.training
    try:
        while True:
            if evaluation_is_due(progress, training):
                observer.after_evaluation(evaluate())
            if checkpoint_is_due(progress, training):
                observer.save()
            if progress.step == training.steps:
                return True
            rate = learning_rate(
                progress.step,
                peak=recipe.peak_lr,
                warmup_steps=training.warmup_steps,
                steps=training.steps,
                schedule=recipe.schedule,
            )
            set_learning_rate(state.optimizer, rate)
            batch = recipe.batches.batch(progress.step, device=recipe.machine.device)
            result = train_step(
                state.model,
                state.optimizer,
                micro_batches(batch, training.micro_batch_size),
                loss_of=recipe.loss_of,
                clip_grad_norm=recipe.clip_grad_norm,
                machine=recipe.machine,
                stop_requested=observer.stop_requested,
            )
            progress.step += 1
            progress.tokens += batch.inputs_BT.numel()
            observer.after_step(rate, result)
    except StoppedError:
        observer.save()
        return False


def evaluation_is_due(progress: Progress, training: TrainingConfig) -> bool:
    """Return whether the weights of this step are to be evaluated and have not been."""
    evaluated = progress.val_loss is not None and progress.val_step == progress.step
    return not evaluated and (progress.step == training.steps or progress.step % training.eval_every_steps == 0)


def checkpoint_is_due(progress: Progress, training: TrainingConfig) -> bool:
    """Return whether this step is to be kept: at each interval, at a new lowest validation loss, and at the end."""
    at_interval = progress.step > 0 and progress.step % training.checkpoint_every_steps == 0
    is_best = progress.step > 0 and progress.step == progress.best_step
    return at_interval or is_best or progress.step == training.steps


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    parts: list[Batch],
    *,
    loss_of: LossOf,
    clip_grad_norm: float,
    machine: Machine,
    stop_requested: Callable[[], bool] = lambda: False,
) -> StepResult:
    """Take one optimizer step on the mean loss over micro-batches of equal size.

    A step whose loss or gradient is not finite changes nothing, because one such number would spread to every weight.

    Raises StoppedError if a stop is requested before the last micro-batch; weights and optimizer are then unchanged.
    """
    optimizer.zero_grad(set_to_none=True)  # drops the gradients of a step that was stopped
    total = torch.zeros((), device=machine.device)
    for part in until_stopped(parts, stop_requested):
        with machine.computing():
            loss = loss_of(model, part) / len(parts)
        loss.backward()
        total += loss.detach()
    norm = nn.utils.clip_grad_norm_(model.parameters(), clip_grad_norm)
    step_if(torch.isfinite(norm) & torch.isfinite(total), optimizer)
    optimizer.zero_grad(set_to_none=True)
    return StepResult(total, norm)


def micro_batches(batch: Batch, size: int) -> list[Batch]:
    """Split a batch into parts of `size` sequences."""
    pairs = zip(batch.inputs_BT.split(size), batch.targets_BT.split(size), strict=True)
    return [Batch(inputs, targets) for inputs, targets in pairs]


def validate(
    model: nn.Module, batches: Iterable[Batch], token_bytes_V: Tensor, machine: Machine, *, loss_of: LossOf
) -> ValidationLoss:
    """Return the mean loss over all targets, and the same in bits per byte of the text that they encode.

    token_bytes_V: the length of each token's text in bytes, on the machine's device; bits per byte can be compared
        between tokenizers.
    loss_of: if compiled, it is called with gradients enabled, though none is computed: it then reuses the graph of the
        training steps instead of compiling another.
    """
    found: list[Tensor] = []
    for batch in batches:
        scored_BT = batch.targets_BT != IGNORED
        with machine.computing(), torch.set_grad_enabled(machine.compile):
            loss = loss_of(model, batch).detach()
        text_bytes = (token_bytes_V[batch.targets_BT * scored_BT] * scored_BT).sum()
        found.append(torch.stack((loss, scored_BT.sum().float(), text_bytes.float())))
    losses, counts, lengths = torch.stack(found).T.tolist()  # the only wait for the device
    nats, tokens = sum(map(operator.mul, losses, counts)), int(sum(counts))
    return ValidationLoss(nats / tokens, nats / math.log(2) / max(1, sum(lengths)), tokens)
