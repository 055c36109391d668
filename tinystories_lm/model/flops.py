"""What a config implies by arithmetic alone: parameters, operations and memory. Nothing here needs torch.

Letters as in model.py: B batch, T tokens, D d_model, F d_ff, V vocabulary, L layers.
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
    """Exact counts."""
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
    """6 for each weight of a matrix that tokens are multiplied by, and 6 T D a layer for causal attention.

    Kaplan et al. 2020, table 1: the output head counts, the embedding look-up does not. Attention's two products are
    T x K by K x T a head, of which the mask leaves half.
    """
    matrices = config.n_layers * (4 * config.d_model**2 + 3 * config.d_model * config.d_ff)
    attention = config.n_layers * config.context_tokens * config.d_model
    return Flops(6.0 * (matrices + vocab_size * config.d_model), 6.0 * attention)


def flops_per_token(config: ModelConfig, *, vocab_size: int) -> float:
    return training_flops(config, vocab_size=vocab_size).total
