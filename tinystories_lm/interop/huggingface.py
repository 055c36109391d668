"""Map this program's models to transformers' classes: Llama, or Qwen3 for a model with QK-norm.

`export` and `import` share these tables of settings and tensors with their stock names, those in transformers.
A setting without a counterpart raises an error that names it: a model without it would silently generate wrong text.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

from tinystories_lm.config.schema import ModelConfig, SamplingConfig
from tinystories_lm.data.tokenizer import END_OF_TEXT_ID
from tinystories_lm.system.errors import UsageError

ARCHITECTURES = {"llama": "LlamaForCausalLM", "qwen3": "Qwen3ForCausalLM"}
# Settings that are one key of config.json, with the same value.
CONFIG_KEYS = {
    "n_layers": "num_hidden_layers",
    "d_model": "hidden_size",
    "n_heads": "num_attention_heads",
    "d_ff": "intermediate_size",
    "context_tokens": "max_position_embeddings",
    "norm_eps": "rms_norm_eps",
    "tie_embeddings": "tie_word_embeddings",
}
# Settings that are written otherwise: rope_theta within rope_parameters, qk_norm as the choice of the class.
OTHER_SETTINGS = ("rope_theta", "qk_norm")
OUTER_TENSORS = {"embedding": "model.embed_tokens", "norm": "model.norm", "head": "lm_head"}
BLOCK_TENSORS = {
    "attention_norm": "input_layernorm",
    "attention.query": "self_attn.q_proj",
    "attention.key": "self_attn.k_proj",
    "attention.value": "self_attn.v_proj",
    "attention.output": "self_attn.o_proj",
    "mlp_norm": "post_attention_layernorm",
    "mlp.gate": "mlp.gate_proj",
    "mlp.up": "mlp.up_proj",
    "mlp.down": "mlp.down_proj",
}
QK_NORM_TENSORS = {"attention.query_norm": "self_attn.q_norm", "attention.key_norm": "self_attn.k_norm"}
# Keys of a stock config for which this program supports one value. A missing key or null means that value.
SUPPORTED_VALUES: dict[str, tuple[object, str]] = {
    "auto_map": ({}, "this program never runs code from a model's folder"),
    "quantization_config": ({}, "this program does not read quantised weights: save them in float32 or bfloat16"),
    "hidden_act": ("silu", "this program's MLP is SwiGLU"),
    "attention_bias": (False, "this program's projections have no biases"),
    "mlp_bias": (False, "this program's projections have no biases"),
    "use_sliding_window": (False, "this program's attention spans the whole context"),
    "partial_rotary_factor": (1, "this program applies RoPE to all dimensions of a head"),
}
# Defaults of the stock classes that differ from the value implied by the other keys.
CLASS_DEFAULTS = {"llama": {}, "qwen3": {"num_key_value_heads": 32, "head_dim": 128}}
CONFIG_FILE = "config.json"


def model_type(config: ModelConfig) -> str:
    """Return the `model_type` that transformers uses for this model."""
    return "qwen3" if config.qk_norm else "llama"


def stock_config(config: ModelConfig, *, vocab_size: int, dtype: str) -> dict[str, Any]:
    """Return the config.json of the stock class that computes the same function.

    `pad_token_id` is null: if the end-of-text token were the padding, its embedding would get no gradient in
    fine-tuning.

    Raises UsageError naming a setting that no stock class has.
    """
    for field in dataclasses.fields(config):
        if field.name not in CONFIG_KEYS and field.name not in OTHER_SETTINGS:
            setting = f"model.{field.name}={getattr(config, field.name)}"
            raise UsageError(
                f"{setting}: no stock class of transformers has this setting, so this run cannot be exported"
            )
    kind = model_type(config)
    return {
        "architectures": [ARCHITECTURES[kind]],
        "model_type": kind,
        "vocab_size": vocab_size,
        **{key: getattr(config, name) for name, key in CONFIG_KEYS.items()},
        "num_key_value_heads": config.n_heads,
        "head_dim": config.d_model // config.n_heads,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "attention_dropout": 0.0,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "rope_theta": config.rope_theta,  # for transformers 4
        "bos_token_id": END_OF_TEXT_ID,
        "eos_token_id": END_OF_TEXT_ID,
        "pad_token_id": None,
        "dtype": dtype,
        "use_cache": True,
    }


def generation_config(config: SamplingConfig) -> dict[str, Any]:
    """Return the run's sampling settings as generation_config.json.

    The stop strings are left out, because `generate` would require a tokenizer at each call, and so is
    `beyond_context`, for which `generate` has no counterpart.
    """
    settings: dict[str, Any] = {"do_sample": config.temperature > 0, "max_new_tokens": config.max_tokens}
    if config.temperature > 0:
        settings |= {"temperature": config.temperature, "top_k": config.top_k, "top_p": config.top_p}
        settings |= {"min_p": config.min_p} if config.min_p else {}
    if config.repetition_penalty != 1:
        settings["repetition_penalty"] = config.repetition_penalty
    if config.no_repeat_ngram:
        settings["no_repeat_ngram_size"] = config.no_repeat_ngram
    special_tokens = ("bos_token_id", "eos_token_id", "pad_token_id")
    return settings | dict.fromkeys(special_tokens, END_OF_TEXT_ID)


def tensor_names(config: ModelConfig) -> dict[str, str]:
    """Map the name of every stored tensor to its stock name."""
    block = BLOCK_TENSORS | (QK_NORM_TENSORS if config.qk_norm else {})
    outer = {ours: stock for ours, stock in OUTER_TENSORS.items() if ours != "head" or not config.tie_embeddings}
    return {f"{ours}.weight": f"{stock}.weight" for ours, stock in outer.items()} | {
        f"blocks.{layer}.{ours}.weight": f"model.layers.{layer}.{stock}.weight"
        for layer in range(config.n_layers)
        for ours, stock in block.items()
    }


class StockModel(NamedTuple):
    config: ModelConfig
    vocab_size: int


def read_stock_config(stock: Mapping[str, Any]) -> StockModel:
    """Read a stock config.json; the inverse of `stock_config`.

    Raises UsageError naming the key that is missing or that this program cannot represent.
    """
    kind = stock.get("model_type")
    if kind not in ARCHITECTURES:
        raise _refused("model_type", kind, f"this program reads {' and '.join(ARCHITECTURES)}")
    for key, (supported, why) in SUPPORTED_VALUES.items():
        if stock.get(key) is not None and stock[key] != supported:
            raise _refused(key, stock[key], why)
    stock = CLASS_DEFAULTS[kind] | dict(stock)
    unsupported = {layer for layer in stock.get("layer_types") or [] if layer != "full_attention"}
    if unsupported:
        raise _refused("layer_types", sorted(map(str, unsupported)), "this program's attention spans the whole context")
    if stock.get("tie_word_embeddings") is None:
        stock["tie_word_embeddings"] = False
    types = get_type_hints(ModelConfig)
    values = {name: _value(stock, key, types[name]) for name, key in CONFIG_KEYS.items()}
    _check_heads(stock, width=values["d_model"], heads=values["n_heads"])
    vocab_size = _value(stock, "vocab_size", int)
    try:
        config = ModelConfig(**values, rope_theta=_rope_theta(stock), qk_norm=kind == "qwen3")
    except ValueError as error:
        raise UsageError(f"{CONFIG_FILE}: {error}") from error
    return StockModel(config, vocab_size)


def _value(stock: Mapping[str, Any], key: str, type_of: type) -> Any:
    value = stock.get(key)
    if value is None:
        raise UsageError(f"{CONFIG_FILE} has no {key}, which the model's shape depends on; add it")
    if type_of is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not type_of:
        raise _refused(key, value, f"it must be of type {type_of.__name__}")
    return value


def _check_heads(stock: Mapping[str, Any], *, width: int, heads: int) -> None:
    if width < 1 or heads < 1 or width % (2 * heads):
        raise _refused("hidden_size", width, f"it must be a multiple of 2 × num_attention_heads={heads}")
    if (found := stock.get("num_key_value_heads")) not in (None, heads):
        why = f"it must equal num_attention_heads={heads}, because this program has no grouped-query attention"
        raise _refused("num_key_value_heads", found, why)
    if (found := stock.get("head_dim")) not in (None, width // heads):
        raise _refused("head_dim", found, f"it must equal hidden_size / num_attention_heads = {width // heads}")


def _rope_theta(stock: Mapping[str, Any]) -> float:
    """Read RoPE's base as transformers 5 (`rope_parameters`) or 4 (`rope_theta`, `rope_scaling`) stores it."""
    theta = stock.get("rope_theta")
    for key in ("rope_parameters", "rope_scaling"):
        part = stock.get(key) or {}
        if not isinstance(part, dict):
            raise _refused(key, part, "it must be an object")
        kind = part.get("rope_type", part.get("type", "default"))
        if kind != "default":
            raise _refused(f"{key}.rope_type", kind, "this program does not scale RoPE")
        supported, why = SUPPORTED_VALUES["partial_rotary_factor"]
        if (factor := part.get("partial_rotary_factor")) not in (None, supported):
            raise _refused(f"{key}.partial_rotary_factor", factor, why)
        theta = part.get("rope_theta", theta)
    return float(_value({"rope_theta": theta}, "rope_theta", float))


def _refused(key: str, value: object, why: str) -> UsageError:
    return UsageError(f"{CONFIG_FILE}: {key}={value}: {why}")


def require_unused(folder: Path) -> None:
    """Require that `folder` does not exist or is an empty folder; raises UsageError otherwise."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UsageError(f"{folder} exists and is not a folder: name a new folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty, and its files are not overwritten: name a new folder")
