"""The transformer, against autograd and what is known of it at initialisation."""

import dataclasses
import math

import pytest
import torch
from torch.nn import functional as F

from tinystories_lm.config.schema import ModelConfig
from tinystories_lm.model.transformer import Transformer

VOCAB = 97
SMALL = ModelConfig(
    n_layers=2,
    d_model=32,
    n_heads=4,
    d_ff=48,
    context_tokens=16,
    rope_theta=100.0,
    norm_eps=1e-5,
    qk_norm=False,
    tie_embeddings=False,
)


def with_(config: ModelConfig, **changes: object) -> ModelConfig:
    return ModelConfig(**{**dataclasses.asdict(config), **changes})


def build(config: ModelConfig = SMALL, *, wide: float = 10.0) -> Transformer:
    """Build a model with weights far from zero, so that a fault shows."""
    model = Transformer(config, vocab_size=VOCAB)
    model.initialise(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(wide if weight.dim() > 1 else 1.1)
    return model


def tokens(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(VOCAB, shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("qk_norm", [False, True])
def test_logits_have_no_gradient_to_later_tokens(qk_norm: bool) -> None:
    model = build(with_(SMALL, qk_norm=qk_norm))
    embedded = model.embedding(tokens(1, 9)).detach().requires_grad_()
    model.embedding.forward = lambda _: embedded  # type: ignore[method-assign]
    for position in range(9):
        (gradient,) = torch.autograd.grad(model(tokens(1, 9))[0, position].sum(), embedded)
        reached = gradient[0].abs().sum(-1) > 0
        assert reached.tolist() == [other <= position for other in range(9)]


@pytest.mark.parametrize("tie", [False, True])
def test_loss_at_initialisation_is_that_of_a_uniform_guess(tie: bool) -> None:
    config = with_(SMALL, d_model=128, tie_embeddings=tie)
    model = Transformer(config, vocab_size=VOCAB)
    model.initialise(0)
    ids = tokens(64, 17)
    loss = F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
    assert abs(loss.item() / math.log(VOCAB) - 1) < 0.05


@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize("qk_norm", [False, True])
def test_a_model_built_on_meta_gives_the_same_logits_bit_for_bit(qk_norm: bool, tie: bool) -> None:
    config = with_(SMALL, qk_norm=qk_norm, tie_embeddings=tie)
    model, ids = build(config), tokens(2, 16)
    with torch.device("meta"):
        empty = Transformer(config, vocab_size=VOCAB)
    empty.materialise("cpu")
    assert [name for name, _ in empty.named_parameters()] == [name for name, _ in model.named_parameters()]
    for tensor in (*empty.parameters(), *empty.buffers()):
        tensor.data.fill_(float("nan"))  # whatever is not loaded shows
    empty.load_state_dict(model.state_dict())
    assert torch.equal(empty(ids), model(ids))
    assert not list(model.buffers()), "positions are computed, not stored"


@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize("qk_norm", [False, True])
def test_logits_are_those_of_the_stock_implementation(tie: bool, qk_norm: bool) -> None:
    transformers = pytest.importorskip("transformers", reason="the stock implementation is in the dev extra")
    config = with_(SMALL, tie_embeddings=tie, qk_norm=qk_norm)
    model, ids = build(config), tokens(2, 16)
    kind = "Qwen3" if qk_norm else "Llama"
    stock_config = getattr(transformers, f"{kind}Config")(
        vocab_size=VOCAB,
        hidden_size=config.d_model,
        intermediate_size=config.d_ff,
        num_hidden_layers=config.n_layers,
        num_attention_heads=config.n_heads,
        num_key_value_heads=config.n_heads,
        head_dim=config.d_model // config.n_heads,
        max_position_embeddings=config.context_tokens,
        rms_norm_eps=config.norm_eps,
        rope_parameters={"rope_type": "default", "rope_theta": config.rope_theta},
        tie_word_embeddings=tie,
        attention_bias=False,
    )
    stock = getattr(transformers, f"{kind}ForCausalLM")(stock_config).eval()
    names = {
        "attention_norm": "input_layernorm",
        "attention.query_norm": "self_attn.q_norm",
        "attention.key_norm": "self_attn.k_norm",
        "attention.query": "self_attn.q_proj",
        "attention.key": "self_attn.k_proj",
        "attention.value": "self_attn.v_proj",
        "attention.output": "self_attn.o_proj",
        "mlp_norm": "post_attention_layernorm",
        "mlp.gate": "mlp.gate_proj",
        "mlp.up": "mlp.up_proj",
        "mlp.down": "mlp.down_proj",
    }
    weights = {"model.embed_tokens.weight": model.embedding.weight, "model.norm.weight": model.norm.weight}
    weights["lm_head.weight"] = model.head.weight
    for name, weight in model.named_parameters():
        if name.startswith("blocks."):
            _, layer, inner = name.removesuffix(".weight").split(".", 2)
            weights[f"model.layers.{layer}.{names[inner]}.weight"] = weight
    stock.load_state_dict(weights)
    torch.testing.assert_close(model(ids), stock(ids).logits, atol=1e-5, rtol=1e-5)
