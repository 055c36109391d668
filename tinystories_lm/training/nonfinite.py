"""Find the first tensor that became NaN or infinite."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from tinystories_lm.data.batches import Batch
from tinystories_lm.hardware.machine import Machine
from tinystories_lm.training.loss import mean_loss


def first_nonfinite(model: nn.Module, parts: Iterable[Batch], machine: Machine) -> str:
    """Repeat a step's passes and describe the first tensor that is not finite, without changing the weights.

    Tensors are checked in the order in which they are computed: the weights, the output of each module, the loss, then
    the gradients from the head down.
    """
    for name, weight in model.named_parameters():
        if not torch.isfinite(weight).all():
            return f"the weights of {name}"
    found: list[str] = []

    def watch(name: str, output: Tensor) -> None:
        if not found and not torch.isfinite(output).all():
            found.append(f"the output of {name or 'the model'}")

    hooks = [
        module.register_forward_hook(lambda _, __, output, name=name: watch(name, output))
        for name, module in model.named_modules()
    ]
    try:
        for part in parts:
            with machine.computing():
                loss = mean_loss(model, part)
            if not found and not torch.isfinite(loss):
                found.append("the loss")
            if found:
                return found[0]
            loss.backward()
        return _first_nonfinite_gradient(model)
    finally:
        for hook in hooks:
            hook.remove()
        model.zero_grad(set_to_none=True)


def _first_nonfinite_gradient(model: nn.Module) -> str:
    """Describe the gradient nearest to the loss that is not finite: the backward pass computes the last first."""
    names = [
        name
        for name, weight in model.named_parameters()
        if weight.grad is not None and not torch.isfinite(weight.grad).all()
    ]
    return f"the gradient of {names[-1]}" if names else "the sum of the gradients"
