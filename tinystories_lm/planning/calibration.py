"""Time a few training steps on this computer, so that its estimates rest on a measurement."""

import time
from collections.abc import Callable

import torch

from tinystories_lm.config.schema import Config
from tinystories_lm.data.batches import Batch
from tinystories_lm.hardware.detect import find_peak
from tinystories_lm.hardware.setup import open_machine
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.planning.estimate import keep_calibration
from tinystories_lm.training.compile import compile_loss
from tinystories_lm.training.loop import micro_batches, train_step
from tinystories_lm.training.loss import mean_loss
from tinystories_lm.training.optimizer import build_optimizer

MEASURED_SECONDS = 3.0  # steps are timed for at least this long
MIN_STEPS = 3


def calibrate(config: Config) -> float:
    """Measure the tokens per second in training steps of this config, and store it for `estimate`.

    config: its hardware=auto is already replaced by this machine.

    With hardware.compile=auto on a CPU the step is timed without torch.compile, even where `train` would compile it.
    """
    take_step = _prepare_step(config)
    for _ in range(2):  # the first steps allocate memory and compile
        take_step()
    times: list[float] = []
    while len(times) < MIN_STEPS or sum(times) < MEASURED_SECONDS:
        began = time.perf_counter()
        take_step()
        times.append(time.perf_counter() - began)
    tokens = config.training.batch_size * config.model.context_tokens * len(times)
    tokens_per_second = tokens / sum(times)
    keep_calibration(config, tokens_per_second=tokens_per_second, when=time.strftime("%Y-%m-%d"))
    return tokens_per_second


def _prepare_step(config: Config) -> Callable[[], float]:
    """Build the model and optimizer; return a function that takes a training step on random tokens and waits for it."""
    machine = open_machine(
        config.hardware,
        peak_flops_per_second=find_peak(config.hardware),
        compile_pays=False,
        deterministic=False,
        attention_shape=config.attention_shape,
    )
    vocabulary, shape = config.data.vocab_size, (config.training.batch_size, config.model.context_tokens)
    model = Transformer(
        config.model, vocab_size=vocabulary, residual=machine.residual, attention_fn=machine.attention_fn
    )
    model.initialise(config.training.seed)
    model.to(machine.device)
    optimizer = build_optimizer(model, config.optimizer, device=machine.device)
    ids_BT = torch.randint(vocabulary, shape, device=machine.device)
    parts = micro_batches(Batch(ids_BT, ids_BT), config.training.micro_batch_size)
    loss_of = compile_loss(model, parts[0], machine).loss_of if machine.compile else mean_loss
    limit = config.optimizer.clip_grad_norm
    return lambda: float(
        train_step(model, optimizer, parts, loss_of=loss_of, clip_grad_norm=limit, machine=machine).loss
    )
