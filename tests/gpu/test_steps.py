"""Batches and training steps on the device, against a hand-written step, the CPU, and what must not change."""

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.model.test_transformer import SMALL, VOCAB, build, tokens, with_
from tests.training.test_loop import ADAMW, everything, poison
from tinystories_lm.config.choices import Attention, OptimizerKind
from tinystories_lm.data.batches import Batch, Batches, token_tensor, validation_batches
from tinystories_lm.hardware.machine import Machine
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.training.compile import compile_loss
from tinystories_lm.training.loop import StepResult, micro_batches, train_step
from tinystories_lm.training.loss import LossOf, mean_loss
from tinystories_lm.training.optimizer import build_optimizer

CPU = torch.device("cpu")
LEARNING = with_(SMALL, d_model=64, d_ff=128, n_heads=2)
each_optimizer = pytest.mark.parametrize("kind", OptimizerKind)


def batch(device: torch.device, *, rows: int = 4, seed: int = 0) -> Batch:
    ids = tokens(rows, 17, seed=seed).to(device)
    return Batch(ids[:, :-1], ids[:, 1:])


class Trainee:
    """A model and its optimizer on a machine."""

    def __init__(self, machine: Machine, kind: OptimizerKind = OptimizerKind.adamw) -> None:
        self.machine, self.model = machine, build(wide=1.0).to(machine.device)
        self.optimizer = build_optimizer(self.model, dataclasses.replace(ADAMW, kind=kind), device=machine.device)

    def step(self, *, seed: int = 0, size: int = 4, loss_of: LossOf = mean_loss) -> StepResult:
        parts = micro_batches(batch(self.machine.device, seed=seed), size)
        return train_step(self.model, self.optimizer, parts, loss_of=loss_of, clip_grad_norm=0.5, machine=self.machine)

    def weights(self) -> list[Tensor]:
        return [weight.detach().clone().cpu() for weight in self.model.parameters()]


def test_batches_are_those_of_the_cpu(device: torch.device) -> None:
    stream = np.random.default_rng(0).integers(0, 65536, 50_001, dtype=np.uint16)  # also those beyond int16

    def batches(place: torch.device) -> Iterator[Batch]:
        drawn = Batches(
            token_tensor(stream, place),
            context_tokens=128,
            sequences=lambda step: range(64 * step, 64 * step + 64),
            seed=0,
            data_version=2,
        )
        yield from (drawn.batch(step, device=place) for step in (0, 5, 7))
        yield from validation_batches(
            token_tensor(stream, place), eval_tokens=20_000, context_tokens=128, batch_size=64, device=place
        )

    largest = 0
    for ours, theirs in zip(batches(device), batches(CPU), strict=True):
        assert ours.inputs_BT.device.type == device.type
        assert torch.equal(ours.inputs_BT.cpu(), theirs.inputs_BT)
        assert torch.equal(ours.targets_BT.cpu(), theirs.targets_BT)
        largest = max(largest, int(theirs.inputs_BT.max()))
    assert largest > 2**15


@pytest.mark.parametrize("size", [4, 1])
def test_a_step_equals_a_hand_written_one(machine: Machine, size: int) -> None:
    """AdamW's first step is the sign of the gradient, almost; the reference is computed on the CPU."""
    ours, theirs, data = Trainee(machine), build(wide=1.0), batch(CPU)
    result = ours.step(size=size)
    logits = theirs(data.inputs_BT).log_softmax(-1)
    loss = -logits.gather(-1, data.targets_BT[..., None]).mean()
    gradients = torch.autograd.grad(loss, list(theirs.parameters()))
    norm = math.sqrt(sum(float(gradient.square().sum()) for gradient in gradients))
    assert float(result.loss) == pytest.approx(loss.item(), rel=1e-5)
    assert float(result.gradient_norm) == pytest.approx(norm, rel=1e-4)
    for (name, weight), before, gradient in zip(
        ours.model.named_parameters(), theirs.parameters(), gradients, strict=True
    ):
        clipped = gradient * min(1.0, 0.5 / norm)
        decay = 0.1 if weight.dim() == 2 and not name.startswith(("embedding", "head")) else 0.0
        want = before * (1 - 1e-2 * decay) - 1e-2 * clipped / (clipped.abs() + 1e-8)
        torch.testing.assert_close(weight.detach().cpu(), want.detach(), atol=2e-4, rtol=1e-3)


