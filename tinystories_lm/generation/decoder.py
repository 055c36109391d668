"""Decode with a KV cache: compute what `Transformer` computes, one token at a time, in fewer and larger operations.

Matrices that read the same input are merged, the norms' gains are multiplied into the matrices behind them, keys and
values are kept, and each product takes the form that is fastest on this processor. Products are computed in the dtype
of the weights, everything between them in float32.

Shapes: B texts, T tokens, C kept tokens, D d_model, H heads, K head width, F d_ff, V vocabulary, N rows of a matrix,
M its columns.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from tinystories_lm.model.attention import Attention, KernelMask
from tinystories_lm.model.layers import RMSNorm, rope_tables
from tinystories_lm.model.transformer import Block, Transformer

Product = Callable[[Tensor], Tensor]  # by a fixed matrix: float32 in, float32 out
Watch = Callable[[str, Tensor], None]  # called with the name and the output of each part of the model


class Layer(NamedTuple):
    """A block's weights, arranged for decoding."""

    query_key_value: Product
    output: Product
    gate_up: Product
    down: Product
    query_key_gain: Tensor | None  # [2H, K], with QK-norm


class Places(NamedTuple):
    """What depends on where the newest tokens stand in their texts."""

    cos: Tensor  # [T, 1, K], or [B, T, 1, K]
    sin: Tensor  # the first half negative
    mask: KernelMask
    slot_1: Tensor | None = None  # where a single newest token is kept; None: after all that is kept


