"""A trained model arranged for writing token after token: what `Transformer` computes, in fewer and larger steps.

Matrices that read the same input are one, the norms' gains are multiplied into the matrices behind them, keys and
values are kept, and a product takes the form that this processor does fastest. Products are in the weights' dtype,
all between them is float32.

Shapes: B texts, T tokens, C kept tokens, D d_model, H heads, K head width, F d_ff, V vocabulary, N rows of a matrix.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinystories_lm.model.transformer import Attention, Block, RMSNorm, Transformer, rope_tables

Product = Callable[[Tensor], Tensor]  # float32 in, float32 out


class Layer(NamedTuple):
    query_key_value: Product
    output: Product
    gate_up: Product
    down: Product
    query_key_gain: Tensor | None  # [2H, K], with QK-norm


class Decoder:
    """Reads texts of any lengths together, then takes one token for each at a time.

    batch_size: the number of texts.
    dtype: of the matrices.

    Texts are aligned at their newest token: shorter ones have padding before them, which nothing looks at.
    """

    def __init__(self, model: Transformer, batch_size: int, *, dtype: torch.dtype = torch.float32) -> None:
        config = self.config = model.config
        self.batch_size, self.device = batch_size, model.embedding.weight.device
        self.head_width = config.d_model // config.n_heads
        with torch.no_grad():
            self.embedding = model.embedding.weight.float()
            self.layers = [_arrange(block, batch_size, dtype) for block in model.blocks]
            head_VD = _with_gain(model.head.weight, model.norm.weight)
            self.head = product(head_VD, batch_size, dtype)
            turns = rope_tables(
                torch.arange(config.context_tokens, device=self.device),
                head_width=self.head_width,
                theta=config.rope_theta,
            )
        self._cos_C1K = torch.cat((turns.cos_T1k, turns.cos_T1k), dim=-1)
        self._sin_C1K = torch.cat((-turns.sin_T1k, turns.sin_T1k), dim=-1)
        self.keys: list[Tensor] = []  # [B, H, C, K] a layer
        self.values: list[Tensor] = []
        self.length = 0  # tokens kept so far, padding included
        self._padding_B: Tensor | None = None  # tokens of it before each text; None where all are of one length

    @torch.inference_mode()
    def read(self, texts: Sequence[Sequence[int]]) -> Tensor:
        """Forget all before, read the texts in one pass; logits [B, V] for the token after each.

        Raises ValueError for an empty text and for one longer than the context.
        """
        return self._forward(self._begin(texts))

    @torch.inference_mode()
    def step(self, tokens_B: Tensor) -> Tensor:
        """Take the next token of each text; logits [B, V] for the one after it."""
        return self._forward(tokens_B[:, None])

    @torch.inference_mode()
    def where_not_finite(self, text: Sequence[int]) -> str:
        """The first part of the model whose output, while it reads `text`, is not finite; empty where none is."""
        found: list[str] = []

        def watch(part: str, output: Tensor) -> None:
            if not found and not torch.isfinite(output).all():
                found.append(part)

        self._forward(self._begin([text] * self.batch_size), watch)
        return "".join(found)

    def _begin(self, texts: Sequence[Sequence[int]]) -> Tensor:
        """Make room for new texts; their tokens [B, T], with padding before the shorter ones."""
        lengths, limit = [len(text) for text in texts], self.config.context_tokens
        if len(texts) != self.batch_size or min(lengths) < 1 or max(lengths) > limit:
            raise ValueError(f"{len(texts)} texts of {lengths} tokens; this reads {self.batch_size} of 1 to {limit}")
        longest, shortest = max(lengths), min(lengths)
        self._padding_B = None
        if shortest < longest:
            self._padding_B = torch.tensor([longest - length for length in lengths], device=self.device)
        room = longest - shortest + limit  # the shortest text may fill its context
        shape = (self.batch_size, self.config.n_heads, room, self.head_width)
        self.keys = [torch.empty(shape, device=self.device) for _ in self.layers]
        self.values = [torch.empty(shape, device=self.device) for _ in self.layers]
        self.length = 0
        padded = [[0] * (longest - len(text)) + list(text) for text in texts]
        return torch.tensor(padded, device=self.device)

    def _forward(self, tokens_BT: Tensor, watch: Callable[[str, Tensor], None] = lambda part, output: None) -> Tensor:
        x_BTD = F.embedding(tokens_BT, self.embedding)
        watch("the embedding", x_BTD)
        places = self._places(tokens_BT.shape[1])
        for number, layer in enumerate(self.layers):
            x_BTD = x_BTD + self._attend(number, layer, x_BTD, places)
            watch(f"the attention of layer {number}", x_BTD)
            x_BTD = x_BTD + self._mix(layer, x_BTD)
            watch(f"the MLP of layer {number}", x_BTD)
        self.length += tokens_BT.shape[1]
        logits_BV = self.head(self._normalised(x_BTD[:, -1:]))[:, -1]
        watch("the output head", logits_BV)
        return logits_BV

    def _attend(self, number: int, layer: Layer, x_BTD: Tensor, places: "Places") -> Tensor:
        heads, (batch, length, width) = self.config.n_heads, x_BTD.shape
        qkv_BTHK = layer.query_key_value(self._normalised(x_BTD)).view(batch, length, 3 * heads, self.head_width)
        qk_BTHK = qkv_BTHK[:, :, : 2 * heads]
        if layer.query_key_gain is not None:
            qk_BTHK = self._normalised(qk_BTHK) * layer.query_key_gain
        # the half-split turn: (a, b) times the cosines, plus (b, a) times the sines, whose first half is negative
        qk_BTHK = torch.addcmul(qk_BTHK * places.cos, qk_BTHK.roll(self.head_width // 2, dims=-1), places.sin)
        qkv_BHTK = (qk_BTHK[:, :, :heads], qk_BTHK[:, :, heads:], qkv_BTHK[:, :, 2 * heads :])
        q_BHTK, k_BHTK, v_BHTK = (part.transpose(1, 2) for part in qkv_BHTK)
        end = self.length + length
        keys_BHCK, values_BHCK = self.keys[number], self.values[number]
        keys_BHCK[:, :, self.length : end] = k_BHTK
        values_BHCK[:, :, self.length : end] = v_BHTK
        y_BHTK = F.scaled_dot_product_attention(
            q_BHTK, keys_BHCK[:, :, :end], values_BHCK[:, :, :end], attn_mask=places.mask, is_causal=places.causal
        )
        return layer.output(y_BHTK.transpose(1, 2).reshape(batch, length, width))

    def _mix(self, layer: Layer, x_BTD: Tensor) -> Tensor:
        gate_BTF, up_BTF = layer.gate_up(self._normalised(x_BTD)).chunk(2, dim=-1)
        return layer.down(F.silu(gate_BTF) * up_BTF)

    def _normalised(self, x: Tensor) -> Tensor:
        """RMSNorm but for its gain: x / sqrt(mean(x²) + eps), in few operations, of which one is large.

        The root of the width is part of the gain, see `_with_gain`.
        """
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        return x * (norm * norm + x.shape[-1] * self.config.norm_eps).rsqrt()

    def _places(self, n_tokens: int) -> "Places":
        """Turns and visibility of the next `n_tokens` of each text."""
        first, end = self.length, self.length + n_tokens
        if self._padding_B is None:
            return Places(self._cos_C1K[first:end], self._sin_C1K[first:end], None, causal=n_tokens > 1)
        slots_T, slots_C = (torch.arange(*span, device=self.device) for span in ((first, end), (0, end)))
        positions_BT = (slots_T - self._padding_B[:, None]).clamp(0, self.config.context_tokens - 1)
        seen_TC = slots_C <= slots_T[:, None]
        real_BTC = (slots_C >= self._padding_B[:, None])[:, None]
        itself_TC = slots_C == slots_T[:, None]  # padding looks at itself: at nothing, it would turn into NaN
        mask_B1TC = (seen_TC & real_BTC | itself_TC)[:, None]
        return Places(self._cos_C1K[positions_BT], self._sin_C1K[positions_BT], mask_B1TC, causal=False)


class Places(NamedTuple):
    """What a token's place in its text decides."""

    cos: Tensor  # [T, 1, K], or [B, T, 1, K]
    sin: Tensor  # the first half negative
    mask: Tensor | None  # [B, 1, T, C], True where a token may look
    causal: bool  # each sees itself and those before it; a single newest token sees all


