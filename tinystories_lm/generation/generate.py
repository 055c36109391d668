"""Write whole texts with a model, several at a time.

Shapes: B texts, V vocabulary.
"""

from collections.abc import Iterable, Iterator, Sequence

import torch
from tokenizers import Tokenizer
from torch import Tensor

from tinystories_lm.config.schema import SamplingConfig
from tinystories_lm.data.tokenizer import END_OF_TEXT_ID
from tinystories_lm.generation.decoder import Decoder
from tinystories_lm.generation.draws import draw, next_token_logits
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
            logits_BV = decoder.step(next_B.to(decoder.device))


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
    finite_B = torch.isfinite(logits_BV.sum(dim=-1))
    if finite_B.all():
        return
    text = texts[int(finite_B.int().argmin())]
    where = decoder.where_not_finite(text) or "a step that does not repeat when the text is read again"
    raise DivergedError(
        f"after {len(text)} tokens the logits are not finite; it begins in {where}; this model cannot write: "
        "try --precision float32, or a run that stopped at an earlier checkpoint"
    )


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


def in_groups(texts: Sequence[Text], size: int = GROUP_SIZE) -> Iterator[Sequence[Text]]:
    """Yield the texts in order, in groups that are written together."""
    for first in range(0, len(texts), size):
        yield texts[first : first + size]


def write_texts(
    model: Transformer, tokenizer: Tokenizer, prompts: Sequence[str], config: SamplingConfig, *, count: int
) -> list[Sample]:
    """Return `count` continuations of each prompt, in the prompts' order."""
    texts = begin_texts(tokenizer, prompts, config, count=count, context_tokens=model.config.context_tokens)
    for group in in_groups(texts):
        for _ in write(Decoder(model, len(group)), group, config):
            pass
    return [text.sample() for text in texts]
