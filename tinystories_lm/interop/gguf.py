"""Write the model as one GGUF file, the format of llama.cpp and the tools built on it.

Shapes: H heads, K head width, k (= K/2), D d_model.
"""

import contextlib
import json
import logging
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from tinystories_lm.config.schema import ModelConfig
from tinystories_lm.data.tokenizer import END_OF_TEXT_ID
from tinystories_lm.interop.huggingface import ARCHITECTURES, model_type, tensor_names
from tinystories_lm.system.errors import DamagedError, UsageError

PRE_TOKENIZER = "gpt-2"  # llama.cpp's name of GPT-2's pre-tokenizer
INTERLEAVED = (".self_attn.q_proj.weight", ".self_attn.k_proj.weight")


def require_gguf() -> ModuleType:
    """Import the package that writes the format; raises UsageError where it is not installed."""
    try:
        import gguf
    except ImportError as error:
        raise UsageError("a GGUF file needs the package gguf: pip install -e '.[gguf]'") from error
    logging.getLogger("gguf").setLevel(logging.WARNING)  # it logs the byte order of each file
    return gguf


def require_gpt2_words(tokenizer: Tokenizer) -> None:
    """Require GPT-2's pre-tokenizer; raises UsageError for an imported tokenizer that splits words differently."""
    cut = json.loads(tokenizer.to_str())["pre_tokenizer"]
    if cut["type"] != "ByteLevel" or not cut.get("use_regex", True):
        raise UsageError(
            f"tokenizer.json pre_tokenizer.type={cut['type']}: a GGUF file needs GPT-2's; leave --gguf out"
        )


def write_gguf(
    path: Path, config: ModelConfig, tensors: dict[str, Tensor], tokenizer: Tokenizer, *, name: str, licence: str
) -> None:
    """Write `path` and read it back.

    tensors: by their stock names, float32 or bfloat16; matrices keep their dtype, vectors are stored in float32.
    licence: of the corpus; empty where unknown.

    Raises DamagedError where the file, read back, differs.
    """
    gguf = require_gguf()
    kind = model_type(config)
    assert kind in ARCHITECTURES and set(tensors) == set(tensor_names(config).values())
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[kind.upper()], config.n_layers)
    stored = {
        names.get_name(stock, try_suffixes=(".weight",)): _interleaved(stock, tensor, kind, config.n_heads)
        for stock, tensor in tensors.items()
    }
    with contextlib.closing(gguf.GGUFWriter(path, kind)) as writer:
        _describe(gguf, writer, config, stored, name=name, licence=licence)
        _add_tokenizer(gguf, writer, tokenizer)
        for key, tensor in stored.items():
            bytes_, type_ = _stored_form(gguf, tensor)
            writer.add_tensor(key, bytes_, raw_dtype=type_)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    _compare(gguf, path, stored)


def _interleaved(stock: str, tensor: Tensor, kind: str, heads: int) -> Tensor:
    """Permute for GGUF's `llama`, which rotates the pairs (2i, 2i + 1) of a head instead of (i, i + K/2)."""
    if kind != "llama" or not stock.endswith(INTERLEAVED):
        return tensor
    return rearrange(tensor, "(H two k) D -> (H k two) D", H=heads, two=2)


def _describe(
    gguf: ModuleType, writer: Any, config: ModelConfig, stored: dict[str, Tensor], *, name: str, licence: str
) -> None:
    head_width = config.d_model // config.n_heads
    vocab_size, dtype = len(stored["token_embd.weight"]), stored["token_embd.weight"].dtype
    file_type = gguf.LlamaFileType
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(name)
    if licence:
        writer.add_license(licence)
    writer.add_file_type(file_type.MOSTLY_BF16 if dtype == torch.bfloat16 else file_type.ALL_F32)
    writer.add_vocab_size(vocab_size)
    writer.add_context_length(config.context_tokens)
    writer.add_embedding_length(config.d_model)
    writer.add_block_count(config.n_layers)
    writer.add_feed_forward_length(config.d_ff)
    writer.add_head_count(config.n_heads)
    writer.add_head_count_kv(config.n_heads)
    writer.add_key_length(head_width)
    writer.add_value_length(head_width)
    writer.add_layer_norm_rms_eps(config.norm_eps)
    writer.add_rope_dimension_count(head_width)
    writer.add_rope_freq_base(config.rope_theta)


def _add_tokenizer(gguf: ModuleType, writer: Any, tokenizer: Tokenizer) -> None:
    stored = json.loads(tokenizer.to_str())
    special = {token["id"] for token in stored["added_tokens"]}
    entries = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    merges = stored["model"]["merges"]  # "a b", or in newer files ["a", "b"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PRE_TOKENIZER)
    writer.add_token_list([token for token, _ in entries])
    types = gguf.TokenType
    writer.add_token_types([types.CONTROL if index in special else types.NORMAL for _, index in entries])
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_bos_token_id(END_OF_TEXT_ID)
    writer.add_eos_token_id(END_OF_TEXT_ID)
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)


def _stored_form(gguf: ModuleType, tensor: Tensor) -> tuple[NDArray[Any], Any]:
    """Return the tensor's bytes and GGUF's name of their type; numpy has no bfloat16."""
    if tensor.dim() == 1 or tensor.dtype == torch.float32:
        return tensor.float().contiguous().numpy(), gguf.GGMLQuantizationType.F32
    assert tensor.dtype == torch.bfloat16
    return tensor.contiguous().view(torch.uint8).numpy(), gguf.GGMLQuantizationType.BF16


def _compare(gguf: ModuleType, path: Path, stored: dict[str, Tensor]) -> None:
    try:
        read = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise DamagedError(f"{path.name} cannot be read back: {error}: nothing was written, try again") from error
    if set(read) != set(stored):
        raise DamagedError(f"{path.name}, read back, differs in {sorted(set(read) ^ set(stored))[0]}: try again")
    for name, tensor in stored.items():
        bytes_, type_ = _stored_form(gguf, tensor)
        found = read[name]
        same_form = found.tensor_type == type_ and list(reversed(found.shape.tolist())) == list(tensor.shape)
        if not same_form or not np.array_equal(found.data.view(np.uint8), bytes_.view(np.uint8)):
            raise DamagedError(f"{path.name}, read back, differs in {name}: nothing was written, try again")
