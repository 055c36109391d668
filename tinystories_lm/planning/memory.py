"""Model the memory of a training step: what it needs, and which micro-batch fits. Does not load torch."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from tinystories_lm.config.choices import OPTIMIZERS, Device, Precision
from tinystories_lm.config.schema import Config, ModelConfig
from tinystories_lm.hardware.processor import BLOCKS_PAY_TOKENS, chosen_precision
from tinystories_lm.model.flops import count_parameters, mean_seen_keys
from tinystories_lm.system.console import storage


class Kept(NamedTuple):
    """Bytes that autograd keeps for the backward pass, for each token. Letters as in model/flops.py."""

    inner: int  # times L D
    wide: int  # times L F
    logits: int  # times V
    ends: int  # times D


# Counted on the eager model (tests/model/test_flops.py counts again).
KEPT_BYTES = {Precision.float32: Kept(40, 16, 4, 12), Precision.bfloat16: Kept(38, 8, 4, 7)}
# Measured on a CPU as the peaks of whole steps, float32 and bfloat16 (tests/planning/test_memory.py measures again).
PEAK_OVER_KEPT = 1.8  # of what is kept but for the logits: freed memory is not all used again at once
LOGIT_BYTES = 22  # for each logit: itself, its copies in float32, its softmax and their gradients
SCORE_BYTES = 10  # for each attention score of the CPU's kernel in blocks, which keeps them


class Memory(NamedTuple):
    """Bytes of one training step at its peak."""

    weights: float
    gradients: float
    optimizer: float
    activations: float  # of one micro-batch, eager; a compiled step needs less

    @property
    def total(self) -> float:
        return sum(self)


def step_memory(config: Config, *, vocab_size: int | None = None, micro_batch_size: int | None = None) -> Memory:
    """Return what a training step needs at its peak.

    vocab_size, micro_batch_size: the config's where they are left out.

    Weights, gradients and the optimizer's state are float32.
    """
    vocabulary = vocab_size or config.data.vocab_size
    tokens = (micro_batch_size or config.training.micro_batch_size) * config.model.context_tokens
    count = count_parameters(config.model, vocab_size=vocabulary)
    traits = OPTIMIZERS[config.optimizer.kind]
    inner, rest = count.without_embeddings, count.total - count.without_embeddings
    state = traits.inner_state * inner + traits.rest_state * rest
    activations = tokens * activation_bytes_per_token(config, vocab_size=vocabulary)
    return Memory(4.0 * count.total, 4.0 * count.total, 4.0 * state, activations)


def activation_bytes_per_token(config: Config, *, vocab_size: int) -> float:
    """Return the bytes of a step's activations for each token, at the worst moment of the step."""
    model, hardware = config.model, config.hardware
    precision = chosen_precision(hardware.precision, hardware.device)
    logits = KEPT_BYTES[precision].logits * vocab_size
    inner = kept_bytes_per_token(model, vocab_size=vocab_size, precision=precision) - logits
    on_cpu = hardware.device in (Device.cpu, Device.auto)
    in_blocks = on_cpu and model.context_tokens <= BLOCKS_PAY_TOKENS
    scores = model.n_layers * model.n_heads * mean_seen_keys(model) if in_blocks else 0
    return PEAK_OVER_KEPT * inner + LOGIT_BYTES * vocab_size + SCORE_BYTES * scores


def kept_bytes_per_token(model: ModelConfig, *, vocab_size: int, precision: Precision) -> float:
    """Return the bytes that autograd keeps for the backward pass, for each token."""
    inner, wide, logits, ends = KEPT_BYTES[precision]
    layers, width = model.n_layers, model.d_model
    return float(inner * layers * width + wide * layers * model.d_ff + logits * vocab_size + ends * width)


def fitting_micro_batch(configs: Sequence[Config], usable: float, *, most: int) -> int:
    """Return the most sequences at once that divide every config's batch and fit; 0 where not even one does."""
    batch_size = math.gcd(*(config.training.batch_size for config in configs))
    small = [n for n in range(1, math.isqrt(batch_size) + 1) if batch_size % n == 0]
    sizes = sorted({n for pair in ((n, batch_size // n) for n in small) for n in pair if n <= most}, reverse=True)
    return next((n for n in sizes if all(_total(config, n) <= usable for config in configs)), 0)


def _total(config: Config, micro_batch_size: int) -> float:
    return step_memory(config, micro_batch_size=micro_batch_size).total


def what_would_fit(config: Config, usable: float) -> str:
    """Explain, after a run found no memory, what it needs and which setting to lower.

    usable: bytes, before the run took any.
    """
    size = config.training.micro_batch_size
    need = f"training.micro_batch_size={size} needs about {storage(_total(config, size))}"
    here = f"this {config.hardware.device} has {storage(usable)} for it"
    fits = fitting_micro_batch([config], usable, most=size // 2)
    if not fits:
        return f"{need}, {here}: take a smaller model, or a smaller model.context_tokens"
    less = f"about {storage(_total(config, fits))}"
    return f"{need}, {here}: type training.micro_batch_size={fits} ({less}; the batch stays, and so do its numbers)"
