"""Build the step of one size and variant for benchmarks/gpu.py, and find out which attention kernel it runs."""

import re
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from gpu import Settings
from torch import Tensor
from torch._dynamo.utils import counters
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.config.schema import Config
from tinystories_lm.data.batches import Batches
from tinystories_lm.hardware.detect import find_hardware, find_peak
from tinystories_lm.hardware.machine import KERNELS, Machine
from tinystories_lm.hardware.setup import open_machine
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.training.compile import Compiled, compile_loss
from tinystories_lm.training.loop import micro_batches, train_step, validate
from tinystories_lm.training.loss import mean_loss
from tinystories_lm.training.optimizer import build_optimizer

SIZES = {"28M": ["model=gpt_28m"], "91M": ["model=gpt_91m"]}
STEP = ["training.batch_size=64", "training.steps=15000", "hardware.compile=on"]
VARIANTS: dict[str, list[str]] = {
    "as published": [],
    "eager": ["hardware.compile=off"],
    "flash": ["hardware.attention=flash"],
    "cudnn": ["hardware.attention=cudnn"],
    "efficient": ["hardware.attention=efficient"],
    "residual bf16": ["hardware.residual=bfloat16"],
    "qk-norm": ["model.qk_norm=true"],
    "muon": ["optimizer=muon"],
    "two micro-batches": ["training.micro_batch_size=32"],
    "deterministic": ["training.deterministic=true", "hardware.attention=auto"],  # torch refuses some kernels then
}
CUDA_ONLY = ("cudnn", "efficient")  # variants
TINY = ["model=tiny", "model.n_layers=2", "model.context_tokens=64", "training.batch_size=4", "hardware.threads=1"]
STREAM_TOKENS = 20_000_000

# What the names of an attention kernel on the device contain; cuDNN's also contain "flash".
DEVICE_NAMES = {"cudnn": r"cudnn.*(sdpa|prop)", "efficient": r"fmha_cutlass", "flash": r"flash_(fwd|bwd)"}
BACKWARD_NAMES = re.compile(r"bwd|bprop|cutlassB|backward")
OPERATOR = re.compile(r"aten::_scaled_dot_product_(flash|cudnn|efficient)_attention(?:_for_cpu)?(_backward)?")


class Subject(NamedTuple):
    """One variant, ready to take steps."""

    config: Config
    machine: Machine
    compiled: str  # "cold", "warm" (found in the compile cache) or "eager"
    compile_s: float
    step: Callable[[int], Tensor]  # takes the step of that number; the caller waits for the loss it returns
    evaluate: Callable[[], float]


def overrides_of(settings: Settings, size: str, variant: str) -> list[str]:
    """Return the variant's settings; its own win over those of all variants."""
    register()
    pinned = [f"hardware.attention={settings.attention}"] if settings.attention else []
    lines = [*SIZES[size], *STEP, f"hardware={find_hardware()}", *pinned, *VARIANTS[variant]]
    if settings.tiny:
        lines += [*TINY, *(["training.micro_batch_size=2"] if variant == "two micro-batches" else [])]
        lines += [] if variant == "as published" else ["hardware.compile=off"]  # compiling takes a CPU a minute each
    return list({line.partition("=")[0]: line for line in lines}.values())


def open_config_machine(config: Config) -> Machine:
    return open_machine(
        config.hardware,
        peak_flops_per_second=find_peak(config.hardware),
        compile_pays=True,
        deterministic=config.training.deterministic,
        attention_shape=config.attention_shape,
    )