@each_optimizer
def test_steps_give_the_weights_of_the_cpu(machine: Machine, kind: OptimizerKind) -> None:
    """Muon orthogonalises in bfloat16, in which two devices round apart; AdamW divides by gradients near zero."""
    here, there = Trainee(machine, kind), Trainee(dataclasses.replace(machine, device=CPU), kind)
    begin = there.weights()
    for seed in range(3):
        assert float(here.step(seed=seed).loss) == pytest.approx(float(there.step(seed=seed).loss), rel=2e-3)
    for ours, theirs, before in zip(here.weights(), there.weights(), begin, strict=True):
        assert (ours - theirs).norm() < 0.05 * (theirs - before).norm()


def test_compiled_steps_give_the_eager_losses_within_bfloat16s_noise(machine: Machine) -> None:
    losses = []
    for compiled in (False, True):
        torch.compiler.reset()
        here = dataclasses.replace(machine, dtype=torch.bfloat16, compile=compiled, attention=Attention.auto)
        model = Transformer(LEARNING, vocab_size=VOCAB)
        model.initialise(0)
        model.to(here.device)
        optimizer = build_optimizer(model, ADAMW, device=here.device)
        data = micro_batches(batch(here.device), 2)
        loss_of = compile_loss(model, data[0], here).loss_of if compiled else mean_loss
        losses.append(
            [
                float(train_step(model, optimizer, data, loss_of=loss_of, clip_grad_norm=1.0, machine=here).loss)
                for _ in range(10)
            ]
        )
    eager, fast = losses
    assert fast == pytest.approx(eager, abs=0.05), "0.02 on a CPU that emulates bfloat16"
    assert eager[-1] < eager[0] - 0.3, "they learn"


@each_optimizer
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_step_with_a_gradient_that_is_not_finite_changes_nothing(
    machine: Machine, kind: OptimizerKind, value: float
) -> None:
    trainee = Trainee(machine, kind)
    poison(trainee.model, {0, 2}, value)  # the very first step, and one with moments
    seen, finite = [everything(trainee.model, trainee.optimizer)], []
    for seed in range(4):
        finite.append(math.isfinite(trainee.step(seed=seed).gradient_norm))
        seen.append(everything(trainee.model, trainee.optimizer))
    assert finite == [False, True, False, True]
    names = [name for name, _ in trainee.model.named_parameters()]
    assert all(torch.equal(seen[0][name], seen[1][name]) for name in names)
    assert all(torch.equal(seen[2][name], seen[3][name]) for name in seen[2]), "also the moments and the steps"
    assert not any(torch.equal(seen[3][name], seen[4][name]) for name in names)
    assert all(torch.isfinite(tensor).all() for tensor in seen[4].values())


@each_optimizer
def test_neither_a_step_nor_a_skipped_step_waits_for_the_device(machine: Machine, kind: OptimizerKind) -> None:
    if machine.device.type != "cuda":
        pytest.skip("the host and the CPU are one")
    trainee = Trainee(machine, kind)
    spoil = torch.ones((), device=machine.device)
    trainee.model.get_parameter("blocks.1.mlp.up.weight").register_hook(lambda gradient: gradient * spoil)
    parts = [micro_batches(batch(machine.device, seed=seed), 2) for seed in range(5)]

    def step(number: int) -> StepResult:
        return train_step(
            trainee.model, trainee.optimizer, parts[number], loss_of=mean_loss, clip_grad_norm=0.5,
            machine=trainee.machine,
        )  # fmt: skip

    step(0)
    step(1)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        results = [step(2)]
        spoil.fill_(math.nan)
        results.append(step(3))
        spoil.fill_(1.0)
        results.append(step(4))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert [math.isfinite(result.gradient_norm) for result in results] == [True, False, True]


@each_optimizer
def test_deterministic_steps_have_the_same_bits_twice(
    machine: Machine, kind: OptimizerKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)

    def train() -> list[Tensor]:
        trainee = Trainee(dataclasses.replace(machine, dtype=torch.bfloat16), kind)
        for seed in range(3):
            trainee.step(seed=seed, size=2)
        return trainee.weights()

    assert all(map(torch.equal, train(), train()))
