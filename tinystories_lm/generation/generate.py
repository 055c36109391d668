"""Write whole texts with a model, several at a time: filter the logits, draw the tokens.

Shapes: B texts, V vocabulary.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from tinystories_lm.config.schema import SamplingConfig
from tinystories_lm.data.tokenizer import END_OF_TEXT_ID
from tinystories_lm.generation.decoder import Decoder
from tinystories_lm.generation.static_decoder import open_decoder
from tinystories_lm.generation.text import End, Sample, Text
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.system.errors import DivergedError, UsageError

GROUP_SIZE = 32  # texts written at a time


@torch.inference_mode()
def write(decoder: Decoder, texts: Sequence[Text], config: SamplingConfig) -> Iterator[None]:
    """Continue the texts together, each by one token a step, until all have ended; yield after every step.

    A text ends where the context is full or, with `config.beyond_context`, continues from its last half: those
    context_tokens // 2 tokens are read again, as if the text began with them.

    Raises DivergedError if the logits are not finite, naming the layer where that began.
    """
    limit = decoder.config.context_tokens
    begins = [0] * len(texts)  # where in each text the decoder's context begins

    def contexts() -> list[list[int]]:
        return [text.ids[begin:] for text, begin in zip(texts, begins, strict=True)]

    logits_BV = decoder.read(contexts())
    while True:
        _require_finite(logits_BV, decoder, contexts())
        next_B = _add_tokens(logits_BV, texts, config)
        full = [len(text.ids) - begin >= limit for text, begin in zip(texts, begins, strict=True)]
        for text, is_full in zip(texts, full, strict=True):
            if is_full and text.ended is None and not config.beyond_context:
                text.end(End.context)
        yield
        if all(text.ended for text in texts):
            return
        if any(is_full and text.ended is None for text, is_full in zip(texts, full, strict=True)):
            begins = [
                len(text.ids) - limit // 2 if is_full else begin
                for text, begin, is_full in zip(texts, begins, full, strict=True)
            ]
            logits_BV = decoder.read(contexts())
        else:
            logits_BV = decoder.step(next_B)


def _add_tokens(logits_BV: Tensor, texts: Sequence[Text], config: SamplingConfig) -> Tensor:
    """Draw a token for each text, append it where the text has not ended, and return all tokens [B]."""
    logits_BV = next_token_logits(logits_BV, [text.ids for text in texts], config)
    greedy = config.temperature == 0
    next_B = logits_BV.argmax(dim=-1) if greedy else draw(logits_BV, [text.random for text in texts])
    for row, (text, token) in enumerate(zip(texts, next_B.tolist(), strict=True)):
        if text.ended is None:
            nothing_left = config.no_repeat_ngram > 0 and bool(logits_BV[row, token].isneginf())
            text.end(End.nothing_left) if nothing_left else text.add(token)
    return next_B


def _require_finite(logits_BV: Tensor, decoder: Decoder, texts: Sequence[Sequence[int]]) -> None:
    if math.isfinite(logits_BV.sum()):
        return
    text = texts[int(torch.isfinite(logits_BV.sum(dim=-1)).int().argmin())]
    where = decoder.where_not_finite(text) or "a step that does not repeat when the text is read again"
    raise DivergedError(
        f"after {len(text)} tokens the logits are not finite; it begins in {where}; this model cannot write: "
        "try --precision float32, or a run that stopped at an earlier checkpoint"
    )


def next_token_logits(logits_BV: Tensor, texts: Sequence[Sequence[int]], config: SamplingConfig) -> Tensor:
    """Return the logits of the distribution to draw from; a token that is filtered out has minus infinity.

    logits_BV: on the CPU.
    texts: the ids of each text so far, including the prompt's.

    Order and meaning are those of transformers' logits processors: repetition penalty, no repeated n-gram, temperature,
    then the filters of `_filtered`.
    """
    logits_BV = logits_BV.float()
    if config.repetition_penalty != 1:
        logits_BV = _penalised(logits_BV, texts, config.repetition_penalty)
    if config.no_repeat_ngram:
        logits_BV = logits_BV.clone()
        for row, ids in enumerate(texts):
            logits_BV[row, repeating_tokens(ids, config.no_repeat_ngram)] = -math.inf
    if config.temperature == 0:
        return logits_BV
    return _filtered(logits_BV / config.temperature, config)


def _penalised(logits_BV: Tensor, texts: Sequence[Sequence[int]], penalty: float) -> Tensor:
    """Divide the positive and multiply the negative logits of tokens that a text contains (Keskar et al. 2019)."""
    rows = torch.from_numpy(np.repeat(np.arange(len(texts)), [len(ids) for ids in texts]))
    seen = torch.from_numpy(np.concatenate([np.asarray(ids, dtype=np.int64) for ids in texts]))
    found = logits_BV[rows, seen]
    return logits_BV.index_put((rows, seen), torch.where(found < 0, found * penalty, found / penalty))


def _filtered(logits_BV: Tensor, config: SamplingConfig) -> Tensor:
    """Apply top-k, then top-p (Holtzman et al. 2020), then min-p (Nguyen et al. 2024).

    Tokens exactly as likely as the last one that is kept are kept too.
    """
    if 0 < config.top_k < logits_BV.shape[-1]:
        smallest_B1 = logits_BV.topk(config.top_k, dim=-1).values[:, -1:]
        logits_BV = logits_BV.masked_fill(logits_BV < smallest_B1, -math.inf)
    if config.top_p < 1:
        ascending_BV = torch.from_numpy(np.sort(logits_BV.numpy()))  # three times as fast as torch's
        dropped_B1 = (ascending_BV.softmax(dim=-1).cumsum(dim=-1) <= 1 - config.top_p).sum(dim=-1, keepdim=True)
        smallest_B1 = ascending_BV.gather(-1, dropped_B1.clamp(max=logits_BV.shape[-1] - 1))
        logits_BV = logits_BV.masked_fill(logits_BV < smallest_B1, -math.inf)
    if config.min_p > 0:
        probabilities_BV = logits_BV.softmax(dim=-1)
        floor_B1 = config.min_p * probabilities_BV.amax(dim=-1, keepdim=True)
        logits_BV = logits_BV.masked_fill(probabilities_BV < floor_B1, -math.inf)
    return logits_BV


def repeating_tokens(ids: Sequence[int], n: int) -> list[int]:
    """Return the tokens that would complete an n-gram which the text already contains (Paulus et al. 2017)."""
    last = list(ids[len(ids) - n + 1 :]) if len(ids) >= n else None
    return [ids[i + n - 1] for i in range(len(ids) - n + 1) if list(ids[i : i + n - 1]) == last]


def draw(logits_BV: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
    """Draw one token for each row: the inverse of its cumulative distribution at the row's own random number."""
    uniform_B1 = torch.stack([torch.rand(1, generator=generator, dtype=torch.float64) for generator in generators])
    cumulative_BV = logits_BV.double().softmax(dim=-1).cumsum(dim=-1)
    tokens_B1 = torch.searchsorted(cumulative_BV, uniform_B1 * cumulative_BV[:, -1:], right=True)
    return tokens_B1[:, 0].clamp(max=logits_BV.shape[-1] - 1)


