"""Ask torch and the program, in a process that sees the null device; `tests.null.launcher` prints the answers."""

import contextlib
import dataclasses
import itertools
import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch._dynamo.utils import counters

from tests.null.calls import BACKWARD_LAUNCHES, Call, attention_that_ran, named, read_calls
from tinystories_lm.config.choices import OptimizerKind
from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.config.schema import Config
from tinystories_lm.data.batches import Batch, Batches, token_tensor, validation_batches
from tinystories_lm.generation.cuda_graph import recorded
from tinystories_lm.generation.static_decoder import open_decoder
from tinystories_lm.hardware.machine import KERNELS, Machine
from tinystories_lm.hardware.setup import open_machine
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.planning.memory import step_memory
from tinystories_lm.runs.checkpoint import Progress, Snapshot, take_snapshot
from tinystories_lm.system.errors import UsageError
from tinystories_lm.training.compile import compile_loss
from tinystories_lm.training.loop import micro_batches, train_step, validate
from tinystories_lm.training.optimizer import build_optimizer

LOG = Path(os.environ["NULL_DEVICE_LOG"])
STEPS = 3  # that are counted


def calls_of(work: Any) -> list[Call]:
    before = len(read_calls(LOG))
    work()
    return read_calls(LOG, after=before)


def opened(*settings: str) -> tuple[Config, Machine]:
    register()
    config = compose_config(list(settings)).config
    machine = open_machine(
        config.hardware,
        peak_flops_per_second=1e12,
        compile_pays=True,
        deterministic=config.training.deterministic,
        attention_shape=config.attention_shape,
    )
    return config, machine


def attention_kinds() -> list[dict[str, Any]]:
    """Ask for each kernel in each precision: was it refused, and if not, what was launched."""
    found = []
    for kind, precision, exact in itertools.product(KERNELS, ("bfloat16", "float32"), ("false", "true")):
        wanted = [f"hardware.attention={kind}", f"hardware.precision={precision}", f"training.deterministic={exact}"]
        record = {"kind": kind, "precision": precision, "deterministic": exact == "true"}
        try:
            _, machine = opened("model=tiny", "hardware=cuda", *wanted)
        except UsageError as error:
            found.append(record | {"refused": str(error)})
        else:
            found.append(record | _attend(machine))
    return found


def _attend(machine: Machine) -> dict[str, list[str]]:
    """Return the kernels that run forward and backward on this machine."""
    q, k, v = (torch.randn(1, 2, 64, 64, device="cuda", dtype=machine.dtype, requires_grad=True) for _ in range(3))
    made: list[Tensor] = []
    with machine.attending():
        forward = calls_of(lambda: made.append(machine.attention_fn(q, k, v)))
        backward = calls_of(lambda: torch.autograd.grad(made[0].sum(), q))
    return {"forward": attention_that_ran(forward), "backward": attention_that_ran(backward, BACKWARD_LAUNCHES)}


class Trainee:
    """A compiled model on the device, with batches that lie there."""

    def __init__(self, *settings: str) -> None:
        self.config, self.machine = opened("hardware=cuda", "hardware.compile=on", "training.steps=100", *settings)
        self.model = Transformer(
            self.config.model, vocab_size=self.config.data.vocab_size, attention_fn=self.machine.attention_fn
        )
        self.model.initialise(0)
        self.model.to(self.machine.device)
        tokens = (np.arange(200_000) % self.config.data.vocab_size).astype(np.uint16)
        self.stream = token_tensor(tokens, self.machine.device)
        self.batches = Batches(
            self.stream,
            context_tokens=self.config.model.context_tokens,
            sequences=self.config.training.sequences,
            seed=0,
            data_version=self.config.data.version,
        )
        self.loss_of = compile_loss(self.model, self.parts(0)[0], self.machine).loss_of

    def parts(self, number: int) -> list[Batch]:
        batch = self.batches.batch(number, device=self.machine.device)
        return micro_batches(batch, self.config.training.micro_batch_size)

    def forward_backward(self, number: int) -> None:
        with self.machine.computing():
            self.loss_of(self.model, self.parts(number)[0]).backward()

    def evaluate(self) -> None:
        bytes_V = torch.ones(self.config.data.vocab_size, dtype=torch.int64, device=self.machine.device)
        scored = validation_batches(
            self.stream,
            eval_tokens=150_000,
            context_tokens=self.config.model.context_tokens,
            batch_size=self.config.training.micro_batch_size,
            device=self.machine.device,
        )
        with contextlib.suppress(ZeroDivisionError):  # nothing was counted
            validate(self.model, scored, bytes_V, self.machine, loss_of=self.loss_of)


