"""Build the optimizer that a config names, and skip a step without waiting for the GPU."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tinystories_lm.config.choices import OptimizerKind
from tinystories_lm.config.schema import OptimizerConfig
from tinystories_lm.runs.checkpoint import is_fused
from tinystories_lm.training.muon import Muon


class ParameterGroups(NamedTuple):
    """A model's parameters by how they are trained."""

    inner: list[nn.Parameter]  # the matrices of the blocks, which decay
    rest: list[nn.Parameter]  # norms and the two vocabulary matrices (embedding and head), which do not


Build = Callable[[ParameterGroups, OptimizerConfig, torch.device], torch.optim.Optimizer]


def build_optimizer(model: nn.Module, config: OptimizerConfig, *, device: torch.device) -> torch.optim.Optimizer:
    """Return the optimizer of the model's parameters, with inner matrices and the rest in groups of their own."""
    groups = ParameterGroups([], [])
    for name, parameter in model.named_parameters():
        is_inner = parameter.dim() >= 2 and not name.startswith(("embedding.", "head."))
        (groups.inner if is_inner else groups.rest).append(parameter)
    return BUILD[config.kind](groups, config, device)


def _adamw(groups: ParameterGroups, config: OptimizerConfig, device: torch.device) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019), fused where the device offers it."""
    return torch.optim.AdamW(
        [
            {"params": parameters, "weight_decay": decay}
            for parameters, decay in zip(groups, (config.weight_decay, 0.0), strict=True)
            if parameters
        ],
        lr=config.lr,
        betas=(config.beta1, config.beta2),
        eps=config.eps,
        fused=device.type in ("cpu", "cuda"),
    )


def _muon(groups: ParameterGroups, config: OptimizerConfig, device: torch.device) -> torch.optim.Optimizer:
    """Muon (Jordan et al. 2024) for the inner matrices, AdamW for the rest.

    A step of Muon has the root mean square of one of AdamW (Liu et al. 2025, arXiv 2502.16982, eq. 4).
    """
    muon = Muon(groups.inner, lr=config.lr, weight_decay=config.weight_decay)
    return CombinedOptimizer(muon, _adamw(groups._replace(inner=[]), config, device))


# How each kind is built; config/choices.py has the facts about it that need no torch.
BUILD: dict[OptimizerKind, Build] = {OptimizerKind.adamw: _adamw, OptimizerKind.muon: _muon}


class CombinedOptimizer(torch.optim.Optimizer):
    """Several optimizers of different parameters as one: all their groups, and their states in one dictionary."""

    def __init__(self, *parts: torch.optim.Optimizer) -> None:
        self.parts = parts
        self.param_groups = [group for part in parts for group in part.param_groups]
        self.state = parts[0].state
        for part in parts[1:]:
            part.state = self.state  # no parameter belongs to two parts

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for part in self.parts:
            part.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        for part in self.parts:
            part.zero_grad(set_to_none=set_to_none)


def step_if(finite: Tensor, optimizer: torch.optim.Optimizer) -> None:
    """Take a step if `finite`, a bool on the device, is true; else leave weights and optimizer as they are.

    On a GPU the flag stays there, because reading it would make the host wait in every step.
    """
    if not finite.is_cuda:
        if finite:
            optimizer.step()
        return
    for part in optimizer.parts if isinstance(optimizer, CombinedOptimizer) else (optimizer,):
        step_masked(part, finite)


def step_masked(part: torch.optim.Optimizer, finite: Tensor) -> None:
    """Take a step that changes nothing unless `finite`, without reading that flag on the host.

    Fused AdamW and Muon check the flag themselves, as in mixed precision with a gradient scaler. A step of any other
    optimizer is undone: its parameters and every tensor of its state get their values back. That needs a state which
    exists and lies on the device: where it does not, as in a run's first step, the flag is read.
    """
    if is_fused(part) or isinstance(part, Muon):
        part.found_inf = (~finite).float()  # type: ignore[attr-defined]
        part.step()
    elif _can_undo(part, finite.device):
        before = [tensor.clone() for tensor in _tensors(part)]
        part.step()
        for tensor, old in zip(_tensors(part), before, strict=True):
            tensor.copy_(torch.where(finite, tensor, old))
    elif finite:
        part.step()


def _can_undo(part: torch.optim.Optimizer, device: torch.device) -> bool:
    states = [part.state.get(parameter, {}).values() for parameter in _parameters(part)]
    return all(states) and all(
        isinstance(value, Tensor) and value.device == device for values in states for value in values
    )


def _tensors(part: torch.optim.Optimizer) -> list[Tensor]:
    """Return all that a step may change: each parameter and its state."""
    return [
        tensor.detach()
        for parameter in _parameters(part)
        for tensor in (parameter, *part.state.get(parameter, {}).values())
    ]


def _parameters(part: torch.optim.Optimizer) -> list[Tensor]:
    return [parameter for group in part.param_groups for parameter in group["params"]]
