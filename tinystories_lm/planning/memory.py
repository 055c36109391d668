"""Model the memory of a training step: what it needs, and which micro-batch fits. Does not load torch."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from tinystories_lm.config.choices import OPTIMIZERS, Attention, Device, OptimizerKind, Precision, Switch
from tinystories_lm.config.schema import Config, HardwareConfig, ModelConfig
from tinystories_lm.hardware.memory import USABLE_SHARE, Available
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


# Counted on CUDA as what the forward pass leaves and as the allocator's peaks (benchmarks/memory.py counts again).
EAGER_LOGIT_BYTES = 12  # for each logit at the peak: its log-softmax, the gradient of that, and its copy in bfloat16
LIBRARY_BYTES = 70e6  # workspaces that cuBLAS takes from torch's allocator on Hopper; 8 MB on older GPUs
MUON_BYTES = 12  # temporary, for each inner weight: copies in bfloat16 and the update in float32


class Memory(NamedTuple):
    """Bytes of one training step at its peak, while a checkpoint is written beside it."""

    weights: float
    gradients: float
    optimizer: float
    activations: float  # of one micro-batch, with what a step takes for a while; on a CPU eager
    checkpoint: float = 0.0  # the copy of weights and state that is written; on a GPU it is in the host's memory

    @property
    def total(self) -> float:
        return sum(self)


def step_memory(config: Config, *, vocab_size: int | None = None, micro_batch_size: int | None = None) -> Memory:
    """Return what a training step needs at its peak.

    vocab_size, micro_batch_size: the config's where they are left out.

    Weights, gradients and the optimizer's state are float32. Gradients count although those of a batch that is computed
    at once grow only as the activations shrink: the sum is then at most a quarter too large.
    """
    vocabulary = vocab_size or config.data.vocab_size
    tokens = (micro_batch_size or config.training.micro_batch_size) * config.model.context_tokens
    count = count_parameters(config.model, vocab_size=vocabulary)
    traits = OPTIMIZERS[config.optimizer.kind]
    inner, rest = count.without_embeddings, count.total - count.without_embeddings
    state = traits.inner_state * inner + traits.rest_state * rest
    activations = tokens * activation_bytes_per_token(config, vocab_size=vocabulary)
    if config.hardware.device is Device.cuda:
        copied = count.total if _bytes_of_a_number(config.hardware) == 2 else 0  # autocast copies the weights
        of_step = MUON_BYTES * inner if config.optimizer.kind is OptimizerKind.muon else 0
        activations = max(activations + 2.0 * copied, of_step) + LIBRARY_BYTES
        return Memory(4.0 * count.total, 4.0 * count.total, 4.0 * state, activations)
    return Memory(4.0 * count.total, 4.0 * count.total, 4.0 * state, activations, 4.0 * (count.total + state))


def activation_bytes_per_token(config: Config, *, vocab_size: int) -> float:
    """Return the bytes of a step's activations for each token, at the worst moment of the step."""
    model, hardware = config.model, config.hardware
    if hardware.device is Device.cuda:
        return _cuda_bytes_per_token(model, hardware, vocab_size=vocab_size)
    precision = chosen_precision(hardware.precision, hardware.device)
    logits = KEPT_BYTES[precision].logits * vocab_size
    inner = kept_bytes_per_token(model, vocab_size=vocab_size, precision=precision) - logits
    on_cpu = hardware.device in (Device.cpu, Device.auto)
    in_blocks = on_cpu and model.context_tokens <= BLOCKS_PAY_TOKENS
    scores = model.n_layers * model.n_heads * mean_seen_keys(model) if in_blocks else 0
    return PEAK_OVER_KEPT * inner + LOGIT_BYTES * vocab_size + SCORE_BYTES * scores


def _cuda_bytes_per_token(model: ModelConfig, hardware: HardwareConfig, *, vocab_size: int) -> float:
    """Return the bytes of a step's activations on CUDA, for each token.

    The peak is where the backward pass begins: every block's activations are there, and either the logits and their
    gradients or, in a model that is wider than its vocabulary, the gradients inside the last MLP.
    """
    compiled, number = counts_as_compiled(hardware), _bytes_of_a_number(hardware)
    residual = min(4, number) if hardware.residual is Precision.bfloat16 else 4
    # For each of D: queries, keys, values, attention's output and two norms' outputs. An eager norm gives float32 if
    # the residual stream does, which autocast converts once for each of the five products. QK-norm keeps its inputs.
    outputs = 6 + (3 if residual > number and not compiled else 0) + (2 if model.qk_norm else 0)
    wide = 3 if compiled else 4  # for each of F: gate, up, their product; eager, silu(gate) too
    block = model.d_model * (2 * residual + outputs * number) + model.d_ff * wide * number
    heads = model.n_heads * (12 if model.qk_norm else 4)  # the norms and log-sums of scores, in float32
    head = vocab_size * (number if compiled else EAGER_LOGIT_BYTES)
    mlp = (model.d_ff * wide + model.d_model * 2) * number
    ends = (residual + number) * model.d_model
    kept = model.n_layers * (block + heads) + ends + max(head, mlp)
    if hardware.attention is Attention.math:  # keeps the weights of all scores, and takes as much again in two layers
        kept += 4 * (model.n_layers + 2) * model.n_heads * model.context_tokens
    return float(kept)


def counts_as_compiled(hardware: HardwareConfig) -> bool:
    """Return whether the predicted memory is a compiled step's, which on a CPU is about an eager one's or less."""
    return hardware.device is Device.cuda and hardware.compile is not Switch.off


def _bytes_of_a_number(hardware: HardwareConfig) -> int:
    return 2 if chosen_precision(hardware.precision, hardware.device) is Precision.bfloat16 else 4


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


def fitting_on_hardware(config: Config) -> int | None:
    """Return the most sequences at once that fit the memory of the config's hardware; None where it is unknown.

    At most `training.micro_batch_size`; 0 where not even one fits.
    """
    memory_bytes = config.hardware.memory_bytes
    if not memory_bytes:
        return None
    return fitting_micro_batch([config], USABLE_SHARE * memory_bytes, most=config.training.micro_batch_size)


def what_would_fit(config: Config, available: Available) -> str:
    """Explain, after a run found no memory, what it needs and which setting to lower.

    available: before the run took any.
    """
    size = config.training.micro_batch_size
    need = f"training.micro_batch_size={size} needs about {storage(_total(config, size))}"
    here = available.describe(config.hardware.device)
    fits = fitting_micro_batch([config], available.usable, most=size // 2)
    if not fits:
        return f"{need}, {here}: take a smaller model, or a smaller model.context_tokens"
    less = f"about {storage(_total(config, fits))}"
    return f"{need}, {here}: type training.micro_batch_size={fits} ({less}; the batch stays, and so do its numbers)"