def compiled_kinds() -> list[list[str]]:
    """Compile the same model for each kernel after the others, and answer what a step of it launched."""
    found = []
    for kind in ("flash", "efficient", "cudnn", "math", "flash"):
        torch.compiler.reset()  # forgets what this process compiled, and not what is on the disk
        trainee = Trainee("model=tiny", "model.n_layers=1", f"hardware.attention={kind}", "hardware.precision=bfloat16")
        calls = calls_of(lambda trainee=trainee: trainee.forward_backward(0))
        found.append([kind, *attention_that_ran(calls), *attention_that_ran(calls, BACKWARD_LAUNCHES)])
    return found


def training_steps(*settings: str) -> dict[str, Any]:
    """Take compiled steps with each optimizer, and an evaluation; count what the host asked of the device."""
    trainee = Trainee(*settings)
    found: dict[str, Any] = {kind: _count_steps(trainee, kind) for kind in OptimizerKind}
    found["evaluation"] = Counter(call.kind for call in calls_of(trainee.evaluate))
    found["graphs"] = counters["stats"]["unique_graphs"]
    found["breaks"] = dict(counters["graph_break"])
    return found


def _count_steps(trainee: Trainee, kind: OptimizerKind) -> dict[str, Any]:
    """Return what a step asks of the device on average, and its peak of memory; raise where the host would wait."""
    config = dataclasses.replace(trainee.config, optimizer=compose_config([f"optimizer={kind}"]).config.optimizer)
    optimizer = build_optimizer(trainee.model, config.optimizer, device=trainee.machine.device)
    for number in range(2):
        trainee.forward_backward(number)
        optimizer.step()  # not `train_step`: a flag that is read here is false, and there would never be moments

    def step(number: int) -> None:
        train_step(
            trainee.model, optimizer, trainee.parts(number), loss_of=trainee.loss_of, clip_grad_norm=1.0,
            machine=trainee.machine,
        )  # fmt: skip

    torch.cuda.reset_peak_memory_stats()
    torch.cuda.set_sync_debug_mode("error")
    try:
        calls = calls_of(lambda: [step(number) for number in range(2, 2 + STEPS)])
    finally:
        torch.cuda.set_sync_debug_mode("default")
    counts = Counter(call.kind for call in calls)
    found: dict[str, Any] = {name: counts[name] / STEPS for name in ("launch", "copy", "wait", "malloc")}
    memory = {"peak_bytes": torch.cuda.max_memory_allocated(), "planned_bytes": step_memory(config).total}
    return found | memory | {"copies": Counter(named(calls, "copy"))}


def stories() -> dict[str, Any]:
    """Decode with several decoders, one after the other; count what a step asks of the device, and what stays there."""
    config, machine = opened("model=tiny", "hardware=cuda")
    model = Transformer(config.model, vocab_size=300).to(machine.device)
    random, tokens_B = torch.cuda.get_rng_state(), torch.tensor([4, 5])
    reserved, calls, first = [], [], []
    for _ in range(4):
        decoder = open_decoder(model, 2)
        decoder.read([[1, 2], [3]])
        first = calls_of(lambda decoder=decoder: decoder.step(tokens_B))
        calls = calls_of(lambda decoder=decoder: [decoder.step(tokens_B) for _ in range(STEPS)])
        reserved.append(torch.cuda.memory_reserved())
    return {
        "step": {kind: count / STEPS for kind, count in Counter(call.kind for call in calls).items()},
        "captured": Counter(call.kind for call in first)["captured"],
        "reserved": reserved,
        "random": torch.equal(random, torch.cuda.get_rng_state()),
    }


def failed_recording() -> dict[str, Any]:
    """Record what waits for the device, which CUDA refuses; then free memory and draw random numbers."""
    x = torch.ones(4, device="cuda")
    found = [recorded(lambda: x * x.sum().item(), x.device) for _ in range(2)]
    before = torch.cuda.memory_reserved()
    large = [torch.empty(1 << 24, device="cuda") for _ in range(3)]
    del large
    torch.cuda.empty_cache()
    torch.rand(4, device="cuda")
    return {"recorded": found, "kept": torch.cuda.memory_reserved() - before}


def snapshot() -> dict[str, Any]:
    """Copy what a checkpoint holds from the device; count its copies and waits."""
    config, machine = opened("model=tiny", "hardware=cuda")
    model = Transformer(config.model, vocab_size=300).to(machine.device)
    optimizer = build_optimizer(model, config.optimizer, device=machine.device)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    taken: list[Snapshot] = []
    calls = calls_of(lambda: taken.append(take_snapshot(model, optimizer, Progress())))
    tensors = [*taken[0].weights.values(), *taken[0].optimizer.values()]
    return {
        "waits": named(calls, "wait"),
        "copies": named(calls, "copy").count("to the host"),
        "tensors": len(tensors),
    }