def begin_texts(
    tokenizer: Tokenizer, prompts: Iterable[str], config: SamplingConfig, *, count: int, context_tokens: int
) -> list[Text]:
    """Return `count` texts for each prompt, of which the i-th is drawn with config.seed + i.

    Raises UsageError for a prompt that leaves no room for a next token.
    """
    return [
        Text(
            prompt,
            encode_prompt(tokenizer, prompt, context_tokens=context_tokens),
            tokenizer,
            config,
            seed=config.seed + number,
        )
        for prompt in prompts
        for number in range(count)
    ]


def encode_prompt(tokenizer: Tokenizer, prompt: str, *, context_tokens: int) -> list[int]:
    """Return the prompt's ids; an empty prompt is the end-of-text token, after which a new text begins.

    Raises UsageError for a prompt that leaves no room for a next token, or is not valid UTF-8.
    """
    try:
        ids: list[int] = tokenizer.encode(prompt).ids or [END_OF_TEXT_ID]
    except TypeError as error:  # Python decodes invalid UTF-8 of a command line to lone surrogates
        raise UsageError(f"the prompt {prompt!r} is not valid UTF-8: type it in that encoding") from error
    if len(ids) >= context_tokens:
        raise UsageError(f"the prompt has {len(ids)} tokens, this model reads at most {context_tokens - 1}: shorten it")
    return ids


def write_groups(
    model: Transformer, texts: Sequence[Text], config: SamplingConfig, *, dtype: torch.dtype = torch.float32
) -> Iterator[tuple[Sequence[Text], Iterator[None]]]:
    """Yield the texts in order, in groups that are written together, each with the steps of `write`."""
    for first in range(0, len(texts), GROUP_SIZE):
        group = texts[first : first + GROUP_SIZE]
        yield group, write(open_decoder(model, len(group), dtype=dtype), group, config)


def write_texts(
    model: Transformer, tokenizer: Tokenizer, prompts: Sequence[str], config: SamplingConfig, *, count: int
) -> list[Sample]:
    """Return `count` continuations of each prompt, in the prompts' order."""
    texts = begin_texts(tokenizer, prompts, config, count=count, context_tokens=model.config.context_tokens)
    for _, steps in write_groups(model, texts, config):
        for _ in steps:
            pass
    return [text.sample() for text in texts]