def begin(overrides: list[str]) -> Subject:
    """Build the model, the optimizer and batches of random tokens on the device, and compile the loss."""
    config = compose_config(overrides).config
    machine = open_config_machine(config)
    model = Transformer(
        config.model, vocab_size=config.data.vocab_size, residual=machine.residual, attention_fn=machine.attention_fn
    )
    model.initialise(config.training.seed)
    model.to(machine.device)
    optimizer = build_optimizer(model, config.optimizer, device=machine.device)
    random = torch.Generator().manual_seed(0)
    stream = torch.randint(config.data.vocab_size, (STREAM_TOKENS,), generator=random, dtype=torch.int16)
    batches = Batches(
        stream.to(machine.device),
        context_tokens=config.model.context_tokens,
        sequences=config.training.sequences,
        seed=0,
        data_version=config.data.version,
    )

    def parts(number: int) -> list[Any]:
        return micro_batches(batches.batch(number, device=machine.device), config.training.micro_batch_size)

    compiled = compile_loss(model, parts(0)[0], machine) if machine.compile else Compiled(mean_loss, machine, 0.0)
    lengths_V = torch.ones(config.data.vocab_size, dtype=torch.int64, device=machine.device)

    def step(number: int) -> Tensor:
        limit = config.optimizer.clip_grad_norm
        return train_step(
            model, optimizer, parts(number), loss_of=compiled.loss_of, clip_grad_norm=limit, machine=machine
        ).loss

    def evaluate() -> float:
        return validate(model, parts(0)[:1], lengths_V, machine, loss_of=compiled.loss_of).loss

    cache = counters["aot_autograd"]
    found = "warm" if cache["autograd_cache_hit"] and not cache["autograd_cache_miss"] else "cold"
    return Subject(config, machine, found if machine.compile else "eager", compiled.seconds, step, evaluate)


def first_step(settings: Settings, size: str, variant: str) -> tuple[Subject, dict[str, Any]]:
    """Build a variant and take its first step; return it with the seconds of both."""
    began = time.perf_counter()
    subject = begin(overrides_of(settings, size, variant))
    begin_s = time.perf_counter() - began
    if subject.machine.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    loss = float(subject.step(0))  # reading a number waits for the device
    return subject, {
        "size": size,
        "variant": variant,
        "attention": str(subject.machine.attention),
        "compiled": subject.compiled,
        "begin_s": round(begin_s, 2),
        "compile_s": round(subject.compile_s, 2),
        "first_step_s": round(subject.compile_s + time.perf_counter() - began, 2),
        "first_loss": loss,
    }


def profiled(subject: Subject, first: int, steps: int) -> "profile":
    """Take some steps under torch's profiler, of the host and the device."""
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as recorded:
        for number in range(first, first + steps):
            loss = subject.step(number)
        float(loss)
    return recorded


def rows_of_device(recorded: "profile") -> list[Any]:
    """Return the kernels' rows; those of operators would count the same kernels again."""
    return [row for row in recorded.key_averages() if row.device_type == DeviceType.CUDA]


def attention_that_ran(recorded: "profile") -> dict[str, Any]:
    """Return the attention kernels of a trace, forward and backward, by the device's kernels and by torch's operators.

    `device` is None where the profiler may not see the device.
    """
    operators: dict[str, list[str]] = {"forward": [], "backward": []}
    for row in recorded.key_averages():
        if found := OPERATOR.fullmatch(row.key):
            operators["backward" if found[2] else "forward"].append(found[1])
    device: dict[str, list[str]] = {"forward": [], "backward": []}
    rows = rows_of_device(recorded)
    for row in rows:
        kind = next((kind for kind, pattern in DEVICE_NAMES.items() if re.search(pattern, row.key)), None)
        if kind:
            device["backward" if BACKWARD_NAMES.search(row.key) else "forward"].append(kind)
    return {
        "operators": {direction: sorted(set(kinds)) for direction, kinds in operators.items()},
        "device": {direction: sorted(set(kinds)) for direction, kinds in device.items()} if rows else None,
        "names": [row.key[:120] for row in rows if any(re.search(p, row.key) for p in DEVICE_NAMES.values())],
    }


def mismatch(asked: str, ran: dict[str, Any]) -> str:
    """Return what contradicts the kernel that was asked for; math runs none of the others."""
    if asked not in {str(kind) for kind in KERNELS}:
        return ""
    wanted = [] if asked == "math" else [asked]
    for source in ("device", "operators"):
        for direction, kinds in (ran[source] or {}).items():
            if kinds != wanted:
                return f"{asked} was asked for, but the {source} ran {' and '.join(kinds) or 'none'} {direction}"
    return ""