class Decoder:
    """Read texts of any lengths together, then take one token of each text at a time.

    batch_size: the number of texts.
    dtype: of the matrices.

    Texts are aligned at their newest token: shorter ones have padding before them, which no token sees.
    """

    def __init__(self, model: Transformer, batch_size: int, *, dtype: torch.dtype = torch.float32) -> None:
        config = self.config = model.config
        self.batch_size, self.device = batch_size, model.embedding.weight.device
        self.head_width = config.d_model // config.n_heads
        blocks = [block for block in model.blocks if isinstance(block, Block)]
        self._attention_of_model = blocks[0].attention
        with torch.no_grad():
            self.embedding = model.embedding.weight.float()
            self.layers = [_arrange(block, batch_size, dtype) for block in blocks]
            self.head = product(_with_gain(model.head.weight, model.norm.weight), batch_size, dtype)
            positions_C = torch.arange(config.context_tokens, device=self.device)
            tables = rope_tables(positions_C, head_width=self.head_width, theta=config.rope_theta)
        self._cos_C1K = torch.cat((tables.cos_T1k, tables.cos_T1k), dim=-1)
        self._sin_C1K = torch.cat((-tables.sin_T1k, tables.sin_T1k), dim=-1)
        self.keys: list[Tensor] = []  # [B, H, C, K] for each layer
        self.values: list[Tensor] = []
        self.length = 0  # tokens kept so far, padding included
        self._padding_B: Tensor | None = None  # padding tokens before each text; None where all are of one length

    @torch.inference_mode()
    def read(self, texts: Sequence[Sequence[int]]) -> Tensor:
        """Drop what was kept, read the texts in one pass, and return the logits [B, V] for the token after each.

        The logits are on the CPU, where tokens are drawn: one transfer is the only wait for a GPU.

        Raises ValueError for an empty text and for one longer than the context.
        """
        return self._append(self._begin(texts)).cpu()

    @torch.inference_mode()
    def step(self, tokens_B: Tensor) -> Tensor:
        """Take the next token of each text and return the logits [B, V] for the one after it, on the CPU."""
        return self._append(tokens_B[:, None].to(self.device)).cpu()

    @torch.inference_mode()
    def where_not_finite(self, text: Sequence[int]) -> str:
        """Name the first part of the model whose output is not finite while it reads `text`; empty if all are."""
        found: list[str] = []

        def watch(part: str, output: Tensor) -> None:
            if not found and not torch.isfinite(output).all():
                found.append(part)

        self._append(self._begin([text] * self.batch_size), watch)
        return "".join(found)

    def _begin(self, texts: Sequence[Sequence[int]]) -> Tensor:
        """Make room for new texts and return their tokens [B, T], with padding before the shorter ones."""
        lengths, limit = [len(text) for text in texts], self.config.context_tokens
        if len(texts) != self.batch_size or min(lengths) < 1 or max(lengths) > limit:
            raise ValueError(
                f"{len(texts)} texts of {lengths} tokens do not fit: this decoder reads {self.batch_size} texts "
                f"of 1 to {limit} tokens"
            )
        longest, shortest = max(lengths), min(lengths)
        self._padding_B = None
        if shortest < longest:
            self._padding_B = torch.tensor([longest - length for length in lengths], device=self.device)
        room = longest - shortest + limit  # the shortest text may fill its context
        self._make_room((self.batch_size, self.config.n_heads, room, self.head_width))
        self.length = 0
        padded = [[0] * (longest - len(text)) + list(text) for text in texts]
        return torch.tensor(padded, device=self.device)

    def _make_room(self, shape: tuple[int, ...]) -> None:
        self.keys = [torch.empty(shape, device=self.device) for _ in self.layers]
        self.values = [torch.empty(shape, device=self.device) for _ in self.layers]

    def _append(self, tokens_BT: Tensor, watch: Watch = lambda part, output: None) -> Tensor:
        """Take the next tokens of each text and return the logits [B, V] for the one after them."""
        logits_BV = self._forward(tokens_BT, self._places(tokens_BT.shape[1]), watch)
        self.length += tokens_BT.shape[1]
        return logits_BV

    def _forward(self, tokens_BT: Tensor, places: Places, watch: Watch = lambda part, output: None) -> Tensor:
        x_BTD = F.embedding(tokens_BT, self.embedding)
        watch("the embedding", x_BTD)
        for number, layer in enumerate(self.layers):
            x_BTD = x_BTD + self._attention(number, layer, x_BTD, places)
            watch(f"the attention of layer {number}", x_BTD)
            x_BTD = x_BTD + self._mlp(layer, x_BTD)
            watch(f"the MLP of layer {number}", x_BTD)
        logits_BV = self.head(self._normalised(x_BTD[:, -1:]))[:, -1]
        watch("the output head", logits_BV)
        return logits_BV

    def _attention(self, number: int, layer: Layer, x_BTD: Tensor, places: Places) -> Tensor:
        heads, (batch, length, width) = self.config.n_heads, x_BTD.shape
        qkv_BTHK = layer.query_key_value(self._normalised(x_BTD)).view(batch, length, 3 * heads, self.head_width)
        qk_BTHK = qkv_BTHK[:, :, : 2 * heads]
        if layer.query_key_gain is not None:
            qk_BTHK = self._normalised(qk_BTHK) * layer.query_key_gain
        # `apply_rope` in two operations: (a, b) times the cosines plus (b, a) times the sines, the first half negative
        qk_BTHK = torch.addcmul(qk_BTHK * places.cos, qk_BTHK.roll(self.head_width // 2, dims=-1), places.sin)
        qkv_BHTK = (qk_BTHK[:, :, :heads], qk_BTHK[:, :, heads:], qkv_BTHK[:, :, 2 * heads :])
        q_BHTK, k_BHTK, v_BHTK = (part.transpose(1, 2) for part in qkv_BHTK)
        keys_BHCK = self._keep(self.keys[number], k_BHTK, places)
        values_BHCK = self._keep(self.values[number], v_BHTK, places)
        attn_mask, is_causal = places.mask
        y_BHTK = F.scaled_dot_product_attention(
            q_BHTK, keys_BHCK, values_BHCK, attn_mask=attn_mask, is_causal=is_causal
        )
        return layer.output(y_BHTK.transpose(1, 2).reshape(batch, length, width))

    def _keep(self, kept_BHCK: Tensor, newest_BHTK: Tensor, places: Places) -> Tensor:
        """Keep the newest keys or values, and return those that attention reads."""
        if places.slot_1 is not None:
            return kept_BHCK.index_copy_(2, places.slot_1, newest_BHTK)
        end = self.length + newest_BHTK.shape[2]
        kept_BHCK[:, :, self.length : end] = newest_BHTK
        return kept_BHCK[:, :, :end]

    def _mlp(self, layer: Layer, x_BTD: Tensor) -> Tensor:
        gate_BTF, up_BTF = layer.gate_up(self._normalised(x_BTD)).chunk(2, dim=-1)
        return layer.down(F.silu(gate_BTF) * up_BTF)

    def _normalised(self, x: Tensor) -> Tensor:
        """Apply RMSNorm but for its gain: x / sqrt(mean(x²) + eps), in few operations, only one of them large.

        The root of the width is part of the gain, see `_with_gain`.
        """
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        return x * (norm * norm + x.shape[-1] * self.config.norm_eps).rsqrt()

    def _places(self, n_tokens: int) -> Places:
        """Return the rotations and the mask of the next `n_tokens` of each text."""
        first, end = self.length, self.length + n_tokens
        mask = self._attention_of_model.mask_of_newest(n_tokens, end, padding_B=self._padding_B)
        if self._padding_B is None:
            return Places(self._cos_C1K[first:end], self._sin_C1K[first:end], mask)
        positions_BT = torch.arange(first, end, device=self.device) - self._padding_B[:, None]
        positions_BT = positions_BT.clamp(0, self.config.context_tokens - 1)
        return Places(self._cos_C1K[positions_BT], self._sin_C1K[positions_BT], mask)


def _arrange(block: Block, batch_size: int, dtype: torch.dtype) -> Layer:
    attention, mlp = block.attention, block.mlp
    qkv_NM = torch.cat([part.weight for part in (attention.query, attention.key, attention.value)])
    gate_up_NM = torch.cat([mlp.gate.weight, mlp.up.weight])
    return Layer(
        query_key_value=product(_with_gain(qkv_NM, block.attention_norm.weight), batch_size, dtype),
        output=product(attention.output.weight, batch_size, dtype),
        gate_up=product(_with_gain(gate_up_NM, block.mlp_norm.weight), batch_size, dtype),
        down=product(mlp.down.weight, batch_size, dtype),
        query_key_gain=_head_gains(attention),
    )


def _head_gains(attention: Attention) -> Tensor | None:
    """Return QK-norm's gains for queries, then keys [2H, K], times the root of the width; None without QK-norm."""
    gains: list[Tensor] = [
        norm.weight for norm in (attention.query_norm, attention.key_norm) if isinstance(norm, RMSNorm)
    ]
    if not gains:
        return None
    gains_2K = torch.stack(gains).float() * math.sqrt(gains[0].numel())
    return gains_2K.repeat_interleave(attention.n_heads, dim=0)


def _with_gain(weight_NM: Tensor, gain_M: Tensor) -> Tensor:
    """Multiply the gain of the norm before a matrix, and the root of its width, into the matrix."""
    return weight_NM.float() * (gain_M.float() * math.sqrt(gain_M.numel()))


def product(weight_NM: Tensor, rows: int, dtype: torch.dtype) -> Product:
    """Return the function x → x times the transposed matrix, in the form that is fastest on this processor.

    dtype: of the computation.
    rows: how many rows of x come at a time, once a text has been read.

    Measured with benchmarks/generate.py on 2 cores of an AMD EPYC, for 512 × 1,536: one row of float32 takes 280 us
    with F.linear, because MKL works on the matrix with one thread, and 85 us as a product of the matrix's two halves;
    16 rows take 370 us, and 175 us with oneDNN once it has reordered the matrix.
    """
    weight_NM = weight_NM.to(dtype).contiguous()
    on_x86 = weight_NM.device.type == "cpu" and torch.backends.cpu.get_cpu_capability().startswith("AVX")
    if on_x86 and dtype is torch.float32 and rows == 1 and weight_NM.shape[0] % 2 == 0:
        return _by_halves(weight_NM)
    if on_x86 and _has_onednn(dtype):
        return _by_onednn(weight_NM)
    return _linear(weight_NM)


def _linear(weight_NM: Tensor) -> Product:
    return lambda x: F.linear(x.to(weight_NM.dtype), weight_NM).float()


def _by_halves(weight_NM: Tensor) -> Product:
    n, m = weight_NM.shape
    halves_2NM, linear = weight_NM.view(2, n // 2, m), _linear(weight_NM)

    def multiply(x: Tensor) -> Tensor:
        if x.numel() > m:  # a text is being read
            return linear(x)
        return torch.bmm(halves_2NM, x.reshape(1, m).t().expand(2, m, 1)).view(*x.shape[:-1], n)

    return multiply


def _by_onednn(weight_NM: Tensor) -> Product:
    dtype, reordered = weight_NM.dtype, torch.ops.mkldnn._reorder_linear_weight(weight_NM)

    def multiply(x: Tensor) -> Tensor:
        y: Tensor = torch.ops.mkldnn._linear_pointwise(x.to(dtype), reordered, None, "none", [], "")
        return y.float()

    return multiply


def _has_onednn(dtype: torch.dtype) -> bool:
    """Return whether torch was built with the operators that its own compiler uses for products on this processor."""
    names = ("_reorder_linear_weight", "_linear_pointwise", "_is_mkldnn_bf16_supported")
    if not torch.backends.mkldnn.is_available() or not all(hasattr(torch.ops.mkldnn, name) for name in names):
        return False
    return dtype is torch.float32 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
