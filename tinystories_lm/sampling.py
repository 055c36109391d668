"""Writing with a trained model: which token comes next, and a whole text.

Shapes: B texts, T tokens, V vocabulary.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from tinystories_lm.config import SamplingConfig
from tinystories_lm.data.tokenizer import END_OF_TEXT_ID
from tinystories_lm.errors import UsageError
from tinystories_lm.model import KeyValueCache, Transformer


@dataclass(frozen=True)
class Sample:
    """A text the model wrote, with what it was asked for."""

    prompt: str
    text: str  # the prompt and what follows
    settings: dict[str, float | int]


def next_token_logits(logits_BV: Tensor, seen_BV: Tensor, config: SamplingConfig) -> Tensor:
    """The logits of the distribution to draw from: what is filtered out is minus infinity.

    seen_BV: True for tokens of the prompt and of the text so far.

    Order and meaning are those of transformers' logits processors: repetition penalty (Keskar et al. 2019),
    temperature, top-k, top-p (Holtzman et al. 2020), min-p (Nguyen et al. 2024).
    """
    logits_BV = logits_BV.float()
    penalised = torch.where(logits_BV < 0, logits_BV * config.repetition_penalty, logits_BV / config.repetition_penalty)
    logits_BV = torch.where(seen_BV, penalised, logits_BV)
    if config.temperature == 0:
        return logits_BV
    logits_BV = logits_BV / config.temperature
    if 0 < config.top_k < logits_BV.shape[-1]:
        smallest_B1 = logits_BV.topk(config.top_k, dim=-1).values[:, -1:]
        logits_BV = logits_BV.masked_fill(logits_BV < smallest_B1, -math.inf)
    if config.top_p < 1:
        ascending_BV, order_BV = logits_BV.sort(dim=-1)
        drop_BV = ascending_BV.softmax(dim=-1).cumsum(dim=-1) <= 1 - config.top_p
        drop_BV[:, -1] = False
        logits_BV = logits_BV.masked_fill(drop_BV.scatter(-1, order_BV, drop_BV), -math.inf)
    if config.min_p > 0:
        probabilities_BV = logits_BV.softmax(dim=-1)
        floor_B1 = config.min_p * probabilities_BV.amax(dim=-1, keepdim=True)
        logits_BV = logits_BV.masked_fill(probabilities_BV < floor_B1, -math.inf)
    return logits_BV


def draw(logits_BV: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
    """One token for each row, by the inverse of its cumulative distribution at that row's own random number.

    A row's text depends on its own generator alone, not on how many texts are written beside it.
    """
    uniform_B1 = torch.stack([torch.rand(1, generator=generator, dtype=torch.float64) for generator in generators])
    cumulative_BV = logits_BV.cpu().double().softmax(dim=-1).cumsum(dim=-1)
    tokens_B1 = torch.searchsorted(cumulative_BV, uniform_B1 * cumulative_BV[:, -1:], right=True)
    return tokens_B1[:, 0].clamp(max=logits_BV.shape[-1] - 1).to(logits_BV.device)


@torch.no_grad()
def generate(
    model: Transformer, prompt: Sequence[int], config: SamplingConfig, *, end_token: int, seed: int, count: int
) -> list[list[int]]:
    """Continue `prompt` (at least one token) `count` times; text i is drawn with seed + i.

    Each text ends before `end_token`, after `config.max_tokens`, or where the context is full.

    Raises ValueError for a prompt that leaves no room in the context.
    """
    limit = model.config.context_tokens
    if not 0 < len(prompt) < limit:
        raise ValueError(f"the prompt has {len(prompt)} tokens; this model reads 1 to {limit - 1}")
    weight = model.embedding.weight
    cache = KeyValueCache(model.config, count, device=weight.device, dtype=weight.dtype)
    generators = [torch.Generator().manual_seed(seed + text) for text in range(count)]
    tokens_BT = torch.tensor([list(prompt)] * count, device=weight.device)
    seen_BV = torch.zeros(count, weight.shape[0], dtype=torch.bool, device=weight.device)
    seen_BV.scatter_(1, tokens_BT, True)
    texts: list[list[int]] = [[] for _ in range(count)]
    ended = [False] * count
    for _ in range(min(config.max_tokens, limit - len(prompt))):
        logits_BV = next_token_logits(model(tokens_BT, cache)[:, -1], seen_BV, config)
        next_B = logits_BV.argmax(dim=-1) if config.temperature == 0 else draw(logits_BV, generators)
        for text, token in enumerate(next_B.tolist()):
            ended[text] = ended[text] or token == end_token
            if not ended[text]:
                texts[text].append(token)
        if all(ended):
            break
        tokens_BT = next_B[:, None]
        seen_BV.scatter_(1, tokens_BT, True)
    return texts


def encode_prompt(tokenizer: Tokenizer, prompt: str, *, context_tokens: int) -> list[int]:
    """The prompt's ids; an empty prompt is the end of the text before, after which a new one begins.

    Raises UsageError for a prompt that leaves no room for a next token.
    """
    ids: list[int] = tokenizer.encode(prompt).ids or [END_OF_TEXT_ID]
    if len(ids) >= context_tokens:
        raise UsageError(f"the prompt has {len(ids)} tokens, this model reads at most {context_tokens - 1}: shorten it")
    return ids


def write_texts(
    model: Transformer, tokenizer: Tokenizer, prompt: str, config: SamplingConfig, *, count: int
) -> list[Sample]:
    """`count` continuations of one prompt; the i-th is drawn with config.seed + i."""
    ids = encode_prompt(tokenizer, prompt, context_tokens=model.config.context_tokens)
    texts = generate(model, ids, config, end_token=END_OF_TEXT_ID, seed=config.seed, count=count)
    names = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "max_tokens")
    settings = {name: getattr(config, name) for name in names}
    return [
        Sample(prompt, prompt + tokenizer.decode(text), {**settings, "seed": config.seed + number})
        for number, text in enumerate(texts)
    ]
