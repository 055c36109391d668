"""The optimizers' steps against hand-written ones, and what a skipped step leaves unchanged."""

import dataclasses
import math

import pytest
import torch
from torch import nn

from tinystories_lm.config.choices import OPTIMIZERS, OptimizerKind
from tinystories_lm.config.schema import OptimizerConfig
from tinystories_lm.runs.checkpoint import load_named_state, named_state
from tinystories_lm.training.optimizer import BUILD, CombinedOptimizer, build_optimizer, step_masked
from tinystories_lm.training.schedule import set_learning_rate

ADAMW = OptimizerConfig(
    kind=OptimizerKind.adamw,
    lr=1e-2,
    tuned_at_width=0,
    beta1=0.9,
    beta2=0.95,
    eps=1e-8,
    weight_decay=0.1,
    clip_grad_norm=1.0,
)
MUON = dataclasses.replace(ADAMW, kind=OptimizerKind.muon)
CPU = torch.device("cpu")


class Toy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(3, 2)
        self.inner = nn.Linear(2, 2, bias=False)
        self.norm = nn.RMSNorm(2)
        self.head = nn.Linear(2, 3, bias=False)


def stepped(
    steps: int, config: OptimizerConfig = ADAMW
) -> tuple[Toy, torch.optim.Optimizer, list[dict[str, torch.Tensor]]]:
    torch.manual_seed(0)
    toy = Toy()
    optimizer = build_optimizer(toy, config, device=CPU)
    history = [{name: weight.detach().clone() for name, weight in toy.named_parameters()}]
    for step in range(steps):
        for weight in toy.parameters():
            weight.grad = torch.full_like(weight, 0.5 + step)
        optimizer.step()
        history.append({name: weight.detach().clone() for name, weight in toy.named_parameters()})
    return toy, optimizer, history


def test_two_steps_are_those_of_the_paper_and_only_inner_matrices_decay() -> None:
    _, _, history = stepped(2)
    for name, weight in history[0].items():
        decay = 0.1 if name == "inner.weight" else 0.0
        first, second = torch.zeros_like(weight), torch.zeros_like(weight)
        for step in (1, 2):
            gradient = torch.full_like(weight, step - 0.5)
            first = 0.9 * first + 0.1 * gradient
            second = 0.95 * second + 0.05 * gradient**2
            update = (first / (1 - 0.9**step)) / ((second / (1 - 0.95**step)).sqrt() + 1e-8)
            weight = weight - 1e-2 * decay * weight - 1e-2 * update
        torch.testing.assert_close(history[2][name], weight)


def test_muon_turns_an_inner_matrix_by_its_gradients_directions_alone() -> None:
    torch.manual_seed(0)
    model = nn.ModuleDict({"inner": nn.Linear(16, 48, bias=False), "head": nn.Linear(16, 4, bias=False)})
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    optimizer = build_optimizer(model, MUON, device=CPU)
    set_learning_rate(optimizer, 2e-2)  # as the schedule does, for both of its parts
    for weight in model.parameters():
        weight.grad = torch.randn_like(weight) * 7
    optimizer.step()
    inner = model.get_parameter("inner.weight")
    assert inner.grad is not None
    moved = before["inner.weight"] * (1 - 2e-2 * 0.1) - inner.detach()
    left, _, right = torch.linalg.svd(inner.grad, full_matrices=False)
    along = left.T @ moved @ right.T / (2e-2 * 0.2 * 48**0.5)  # the same directions, all about equally far
    assert torch.allclose(along, along.diagonal().diag(), atol=0.05)
    assert along.diagonal().min() > 0.6 and along.diagonal().max() < 1.3
    assert moved.square().mean().sqrt() == pytest.approx(2e-2 * 0.2, rel=0.3), "the size of AdamW's steps"
    head = before["head.weight"] - model.get_parameter("head.weight").detach()
    assert head.abs().max() == pytest.approx(2e-2, rel=1e-4), "AdamW's first step, without decay"


@pytest.mark.parametrize("kind", OptimizerKind)
def test_the_named_state_restores_the_optimizer_bit_for_bit(kind: OptimizerKind) -> None:
    config = dataclasses.replace(ADAMW, kind=kind)
    toy, optimizer, _ = stepped(2, config)
    other = Toy()
    other.load_state_dict(toy.state_dict())
    restored = build_optimizer(other, config, device=CPU)
    load_named_state(other, restored, {name: value.clone() for name, value in named_state(toy, optimizer).items()})
    for model, its_optimizer in ((toy, optimizer), (other, restored)):
        for weight in model.parameters():
            weight.grad = torch.full_like(weight, 0.3)
        its_optimizer.step()
    for left, right in zip(toy.parameters(), other.parameters(), strict=True):
        assert torch.equal(left, right)


class Averager(torch.optim.Optimizer):
    """An optimizer that the program does not know: it moves to a running mean, and counts in a tensor it replaces."""

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        super().__init__(parameters, {"lr": 0.1})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for parameter in self.param_groups[0]["params"]:
            state = self.state[parameter]
            state["mean"] = state.get("mean", torch.zeros_like(parameter)).lerp(parameter.grad, 0.3)
            state["largest"] = torch.maximum(state.get("largest", torch.tensor(0.0)), parameter.grad.abs().amax())
            parameter.sub_(state["mean"] / (1 + state["largest"]), alpha=0.1)


def everything(toy: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    state = dict(toy.named_parameters()) | named_state(toy, optimizer)
    return {name: tensor.detach().clone() for name, tensor in state.items()}


@pytest.mark.parametrize("name", [*OptimizerKind, "one that the program does not know"])
def test_a_masked_step_changes_nothing_without_anybody_reading_the_flag(name: str) -> None:
    """As on a GPU: the flag stays a tensor. A step that is not skipped gives the bits of a plain one."""
    toys: list[tuple[Toy, torch.optim.Optimizer]] = []
    for _ in range(2):
        torch.manual_seed(0)
        toy = Toy()
        config = dataclasses.replace(ADAMW, kind=OptimizerKind(name)) if name in list(OptimizerKind) else None
        unknown = config is None
        toys.append((toy, Averager(list(toy.parameters())) if unknown else build_optimizer(toy, config, device=CPU)))
    (masked, its_optimizer), (plain, plain_optimizer) = toys
    for gradient in (math.nan, 0.1, math.inf, math.nan, 0.2):
        before, finite = everything(masked, its_optimizer), math.isfinite(gradient)
        for weight in (*masked.parameters(), *plain.parameters()):
            weight.grad = torch.full_like(weight, gradient)
        for part in its_optimizer.parts if isinstance(its_optimizer, CombinedOptimizer) else (its_optimizer,):
            step_masked(part, torch.tensor(finite))
        now = everything(masked, its_optimizer)
        if finite:
            plain_optimizer.step()
            assert all(torch.equal(now[name], tensor) for name, tensor in everything(plain, plain_optimizer).items())
        else:
            assert all(torch.equal(now[name], before[name]) for name in before)


def test_every_kind_of_optimizer_has_its_facts_and_is_built() -> None:
    assert set(OPTIMIZERS) == set(BUILD) == set(OptimizerKind)


def test_a_rate_follows_the_root_of_the_width_from_where_it_was_tuned() -> None:
    tuned = dataclasses.replace(MUON, lr=8e-3, tuned_at_width=128)
    assert [tuned.peak_lr(width) for width in (32, 128, 512)] == pytest.approx([16e-3, 8e-3, 4e-3])
    assert {MUON.peak_lr(width) for width in (32, 128, 512)} == {MUON.lr}
