"""Check in seconds that a GPU computes what the program believes, also where pytest is missing.

Shapes: B batch, T tokens, H heads, K head width.
"""

import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from gpu import Settings, keep
from gpu_steps import TINY, open_config_machine
from torch import Tensor
from torch.nn.attention import sdpa_kernel

from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.data.batches import Batch, Batches, token_tensor, validation_batches
from tinystories_lm.hardware.detect import find_hardware
from tinystories_lm.hardware.machine import KERNELS, Machine
from tinystories_lm.model.attention import attention_by_kernel
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.runs.checkpoint import named_state
from tinystories_lm.training.loop import StepResult, micro_batches, train_step
from tinystories_lm.training.loss import mean_loss
from tinystories_lm.training.optimizer import build_optimizer

LARGEST_ERROR = 0.02  # relative, of attention in bfloat16 and of its gradients


def run(settings: Settings) -> None:
    """Record each check; exit with the names of those that do not hold."""
    register()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    wanted: dict[str, Callable[[], dict[str, Any]]] = {
        "batches equal the CPU's": lambda: batches_equal_the_cpus(device),
        "attention equals float64's": lambda: attention_equals_float64(device),
    }
    for kind in ("adamw", "muon"):
        wanted[f"{kind}: a step that is not finite changes nothing"] = lambda kind=kind: nothing_changes(settings, kind)
        wanted[f"{kind}: a step does not wait"] = lambda kind=kind: no_step_waits(settings, kind)
    failed = []
    for name, check in wanted.items():
        began = time.perf_counter()
        try:
            found = check()
        except Exception as error:  # the next check is independent of it
            found = {"holds": False, "error": f"{type(error).__name__}: {error}"[:500]}
        keep(settings.out, {"part": "check", "name": name, "seconds": time.perf_counter() - began, **found})
        failed += [] if found["holds"] else [name]
    if failed:
        sys.exit(f"does not hold: {'; '.join(failed)}")


def batches_equal_the_cpus(device: torch.device) -> dict[str, Any]:
    tokens = np.random.default_rng(0).integers(0, 65536, 200_001, dtype=np.uint16)  # ids that int16 cannot hold
    made: list[list[Batch]] = []
    for place in (torch.device("cpu"), device):
        stream = token_tensor(tokens, place)
        batches = Batches(
            stream, context_tokens=512, sequences=lambda step: range(64 * step, 64 * step + 64), seed=0, data_version=2
        )
        made.append([batches.batch(step, device=place) for step in (0, 5, 7)])
        made[-1] += validation_batches(stream, eval_tokens=70_000, context_tokens=512, batch_size=64, device=place)
    pairs = [(x, y.cpu()) for a, b in zip(*made, strict=True) for x, y in zip(a, b, strict=True)]
    return {"holds": all(torch.equal(*pair) for pair in pairs)}


def attention_equals_float64(device: torch.device) -> dict[str, Any]:
    """Compare each kernel's output and gradients with the definition (Vaswani et al. 2017, eq. 1), on the CPU."""
    torch.manual_seed(0)
    leaves = [
        torch.randn(4, 512, 8, 64, device=device, dtype=torch.bfloat16).transpose(1, 2).requires_grad_()
        for _ in range(3)
    ]
    gradient = torch.randn(4, 8, 512, 64, device=device, dtype=torch.bfloat16)
    q, k, v = wide = [x.detach().cpu().double().requires_grad_() for x in leaves]
    later_TT = torch.ones(512, 512, dtype=torch.bool).triu(1)
    output = (q @ k.transpose(-1, -2) / 8).masked_fill(later_TT, -torch.inf).softmax(-1) @ v
    want = [output, *torch.autograd.grad(output, wide, gradient.cpu().double())]
    errors: dict[str, Any] = {}
    for kind, backend in KERNELS.items():
        try:
            with sdpa_kernel([backend]):
                got = attention_by_kernel(*leaves)
                got = [got, *torch.autograd.grad(got, leaves, gradient)]
        except RuntimeError as error:
            errors[str(kind)] = str(error)[:150]
            continue
        errors[str(kind)] = [float((a.cpu().double() - b).norm() / b.norm()) for a, b in zip(got, want, strict=True)]
    measured = [error for found in errors.values() if isinstance(found, list) for error in found]
    return {"holds": bool(measured) and all(error < LARGEST_ERROR for error in measured), "output_dq_dk_dv": errors}


class Subject(NamedTuple):
    machine: Machine
    model: Transformer
    optimizer: torch.optim.Optimizer
    batches: Batches

    def step(self, number: int) -> StepResult:
        parts = micro_batches(self.batches.batch(number, device=self.machine.device), 4)
        return train_step(
            self.model, self.optimizer, parts, loss_of=mean_loss, clip_grad_norm=1.0, machine=self.machine
        )

    def numbers(self) -> dict[str, Tensor]:
        """Return copies of the weights and of the optimizer's state."""
        named = {**dict(self.model.named_parameters()), **named_state(self.model, self.optimizer)}
        return {name: tensor.detach().clone() for name, tensor in named.items()}


def begin(settings: Settings, kind: str) -> Subject:
    size = TINY if settings.tiny else ["model=gpt_28m", "training.batch_size=8"]
    lines = [*size, f"optimizer={kind}", f"hardware={find_hardware()}", "hardware.compile=off", "training.steps=100"]
    config = compose_config(lines).config
    machine = open_config_machine(config)
    model = Transformer(config.model, vocab_size=4096, attention_fn=machine.attention_fn)
    model.initialise(0)
    model.to(machine.device)
    optimizer = build_optimizer(model, config.optimizer, device=machine.device)
    tokens = np.random.default_rng(0).integers(0, 4096, 2_000_000, dtype=np.uint16)
    batches = Batches(
        token_tensor(tokens, machine.device), context_tokens=config.model.context_tokens, seed=0, data_version=2,
        sequences=lambda step: range(8 * step, 8 * step + 8),
    )  # fmt: skip
    return Subject(machine, model, optimizer, batches)


def nothing_changes(settings: Settings, kind: str) -> dict[str, Any]:
    """Let one weight's gradient be NaN in the very first step, and in a later one."""
    subject = begin(settings, kind)
    weight = subject.model.blocks[1].mlp.down.weight
    changed = []
    for number in (0, 2):
        before = subject.numbers()
        handle = weight.register_hook(lambda gradient: gradient * float("nan"))
        subject.step(number)
        handle.remove()
        after = subject.numbers()
        changed += [name for name, tensor in before.items() if not torch.equal(tensor, after[name])]
        subject.step(number + 1)
    moved = any(not torch.equal(tensor, subject.numbers()[name]) for name, tensor in before.items())
    return {"holds": not changed and moved, "changed": changed[:3], "a_finite_step_moves": moved}


def no_step_waits(settings: Settings, kind: str) -> dict[str, Any]:
    """Let torch raise an error where the host waits for the device within a step."""
    subject = begin(settings, kind)
    for number in (0, 1):
        subject.step(number)
    if subject.machine.device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error")
    try:
        for number in range(2, 6):
            result = subject.step(number)
    finally:
        if subject.machine.device.type == "cuda":
            torch.cuda.set_sync_debug_mode("default")
    return {"holds": True, "loss": float(result.loss)}
