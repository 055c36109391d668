"""What turns gradients into steps, and the learning rate of each step."""

from collections.abc import Iterable
from functools import partial

import torch
from torch import Tensor, nn

from tinystories_lm.config.choices import OptimizerKind
from tinystories_lm.config.schema import OptimizerConfig
from tinystories_lm.runs.checkpoint import is_fused


class CombinedOptimizer(torch.optim.Optimizer):
    """Optimizers of different parameters as one: their groups side by side, their states in one place."""

    def __init__(self, *parts: torch.optim.Optimizer) -> None:
        self.parts = parts
        self.param_groups = [group for part in parts for group in part.param_groups]
        self.state = parts[0].state
        for part in parts[1:]:
            part.state = self.state  # no parameter is in two of them

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for part in self.parts:
            part.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        for part in self.parts:
            part.zero_grad(set_to_none=set_to_none)


def build_optimizer(model: nn.Module, config: OptimizerConfig, *, device: torch.device) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019), fused where the device offers it, or Muon with AdamW beside it.

    Inner matrices decay; norms and the two vocabulary matrices (embedding and head) do not. Muon (Jordan et al. 2024)
    takes the inner matrices; its steps have AdamW's root mean square (Liu et al. 2025, arXiv 2502.16982, eq. 4).
    """
    inner: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        is_inner = parameter.dim() >= 2 and not name.startswith(("embedding.", "head."))
        (inner if is_inner else rest).append(parameter)
    adamw = partial(
        torch.optim.AdamW,
        lr=config.lr,
        betas=(config.beta1, config.beta2),
        eps=config.eps,
        fused=device.type in ("cpu", "cuda"),
    )
    if config.kind is OptimizerKind.muon:
        muon = torch.optim.Muon(inner, lr=config.lr, weight_decay=config.weight_decay, adjust_lr_fn="match_rms_adamw")
        return CombinedOptimizer(muon, adamw([{"params": rest, "weight_decay": 0.0}]))
    return adamw([{"params": inner, "weight_decay": config.weight_decay}, {"params": rest, "weight_decay": 0.0}])


def clip_gradients(parameters: Iterable[Tensor], *, limit: float) -> Tensor:
    """Scale the gradients down to a global norm of `limit` where they exceed it; returns the norm before."""
    return torch.nn.utils.clip_grad_norm_(list(parameters), limit)


def step_if(finite: Tensor, optimizer: torch.optim.Optimizer) -> None:
    """Take the step where `finite`, a bool on the device, is true, and else leave all as it is.

    A GPU is not waited for: there fused AdamW looks at the flag by itself, as in mixed precision with a scaler. Muon
    cannot, and its step is taken back.
    """
    if not finite.is_cuda:
        if finite:
            optimizer.step()
        return
    for part in optimizer.parts if isinstance(optimizer, CombinedOptimizer) else (optimizer,):
        step_masked(part, finite)


def step_masked(part: torch.optim.Optimizer, finite: Tensor) -> None:
    """A step of fused AdamW or of Muon that changes nothing, unless `finite`, without waiting for that."""
    if is_fused(part):
        part.found_inf = (~finite).float()  # type: ignore[attr-defined]
        part.step()
        return
    parameters = [parameter for group in part.param_groups for parameter in group["params"]]
    before = [parameter.detach().clone() for parameter in parameters]
    for parameter in parameters:  # a momentum that moves towards itself stays
        momentum = part.state.get(parameter, {}).get("momentum_buffer")
        parameter.grad = torch.where(finite, parameter.grad, 0.0 if momentum is None else momentum)
    part.step()
    with torch.no_grad():
        for parameter, old in zip(parameters, before, strict=True):
            parameter.copy_(torch.where(finite, parameter, old))
