"""Decoding speed against transformers' `generate`, with the same weights, in one interleaved run.

    python benchmarks/generate.py [--rounds 5] [--tokens 128] [--json FILE]

needs the extra `hf`. Both have the same weights, prompt and number of new tokens, none may end early, and they take
turns, so that whatever else the machine does strikes both. Ours decodes its text as it goes, theirs gives ids.
A time is the median over the rounds, a ratio the median of the rounds' ratios: theirs / ours.
"""

import argparse
import dataclasses
import logging
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.config.schema import SamplingConfig
from tinystories_lm.data.corpus import Split, documents
from tinystories_lm.data.tokenizer import END_OF_TEXT_ID, train_tokenizer
from tinystories_lm.generation.decoder import Decoder
from tinystories_lm.generation.generate import write
from tinystories_lm.generation.text import Text
from tinystories_lm.hardware.detect import device_name
from tinystories_lm.interop.huggingface import generation_config, stock_config, tensor_names
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.system.cores import usable_cores
from tinystories_lm.system.json_files import write_json

PROMPT = list(range(300, 312))
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Endless(Text):
    """A text whose end-of-text token is another token."""

    def add(self, token: int) -> None:
        super().add(max(token, END_OF_TEXT_ID + 1))


def ours(model: Transformer, batch: int, dtype: torch.dtype, config: SamplingConfig, tokenizer: Tokenizer) -> float:
    """Seconds for the texts, from a decoder that is ready."""
    texts = [Endless("", PROMPT, tokenizer, config, seed=seed) for seed in range(batch)]
    decoder = Decoder(model, batch, dtype=dtype)
    began = time.perf_counter()
    for _ in write(decoder, texts, config):
        pass
    return time.perf_counter() - began


def theirs(stock: Any, batch: int, config: SamplingConfig) -> float:
    settings = {key: value for key, value in generation_config(config).items() if not key.endswith("token_id")}
    ids = torch.tensor([PROMPT] * batch)
    began = time.perf_counter()
    stock.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        min_new_tokens=config.max_tokens,
        eos_token_id=None,
        pad_token_id=END_OF_TEXT_ID,
        **settings,
    )
    return time.perf_counter() - began


def stock_model(model: Transformer, vocab_size: int, dtype: torch.dtype) -> Any:
    """Build transformers' model with the same weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    stock = LlamaForCausalLM(LlamaConfig(**stock_config(model.config, vocab_size=vocab_size, dtype="float32")))
    names = tensor_names(model.config)
    stock.load_state_dict({names[name]: tensor for name, tensor in model.state_dict().items()})
    return stock.to(dtype).eval()


def compare(name: str, options: argparse.Namespace, tokenizer: Tokenizer) -> list[dict[str, Any]]:
    config = compose_config([f"model={name}", "hardware=cpu"]).config
    model = Transformer(config.model, vocab_size=tokenizer.get_vocab_size()).eval()
    model.initialise(0)
    draws = {
        "greedy": dataclasses.replace(
            config.sampling, temperature=0.0, top_p=1.0, repetition_penalty=1.0, max_tokens=options.tokens
        ),
        "story": dataclasses.replace(config.sampling, max_tokens=options.tokens),
    }
    rows = []
    for dtype_name, dtype in DTYPES.items():
        stock = stock_model(model, tokenizer.get_vocab_size(), dtype)
        for batch in (1, 16):
            for draw, sampling in draws.items():
                pairs = [
                    (theirs(stock, batch, sampling), ours(model, batch, dtype, sampling, tokenizer))
                    for _ in range(options.rounds + 1)
                ][1:]
                row = {
                    "model": name,
                    "dtype": dtype_name,
                    "batch": batch,
                    "draw": draw,
                    "transformers_ms_per_step": 1e3 * statistics.median(pair[0] for pair in pairs) / options.tokens,
                    "ours_ms_per_step": 1e3 * statistics.median(pair[1] for pair in pairs) / options.tokens,
                    "ratio": statistics.median(pair[0] / pair[1] for pair in pairs),
                }
                print(
                    f"{name:8} {dtype_name:8} batch {batch:2} {draw:6}  transformers "
                    f"{row['transformers_ms_per_step']:6.2f} ms a step, ours {row['ours_ms_per_step']:6.2f}: "
                    f"{row['ratio']:.2f} times as fast",
                    flush=True,
                )
                rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--models", nargs="+", default=["tiny", "gpt_28m"])
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    import transformers

    logging.disable(logging.WARNING)
    torch.set_num_threads(usable_cores())
    register()
    stories = compose_config(["data.grammar_bytes=2_000_000"]).config.data
    tokenizer = train_tokenizer(documents(stories, Split.TRAIN), 4096)
    rows = [row for name in options.models for row in compare(name, options, tokenizer)]
    if options.json is not None:
        write_json(
            options.json,
            {
                "command": " ".join(["python", "benchmarks/generate.py", *sys.argv[1:]]),
                "processor": device_name(torch.device("cpu")),
                "cores": usable_cores(),
                "torch": torch.__version__,
                "transformers": transformers.__version__,
                "figures": rows,
            },
        )


if __name__ == "__main__":
    main()
