"""The compiled step: one graph, the eager step's numbers, and no copy of the logits that nobody needs."""

import dataclasses
import re

import numpy as np
import pytest
import torch
from torch._dynamo.utils import counters
from torch._inductor.utils import run_and_get_code

from tests.test_model import SMALL, VOCAB, build
from tests.test_training import ADAMW, CPU, MACHINE, batch
from tinystories_lm.data.batches import Batches, token_tensor, validation_batches
from tinystories_lm.model import Transformer
from tinystories_lm.optimizer import build_optimizer
from tinystories_lm.training import LossOf, mean_loss, micro_batches, train_step, validate

pytestmark = pytest.mark.slow  # a compilation takes a quarter of a minute
BF16 = dataclasses.replace(MACHINE, dtype=torch.bfloat16, compile=True)
ROWS = 4


def compiled() -> LossOf:
    torch.compiler.reset()
    counters.clear()
    return torch.compile(mean_loss, fullgraph=True, dynamic=False)


def losses_of(loss_of: LossOf, residual: torch.dtype) -> list[float]:
    model = Transformer(SMALL, vocab_size=VOCAB, residual=residual)
    model.initialise(0)
    optimizer = build_optimizer(model, ADAMW, device=CPU)
    return [
        float(
            train_step(
                model, optimizer, micro_batches(batch(ROWS), 2), loss_of=loss_of, clip_grad_norm=1.0, machine=BF16
            ).loss
        )
        for _ in range(10)
    ]


@pytest.mark.parametrize("residual", [torch.float32, torch.bfloat16], ids=str)
def test_compiled_steps_give_the_eager_losses_within_bfloat16s_noise(residual: torch.dtype) -> None:
    eager, fast = losses_of(mean_loss, residual), losses_of(compiled(), residual)
    assert fast == pytest.approx(eager, abs=0.02)
    assert eager[-1] < eager[0] - 0.3, "they learn"


def test_training_and_validation_share_one_graph_without_a_break() -> None:
    loss_of, model = compiled(), build(wide=1.0)
    optimizer = build_optimizer(model, ADAMW, device=CPU)
    stream = token_tensor((np.arange(1000) % VOCAB).astype(np.uint16), CPU)
    batches = Batches(stream, context_tokens=16, sequences=lambda step: range(ROWS * step, ROWS * step + ROWS), seed=0)
    for step in range(3):
        parts = micro_batches(batches.batch(step, device=CPU), 2)
        train_step(model, optimizer, parts, loss_of=loss_of, clip_grad_norm=1.0, machine=BF16)
        scored = validation_batches(stream, eval_tokens=100, context_tokens=16, batch_size=2, device=CPU)
        validate(model, scored, torch.ones(VOCAB, dtype=torch.int64), BF16, loss_of=loss_of)
    assert counters["stats"]["unique_graphs"] == 1
    assert not counters["graph_break"]


def test_the_logits_are_held_in_bfloat16_alone() -> None:
    model, data = build(wide=1.0), batch(ROWS)
    with BF16.computing():
        _, code = run_and_get_code(lambda: compiled()(model, data).backward())
    wide = set(re.findall(rf"\((\d+), {VOCAB}\), \({VOCAB}, 1\), torch\.(\w+)", "\n".join(code)))
    assert wide == {(str(ROWS * SMALL.context_tokens), "bfloat16")}
