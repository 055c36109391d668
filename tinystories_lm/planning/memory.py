"""The memory that a run may take here, and what fits into it."""

import dataclasses
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch

from tinystories_lm.config.choices import Device, OptimizerKind, Precision
from tinystories_lm.config.schema import Config
from tinystories_lm.hardware.attention_kernels import BLOCKS_PAY_TOKENS
from tinystories_lm.hardware.detect import chosen_dtype
from tinystories_lm.model.flops import count_parameters
from tinystories_lm.system.console import storage

# Measured on a CPU as the peaks of whole steps, float32 and bfloat16 (tests/test_capacity.py holds them).
PEAK_OVER_KEPT = 1.8  # of activations but for the logits: freed ones are not all used again at once
LOGIT_BYTES = 22  # a logit, with its copies in float32, its softmax and their gradients
SCORE_BYTES = 10  # a score of attention in blocks, which is kept


def needed_bytes(config: Config, micro_batch_size: int) -> float:
    """The most that an eager training step has at a time, with so many sequences at once; a compiled one takes less.

    What autograd keeps is known by arithmetic; what else lives beside it at the worst moment was measured.
    """
    model, vocab_size, halves = config.model, config.data.vocab_size, chosen_dtype(config.hardware) is torch.bfloat16
    sized = dataclasses.replace(
        config,
        training=dataclasses.replace(config.training, micro_batch_size=micro_batch_size),
        hardware=dataclasses.replace(config.hardware, precision=Precision.bfloat16 if halves else Precision.float32),
    )
    step, tokens = memory(sized, vocab_size=vocab_size), micro_batch_size * model.context_tokens
    logits = tokens * vocab_size
    kept = step.activations - KEPT_BYTES[sized.hardware.precision].logits * logits
    in_blocks = config.hardware.device is Device.cpu and model.context_tokens <= BLOCKS_PAY_TOKENS
    scores = model.n_layers * model.n_heads * tokens * model.context_tokens / 2 if in_blocks else 0
    return step.total - step.activations + PEAK_OVER_KEPT * kept + LOGIT_BYTES * logits + SCORE_BYTES * scores


def fitting_micro_batch(configs: Sequence[Config], usable: float, *, most: int) -> int:
    """The most sequences at once that divide every config's batch and fit; 0 where not even one does."""
    batch_size = math.gcd(*(config.training.batch_size for config in configs))
    small = [n for n in range(1, math.isqrt(batch_size) + 1) if batch_size % n == 0]
    sizes = sorted({n for pair in ((n, batch_size // n) for n in small) for n in pair if n <= most}, reverse=True)
    return next((n for n in sizes if all(needed_bytes(config, n) <= usable for config in configs)), 0)


def what_would_fit(config: Config, usable: float) -> str:
    """What to lower after a run found no memory, and what that needs.

    usable: bytes, before the run took any.
    """
    size = config.training.micro_batch_size
    need = f"training.micro_batch_size={size} needs about {storage(needed_bytes(config, size))}"
    here = f"this {config.hardware.device} has {storage(usable)} for it"
    fits = fitting_micro_batch([config], usable, most=size // 2)
    if not fits:
        return f"{need}, {here}: take a smaller model, or a smaller model.context_tokens"
    less = f"about {storage(needed_bytes(config, fits))}"
    return f"{need}, {here}: type training.micro_batch_size={fits} ({less}; the batch stays, and so do its numbers)"


class Kept(NamedTuple):
    """Bytes kept for the backward pass, for each token."""

    inner: int  # times L D
    wide: int  # times L F
    logits: int  # times V
    ends: int  # times D


# Counted on the eager model.
KEPT_BYTES = {Precision.float32: Kept(40, 16, 4, 12), Precision.bfloat16: Kept(38, 8, 4, 7)}


class Memory(NamedTuple):
    """Bytes of one training step."""

    weights: float
    gradients: float
    optimizer: float
    activations: float  # kept for the backward pass, of one micro-batch; a compiled step keeps fewer

    @property
    def total(self) -> float:
        return sum(self)


def memory(config: Config, *, vocab_size: int) -> Memory:
    """Weights, gradients and the optimizer are float32: one moment of the inner matrices for Muon, two otherwise."""
    model = config.model
    count = count_parameters(model, vocab_size=vocab_size)
    moments = 2.0 * count.total
    if config.optimizer.kind is OptimizerKind.muon:
        moments -= count.without_embeddings
    inner, wide, logits, ends = KEPT_BYTES.get(config.hardware.precision, KEPT_BYTES[Precision.bfloat16])
    layers, width = model.n_layers, model.d_model
    each = inner * layers * width + wide * layers * model.d_ff + logits * vocab_size + ends * width
    tokens = config.training.micro_batch_size * model.context_tokens
    return Memory(4.0 * count.total, 4.0 * count.total, 4.0 * moments, float(each * tokens))
