"""The memory that training steps take at most: `python -m tests.planning.step_peak SETTINGS` prints it in bytes.

In a process of its own: one that has trained before has memory that it kept, and its steps take no more of the system.
"""

import sys
from pathlib import Path

import torch

from tests.warm_process import warm
from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.data.batches import Batch
from tinystories_lm.hardware.setup import open_machine
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.training.loop import train_step
from tinystories_lm.training.loss import mean_loss
from tinystories_lm.training.optimizer import build_optimizer

STEPS = 2  # the second has the optimizer's moments beside it


def status_bytes(name: str) -> int:
    return int(Path("/proc/self/status").read_text().split(f"{name}:")[1].split()[0]) * 1024


def main() -> None:
    register()
    config = compose_config([*sys.argv[1:], "hardware=cpu", "hardware.threads=1"]).config
    warm()  # leaves the imports of the first step out of the peak
    before = status_bytes("VmRSS")
    machine = open_machine(
        config.hardware,
        peak_flops_per_second=1e12,
        compile_pays=False,
        deterministic=False,
        attention_shape=config.attention_shape,
    )
    model = Transformer(config.model, vocab_size=config.data.vocab_size, attention_fn=machine.attention_fn)
    model.initialise(0)
    optimizer = build_optimizer(model, config.optimizer, device=machine.device)
    ids_BT = torch.randint(300, (config.training.micro_batch_size, config.model.context_tokens))
    for _ in range(STEPS):
        train_step(model, optimizer, [Batch(ids_BT, ids_BT)], loss_of=mean_loss, clip_grad_norm=1.0, machine=machine)
    print(status_bytes("VmHWM") - before)


if __name__ == "__main__":
    main()
