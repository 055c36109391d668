"""Count the parameters and FLOPs that a model config implies, without torch.

Letters: T tokens, D d_model.
"""

from typing import NamedTuple

from tinystories_lm.config.schema import ModelConfig

CHINCHILLA_TOKENS_PER_PARAMETER = 20.0  # Hoffmann et al. 2022, arXiv 2203.15556, table 3


class ParameterCount(NamedTuple):
    total: int
    without_embeddings: int  # neither input embeddings nor an untied output head

    def __str__(self) -> str:
        return f"{self.total / 1e6:.1f}M parameters ({self.without_embeddings / 1e6:.1f}M without embeddings)"


def count_parameters(config: ModelConfig, *, vocab_size: int) -> ParameterCount:
    """Count the parameters exactly."""
    width, head_width = config.d_model, config.d_model // config.n_heads
    attention = 4 * width * width + (2 * head_width if config.qk_norm else 0)
    block = attention + 3 * width * config.d_ff + 2 * width
    inner = config.n_layers * block + width
    embeddings = vocab_size * width * (1 if config.tie_embeddings else 2)
    return ParameterCount(inner + embeddings, inner)


class Flops(NamedTuple):
    """Floating-point operations of a training step for each token, forward and backward."""

    matrices: float
    attention: float

    @property
    def total(self) -> float:
        return self.matrices + self.attention


def training_flops(config: ModelConfig, *, vocab_size: int) -> Flops:
    """Count 6 for each weight of a matrix that tokens are multiplied by, and 12 D a layer for each key that is seen.

    Kaplan et al. 2020, table 1: the output head counts, the embedding look-up does not. Attention's two products take
    2 D each for a query and a key, over all heads, and twice as much in the backward pass.
    """
    matrices = config.n_layers * (4 * config.d_model**2 + 3 * config.d_model * config.d_ff)
    attention = config.n_layers * mean_seen_keys(config) * config.d_model
    return Flops(6.0 * (matrices + vocab_size * config.d_model), 12.0 * attention)


def mean_seen_keys(config: ModelConfig) -> float:
    """Return how many keys the mask of model/attention lets a query see, on average over a full context."""
    return config.context_tokens / 2


def flops_per_token(config: ModelConfig, *, vocab_size: int) -> float:
    """Return the floating-point operations of a training step for each token."""
    return training_flops(config, vocab_size=vocab_size).total
