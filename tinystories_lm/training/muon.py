"""Muon (Jordan et al. 2024): momentum whose direction is orthogonalised, for matrices only.

Matrices of one shape are stacked and orthogonalised together: a few large products instead of many small ones, which on
a GPU take the host longer to launch than the device to compute.

Shapes: S matrices of a stack, N rows, M columns.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
ITERATIONS = 5
A, B, C = 3.4445, -4.7750, 2.0315  # of Jordan's polynomial, which raises small singular values fastest
LEAST_NORM = 1e-7
RMS = 0.2  # of a step over the learning rate, about that of AdamW's (Liu et al. 2025, arXiv 2502.16982, eq. 4)


class Muon(torch.optim.Optimizer):
    """Step as torch.optim.Muon with adjust_lr_fn="match_rms_adamw" does, up to the rounding of its products.

    found_inf: as of torch's fused optimizers, a number on the device; where it is not 0, a step changes nothing.
    """

    found_inf: Tensor | None = None

    def __init__(self, matrices: Iterable[nn.Parameter], *, lr: float, weight_decay: float) -> None:
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        skipped = None if self.found_inf is None else self.found_inf != 0
        for group in self.param_groups:
            stacks: dict[torch.Size, list[Tensor]] = {}
            for matrix in group["params"]:
                if matrix.grad is not None:
                    stacks.setdefault(matrix.shape, []).append(matrix)
            for stack in stacks.values():
                self._step_together(stack, skipped, lr=group["lr"], weight_decay=group["weight_decay"])

    def _step_together(self, matrices: list[Tensor], skipped: Tensor | None, *, lr: float, weight_decay: float) -> None:
        """Take the step of matrices of one shape, unless `skipped`, a bool on the device, is true."""
        for matrix in matrices:
            if not self.state[matrix]:
                self.state[matrix]["momentum_buffer"] = torch.zeros_like(matrix)
        momenta = [self.state[matrix]["momentum_buffer"] for matrix in matrices]
        before_SNM = torch.stack(momenta)
        gradient_SNM = torch.stack([matrix.grad for matrix in matrices if matrix.grad is not None])
        momentum_SNM = before_SNM.lerp(gradient_SNM, 1 - MOMENTUM)
        nesterov_SNM = gradient_SNM.lerp(momentum_SNM, MOMENTUM)
        update_SNM = orthogonalise(nesterov_SNM).float()
        kept = 1 - lr * weight_decay
        kept_or_all: float | Tensor = kept
        if skipped is not None:  # what is not finite is replaced, since 0 times it would not be 0
            momentum_SNM = torch.where(skipped, before_SNM, momentum_SNM)
            update_SNM = update_SNM.masked_fill(skipped, 0)
            kept_or_all = torch.full_like(skipped, kept, dtype=torch.float32).masked_fill(skipped, 1)
        torch._foreach_copy_(momenta, momentum_SNM.unbind())
        torch._foreach_mul_(matrices, kept_or_all)
        torch._foreach_add_(matrices, update_SNM.unbind(), alpha=-lr * RMS * math.sqrt(max(matrices[0].shape)))


def orthogonalise(x_SNM: Tensor) -> Tensor:
    """Return about U Vᵀ of each matrix U S Vᵀ, in bfloat16: its singular values become 0.7 to 1.2.

    Each iteration maps them by A s + B s³ + C s⁵, with products of matrices alone (Newton-Schulz).
    """
    if x_SNM.shape[1] > x_SNM.shape[2]:
        return orthogonalise(x_SNM.mT).mT
    x_SNM = x_SNM.bfloat16()
    x_SNM = x_SNM / x_SNM.norm(dim=(1, 2), keepdim=True).clamp(min=LEAST_NORM)
    for _ in range(ITERATIONS):
        gram_SNN = x_SNM @ x_SNM.mT
        polynomial_SNN = torch.baddbmm(gram_SNN, gram_SNN, gram_SNN, beta=B, alpha=C)
        x_SNM = torch.baddbmm(x_SNM, polynomial_SNN, x_SNM, beta=A)
    return x_SNM
