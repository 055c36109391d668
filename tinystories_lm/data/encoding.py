"""Encode text as token ids, by the fastest method that gives the tokenizer's own ids.

tiktoken looks up whole words and releases the GIL, which makes it four to five times as fast as `encode_batch` on each
core (benchmarks/prepare.py). It supports the tokenizers of `train_tokenizer` only; any other encodes for itself.
"""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, pre_tokenizers

from tinystories_lm.data.segmentation import Chunk
from tinystories_lm.data.tokenizer import END_OF_TEXT, END_OF_TEXT_ID
from tinystories_lm.system.cores import usable_cores
from tinystories_lm.system.errors import DamagedError
from tinystories_lm.system.signals import result_of

# The pattern of pre_tokenizers.ByteLevel in tiktoken's syntax (Radford et al. 2019).
WORDS = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

BATCH_CHARS = 1 << 20  # of text, encoded at a time

Encode = Callable[[Sequence[Chunk]], NDArray[np.uint16]]


class Encoded(NamedTuple):
    """The tokens of some documents: the ids of each document, then END_OF_TEXT."""

    ids: NDArray[np.uint16]
    documents: int  # that end in this part
    bytes: int  # of text as UTF-8


def encode_all(tokenizer: Tokenizer, chunks: Iterable[Chunk]) -> Iterator[Encoded]:
    """Encode the chunks on all cores and yield the results in order, in parts of bounded size."""
    return encode_batches(make_encoder(tokenizer), _batches(chunks))


def encode_batches(encode: Encode, batches: Iterable[list[Chunk]]) -> Iterator[Encoded]:
    """Encode each batch on one of the cores and yield the results in order; the encoder releases the GIL."""

    def encoded(batch: list[Chunk]) -> Encoded:
        return Encoded(
            encode(batch),
            documents=sum(chunk.ends_document for chunk in batch),
            bytes=sum(len(chunk.text.encode()) for chunk in batch),
        )

    workers = usable_cores()
    with ThreadPoolExecutor(workers) as pool:
        ahead: deque[Future[Encoded]] = deque()
        try:
            for batch in batches:
                ahead.append(pool.submit(encoded, batch))
                if len(ahead) > 2 * workers:
                    yield result_of(ahead.popleft())
            while ahead:
                yield result_of(ahead.popleft())
        finally:
            pool.shutdown(cancel_futures=True)


def _batches(chunks: Iterable[Chunk]) -> Iterator[list[Chunk]]:
    batch, chars = [], 0
    for chunk in chunks:
        batch.append(chunk)
        chars += len(chunk.text)
        if chars >= BATCH_CHARS:
            yield batch
            batch, chars = [], 0
    if batch:
        yield batch


def make_encoder(tokenizer: Tokenizer) -> Encode:
    """Return a function that encodes consecutive chunks, with END_OF_TEXT after each document.

    The function raises DamagedError for an id beyond the vocabulary or beyond uint16.
    """
    vocab_size = min(tokenizer.get_vocab_size(), 2**16)
    ranks = merge_ranks(tokenizer)
    if ranks is None:
        return lambda chunks: _as_uint16(_encode_with_tokenizer(tokenizer, chunks), vocab_size)
    import tiktoken  # slow to import, so only where text is encoded

    fast = tiktoken.Encoding(
        "tinystories_lm", pat_str=WORDS, mergeable_ranks=ranks, special_tokens={END_OF_TEXT: END_OF_TEXT_ID}
    )

    def encode(chunks: Sequence[Chunk]) -> NDArray[np.uint16]:
        parts = [
            fast.encode_to_numpy(text, allowed_special={END_OF_TEXT} if special else set(), disallowed_special=())
            for text, special in joined(chunks)
        ]
        return _as_uint16(np.concatenate(parts), vocab_size)

    return encode


def joined(chunks: Sequence[Chunk]) -> Iterator[tuple[str, bool]]:
    """Join chunks into few long texts, each with whether END_OF_TEXT in it marks the end of a document.

    Chunks are joined where the tokenizer would split at their border anyway. A text that contains END_OF_TEXT stays
    separate.
    """
    run: list[str] = []
    for text, ends_document in chunks:
        continues = bool(run) and run[-1] != END_OF_TEXT
        if continues and (text[:1] not in (" ", "\n") or run[-1][-1:].isspace()):  # cut within a very long word
            yield "".join(run), True
            run = []
        if END_OF_TEXT in text:
            yield "".join(run), True
            yield text, False
            run = []
        else:
            run.append(text)
        if ends_document:
            run.append(END_OF_TEXT)
    yield "".join(run), True


def merge_ranks(tokenizer: Tokenizer) -> dict[bytes, int] | None:
    """Map each entry's bytes to its id, where the ids follow the order of the merges; None for other tokenizers.

    tiktoken uses the id as the rank of a merge, so two merges with the same result, or ids in another order, would give
    different tokens there.
    """
    found: dict[str, Any] = json.loads(tokenizer.to_str())
    model, split = found["model"], found["pre_tokenizer"] or {}
    plain = model["type"] == "BPE" and not any(
        model.get(key) for key in ("dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix")
    )
    like_ours = split.get("type") == "ByteLevel" and split.get("use_regex", True) and not split["add_prefix_space"]
    if not plain or not like_ours or found["normalizer"] or tokenizer.token_to_id(END_OF_TEXT) != END_OF_TEXT_ID:
        return None
    byte_of = _byte_of_character()
    vocabulary = {token: index for token, index in model["vocab"].items() if token != END_OF_TEXT}
    merged = [vocabulary["".join(pair)] for pair in model["merges"]]
    singles = [index for token, index in vocabulary.items() if len(token) == 1]
    if merged != sorted(set(merged)) or len(singles) != 256 or max(singles) > min(merged, default=max(singles)):
        return None
    if len(merged) + len(singles) != len(vocabulary) or max(vocabulary.values()) >= 2**16:
        return None
    return {bytes(byte_of[character] for character in token): index for token, index in vocabulary.items()}


def _byte_of_character() -> dict[str, int]:
    """Map each character of a vocabulary to its byte: a printable byte is itself, the others follow from 256 on."""
    characters = sorted(pre_tokenizers.ByteLevel.alphabet())
    printable = [ord(character) for character in characters if ord(character) < 256]
    hidden = [byte for byte in range(256) if byte not in printable]
    return dict(zip(characters, printable + hidden, strict=True))


def _as_uint16(ids: NDArray[Any], vocab_size: int) -> NDArray[np.uint16]:
    """Convert ids to uint16; raises DamagedError where that would change one (70000 would become 4464)."""
    if ids.size and (largest := int(ids.max())) >= vocab_size:
        raise DamagedError(f"the tokenizer gave token {largest}, but has {vocab_size:,} entries: train it again")
    return ids.astype("<u2")


def _encode_with_tokenizer(tokenizer: Tokenizer, chunks: Sequence[Chunk]) -> NDArray[np.int64]:
    encodings = tokenizer.encode_batch_fast([chunk.text for chunk in chunks])  # without offsets
    ids: list[int] = []
    for chunk, encoding in zip(chunks, encodings, strict=True):
        ids += encoding.ids
        if chunk.ends_document:
            ids.append(END_OF_TEXT_ID)
    return np.array(ids, dtype=np.int64)