def product(weight_NM: Tensor, rows: int, dtype: torch.dtype) -> Product:
    """x times the transposed matrix, in the form that is fastest for so many rows of x at a time.

    Measured with benchmarks/generate.py on 2 cores of an AMD EPYC, for 512 × 1,536: a row of float32 goes through
    F.linear in 280 us, through a product of the matrix's two halves in 85 us, since MKL takes the one matrix on
    one thread; 16 rows take 370 us, and 175 us where oneDNN was given the matrix in its own order.
    """
    weight_NM = weight_NM.to(dtype).contiguous()
    n, m = weight_NM.shape
    on_x86 = weight_NM.device.type == "cpu" and torch.backends.cpu.get_cpu_capability().startswith("AVX")

    def linear(x: Tensor) -> Tensor:
        return F.linear(x.to(dtype), weight_NM).float()

    if on_x86 and dtype is torch.float32 and rows == 1 and n % 2 == 0:
        halves_2NM = weight_NM.view(2, n // 2, m)

        def by_halves(x: Tensor) -> Tensor:
            if x.numel() > m:  # a text that is read
                return linear(x)
            return torch.bmm(halves_2NM, x.reshape(1, m).t().expand(2, m, 1)).view(*x.shape[:-1], n)

        return by_halves
    if on_x86 and _has_onednn(dtype):
        ordered = torch.ops.mkldnn._reorder_linear_weight(weight_NM)

        def by_onednn(x: Tensor) -> Tensor:
            y: Tensor = torch.ops.mkldnn._linear_pointwise(x.to(dtype), ordered, None, "none", [], "")
            return y.float()

        return by_onednn
    return linear


def _has_onednn(dtype: torch.dtype) -> bool:
    """Whether torch was built with the operators that its own compiler uses for products on this processor."""
    names = ("_reorder_linear_weight", "_linear_pointwise", "_is_mkldnn_bf16_supported")
    if not torch.backends.mkldnn.is_available() or not all(hasattr(torch.ops.mkldnn, name) for name in names):
        return False
    return dtype is torch.float32 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _arrange(block: nn.Module, batch_size: int, dtype: torch.dtype) -> Layer:
    assert isinstance(block, Block)
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
    """The gains of QK-norm for queries, then keys [2H, K], with the root of the width in them; None without."""
    gains: list[Tensor] = [
        norm.weight for norm in (attention.query_norm, attention.key_norm) if isinstance(norm, RMSNorm)
    ]
    if not gains:
        return None
    gains_2K = torch.stack(gains).float() * math.sqrt(gains[0].numel())
    return gains_2K.repeat_interleave(attention.n_heads, dim=0)


def _with_gain(weight_NM: Tensor, gain_M: Tensor) -> Tensor:
    """The matrix behind a norm, with the norm's gain and the root of its width in it."""
    return weight_NM.float() * (gain_M.float() * math.sqrt(gain_M.numel()))
