"""A few training steps on this computer, timed, so that plans for it rest on a measurement."""

import time

import torch

from tinystories_lm.config.schema import Config
from tinystories_lm.data.batches import Batch
from tinystories_lm.hardware.detect import find_peak
from tinystories_lm.hardware.setup import open_machine
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.planning.estimate import keep_calibration
from tinystories_lm.training.loop import micro_batches, train_step
from tinystories_lm.training.loss import mean_loss
from tinystories_lm.training.optimizer import build_optimizer

SECONDS = 3.0  # of steps, after the first two
LEAST_STEPS = 3


def calibrate(config: Config, *, typed: Config) -> float:
    """Tokens a second in training steps of this config on random tokens; kept for `plan`.

    typed: the config before this machine was put in the place of hardware=auto: `plan` asks for that one.

    Evaluation, samples and checkpoints come on top. A step that would be compiled by hardware.compile=auto on a CPU
    is timed eager.
    """
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
    loss_of = torch.compile(mean_loss) if machine.compile else mean_loss
    ids_BT = torch.randint(vocabulary, shape, device=machine.device)
    parts = micro_batches(Batch(ids_BT, ids_BT), config.training.micro_batch_size)

    def seconds_of_a_step() -> float:
        began = time.perf_counter()
        result = train_step(
            model,
            optimizer,
            parts,
            loss_of=loss_of,
            clip_grad_norm=config.optimizer.clip_grad_norm,
            machine=machine,
        )
        float(result.loss)  # waits for the device
        return time.perf_counter() - began

    for _ in range(2):  # allocations, and the compiler's work
        seconds_of_a_step()
    times: list[float] = []
    while len(times) < LEAST_STEPS or sum(times) < SECONDS:
        times.append(seconds_of_a_step())
    tokens_per_second = ids_BT.numel() * len(times) / sum(times)
    for kept in (config, typed):
        keep_calibration(kept, tokens_per_second=tokens_per_second, when=time.strftime("%Y-%m-%d"))
    return tokens_per_second
