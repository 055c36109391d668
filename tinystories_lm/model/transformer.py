"""A decoder-only transformer: pre-norm RMSNorm, rotary positions, SwiGLU, no biases (as Llama; Touvron et al. 2023).

Shapes: B batch, T tokens, D d_model, V vocabulary.
"""

import math

import torch
from torch import Tensor, nn

from tinystories_lm.config.schema import ModelConfig
from tinystories_lm.model.attention import Attention, AttentionFn, attention_by_kernel
from tinystories_lm.model.layers import RMSNorm, RopeTables, SwiGLU, rope_tables


class Block(nn.Module):
    """Attention, then the MLP, each on a normalised copy of the residual stream."""

    def __init__(self, config: ModelConfig, *, attention_fn: AttentionFn = attention_by_kernel) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.d_model, eps=config.norm_eps)
        self.attention = Attention(config, attention_fn=attention_fn)
        self.mlp_norm = RMSNorm(config.d_model, eps=config.norm_eps)
        self.mlp = SwiGLU(config)

    def forward(self, x_BTD: Tensor, positions: RopeTables) -> Tensor:
        x_BTD = x_BTD + self.attention(self.attention_norm(x_BTD), positions)
        return x_BTD + self.mlp(self.mlp_norm(x_BTD))


class Transformer(nn.Module):
    """Map token ids to the logits of each next token.

    residual: dtype of the stream that the blocks add to; bfloat16 halves the bytes moved between them.
    attention_fn: how attention is computed; implementations differ only in rounding.
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        vocab_size: int,
        residual: torch.dtype = torch.float32,
        attention_fn: AttentionFn = attention_by_kernel,
    ) -> None:
        super().__init__()
        self.config, self.residual = config, residual
        self.embedding = nn.Embedding(vocab_size, config.d_model)
        self.blocks = nn.ModuleList(Block(config, attention_fn=attention_fn) for _ in range(config.n_layers))
        self.norm = RMSNorm(config.d_model, eps=config.norm_eps)
        self.head = nn.Linear(config.d_model, vocab_size, bias=False)
        if config.tie_embeddings:
            self.head.weight = self.embedding.weight

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """Return the logits [B, T, V] for the token after each of `tokens_BT`."""
        positions_T = torch.arange(tokens_BT.shape[1], device=tokens_BT.device)
        head_width = self.config.d_model // self.config.n_heads
        positions = rope_tables(positions_T, head_width=head_width, theta=self.config.rope_theta)
        x_BTD = self.embedding(tokens_BT).to(self.residual)
        for block in self.blocks:
            x_BTD = block(x_BTD, positions)
        return self.head(self.norm(x_BTD))

    def materialise(self, device: str | torch.device) -> "Transformer":
        """Allocate uninitialised weights for a model built on the meta device, and keep tied weights tied."""
        self.to_empty(device=device)
        if self.config.tie_embeddings:
            self.head.weight = self.embedding.weight
        return self

    @torch.no_grad()
    def initialise(self, seed: int) -> None:
        """Draw the weights from a normal distribution of standard deviation 0.02 (Radford et al. 2019).

        For the output projection of each branch it is divided by sqrt(2 n_layers). Norm weights are 1. Drawing on the
        CPU gives every device the same weights.
        """
        generator = torch.Generator().manual_seed(seed)
        output_std = 0.02 / math.sqrt(2 * self.config.n_layers)
        for name, weight in self.named_parameters():
            if weight.dim() == 1:
                weight.fill_(1.0)
                continue
            std = output_std if name.endswith(("attention.output.weight", "mlp.down.weight")) else 0.02
            weight.copy_(torch.empty(weight.shape).normal_(0.0, std, generator=generator))
