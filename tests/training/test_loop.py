"""The step and the loop, against a hand-written step and hand-counted losses."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tests.model.test_transformer import SMALL, VOCAB, build, tokens
from tinystories_lm.config.choices import Attention, DecayShape, OnWriteError, OptimizerKind
from tinystories_lm.config.schema import OptimizerConfig, ScheduleConfig, TrainingConfig
from tinystories_lm.data.batches import IGNORED, Batch, Batches, token_tensor, validation_batches
from tinystories_lm.hardware.machine import Machine
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.runs.checkpoint import Progress, named_state
from tinystories_lm.training.loop import (
    Recipe,
    StepResult,
    TrainingState,
    ValidationLoss,
    checkpoint_is_due,
    micro_batches,
    train,
    train_step,
    validate,
)
from tinystories_lm.training.loss import mean_loss
from tinystories_lm.training.optimizer import build_optimizer

CPU = torch.device("cpu")
MACHINE = Machine(
    name="cpu",
    device=CPU,
    dtype=torch.float32,
    residual=torch.float32,
    compile=False,
    attention=Attention.auto,
    threads=1,
    peak_flops_per_second=1e12,
    dollars_per_hour=0.0,
)
ADAMW = OptimizerConfig(
    kind=OptimizerKind.adamw,
    lr=1e-2,
    tuned_at_width=0,
    beta1=0.9,
    beta2=0.95,
    eps=1e-8,
    weight_decay=0.1,
    clip_grad_norm=0.5,
)


def training(**changes: object) -> TrainingConfig:
    values: dict[str, object] = {
        "seed": 0, "steps": 6, "batch_size": 4, "micro_batch_size": 2,
        "warmup_steps": 2, "log_every_steps": 1,
        "eval_every_steps": 2, "eval_tokens": 64, "checkpoint_every_steps": 3, "keep_checkpoints": 2, "max_hours": 1.0,
        "max_dollars": 1.0, "deterministic": False, "profile_steps": 0, "max_skipped_steps": 10,
        "on_write_error": OnWriteError.stop, "fresh": False, "init_from": None,
    }  # fmt: skip
    return TrainingConfig(**{**values, **changes})  # type: ignore[arg-type]


def batch(rows: int = 4) -> Batch:
    ids = tokens(rows, 17)
    return Batch(ids[:, :-1], ids[:, 1:])


@pytest.mark.parametrize("parts", [1, 4])
def test_a_step_equals_a_hand_written_one(parts: int) -> None:
    ours, theirs, data = build(wide=1.0), build(wide=1.0), batch()
    optimizer = build_optimizer(ours, ADAMW, device=CPU)
    result = train_step(
        ours, optimizer, micro_batches(data, 4 // parts), loss_of=mean_loss, clip_grad_norm=0.5, machine=MACHINE
    )
    logits = theirs(data.inputs_BT).log_softmax(-1)
    loss = -logits.gather(-1, data.targets_BT[..., None]).mean()
    gradients = torch.autograd.grad(loss, list(theirs.parameters()))
    norm = math.sqrt(sum(float(gradient.square().sum()) for gradient in gradients))
    assert norm > 0.5, "the clip is put to use"
    assert float(result.loss) == pytest.approx(loss.item(), rel=1e-5)
    assert float(result.gradient_norm) == pytest.approx(norm, rel=1e-4)
    for (name, weight), other, gradient in zip(ours.named_parameters(), theirs.parameters(), gradients, strict=True):
        clipped = gradient * 0.5 / norm
        decay = 0.1 if weight.dim() == 2 and not name.startswith(("embedding", "head")) else 0.0
        want = other * (1 - 1e-2 * decay) - 1e-2 * clipped / (clipped.abs() + 1e-8)
        torch.testing.assert_close(weight, want, atol=2e-4, rtol=1e-3)


def test_one_batch_can_be_learned_by_heart() -> None:
    model, data = Transformer(SMALL, vocab_size=VOCAB), batch()
    model.initialise(0)
    optimizer = build_optimizer(model, ADAMW, device=CPU)
    for _ in range(150):
        result = train_step(model, optimizer, [data], loss_of=mean_loss, clip_grad_norm=1.0, machine=MACHINE)
    assert float(result.loss) < 0.05


def test_validation_is_the_mean_over_all_targets_in_nats_and_in_bits_per_byte() -> None:
    model = build(wide=1.0)
    stream = torch.randint(VOCAB, (75,), generator=torch.Generator().manual_seed(1))
    split = token_tensor(stream.numpy().astype(np.uint16), CPU)
    lengths = np.arange(VOCAB)
    found = validate(
        model,
        validation_batches(split, eval_tokens=1000, context_tokens=16, batch_size=3, device=CPU),
        torch.from_numpy(lengths),
        MACHINE,
        loss_of=mean_loss,
    )
    nats = 0.0
    for first in range(0, 74, 16):
        row = stream[first : first + 17][None]
        nats += F.cross_entropy(model(row[:, :-1]).flatten(0, 1), row[0, 1:], reduction="sum").item()
    assert found.tokens == 74
    assert found.loss == pytest.approx(nats / 74, rel=1e-5)
    assert found.bits_per_byte == pytest.approx(nats / math.log(2) / lengths[stream[1:]].sum(), rel=1e-5)
    assert found.perplexity == pytest.approx(math.exp(nats / 74), rel=1e-4)


def test_ignored_targets_do_not_count() -> None:
    model, data = build(wide=1.0), batch(1)
    targets = data.targets_BT.clone()
    targets[:, 8:] = IGNORED
    short = mean_loss(model, Batch(data.inputs_BT[:, :8], data.targets_BT[:, :8]))
    torch.testing.assert_close(mean_loss(model, Batch(data.inputs_BT, targets)), short)


class Witness:
    """An observer that records what is reported to it."""

    def __init__(self, progress: Progress, stop_at: int = -1) -> None:
        self.progress, self.stop_at = progress, stop_at
        self.rates: list[float] = []
        self.losses: list[float] = []
        self.evaluated_at: list[int] = []
        self.saved_at: list[int] = []

    def after_step(self, rate: float, result: StepResult) -> None:
        self.rates.append(rate)
        self.losses.append(float(result.loss))

    def after_evaluation(self, validation: ValidationLoss) -> None:
        self.evaluated_at.append(self.progress.step)

    def save(self) -> None:
        self.saved_at.append(self.progress.step)

    def stop_requested(self) -> bool:
        return self.progress.step == self.stop_at


def run_loop(config: TrainingConfig, *, stop_at: int = -1) -> tuple[bool, Witness]:
    model = build(wide=1.0)
    stream = token_tensor(np.arange(1000, dtype=np.uint16) % VOCAB, CPU)
    witness = Witness(Progress(), stop_at)
    state = TrainingState(model, build_optimizer(model, ADAMW, device=CPU), witness.progress)
    recipe = Recipe(
        training=config,
        schedule=ScheduleConfig(decay_shape=DecayShape.linear, decay_fraction=1.0, final_lr_fraction=0.0),
        peak_lr=ADAMW.lr,
        clip_grad_norm=ADAMW.clip_grad_norm,
        batches=Batches(stream, context_tokens=16, sequences=config.sequences, seed=0, data_version=2),
        machine=MACHINE,
        loss_of=mean_loss,
    )
    finished = train(state, recipe, evaluate=lambda: ValidationLoss(1.0, 1.0, 1), observer=witness)
    return finished, witness


def test_the_loop_evaluates_at_the_start_in_between_and_at_the_end() -> None:
    finished, witness = run_loop(training(steps=5))
    assert finished
    assert witness.evaluated_at == [0, 2, 4, 5]
    assert witness.saved_at == [3, 5]
    assert witness.progress.tokens == 5 * 4 * 16
    assert witness.rates == pytest.approx([0.005, 0.01, 0.01 * 2 / 3, 0.01 / 3, 0.0])
    assert witness.losses[-1] < witness.losses[0]


def test_a_new_best_step_is_saved_between_two_intervals() -> None:
    config, progress = training(checkpoint_every_steps=4), Progress()
    saved = []
    for progress.step in range(7):
        progress.best_step = 3 if progress.step >= 3 else 0
        if checkpoint_is_due(progress, config):
            saved.append(progress.step)
    assert saved == [3, 4, 6]


def test_a_requested_stop_saves_where_it_stands() -> None:
    finished, witness = run_loop(training(), stop_at=4)
    assert not finished
    assert witness.saved_at == [3, 4]


def poison(model: Transformer, at_steps: set[int], value: float) -> None:
    """Write a non-finite `value` into one gradient entry at these backward passes."""
    passes = itertools.count()

    def spoil(gradient: torch.Tensor) -> torch.Tensor:
        if next(passes) in at_steps:
            gradient = gradient.clone()
            gradient[3, 4] = value
        return gradient

    model.get_parameter("blocks.1.mlp.up.weight").register_hook(spoil)


def everything(model: Transformer, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    state = dict(model.named_parameters()) | named_state(model, optimizer)
    return {name: tensor.detach().clone() for name, tensor in state.items()}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("kind", OptimizerKind)
def test_a_step_with_a_gradient_that_is_no_number_changes_nothing(kind: OptimizerKind, value: float) -> None:
    model = build(wide=1.0)
    optimizer = build_optimizer(model, dataclasses.replace(ADAMW, kind=kind), device=CPU)
    poison(model, {1}, value)
    seen = [everything(model, optimizer)]
    for seed in range(3):
        result = train_step(model, optimizer, [batch()], loss_of=mean_loss, clip_grad_norm=1.0, machine=MACHINE)
        assert math.isfinite(result.loss) and math.isfinite(result.gradient_norm) == (seed != 1)
        seen.append(everything(model, optimizer))
    assert all(torch.equal(seen[1][name], seen[2][name]) for name in seen[1]), "also the optimizer's moments and steps"
    assert not any(torch.equal(seen[2][name], seen[3][name]) for name in model.state_dict())
    assert all(torch.isfinite(tensor).all() for tensor in seen[3].values())
