"""Text to token ids, by the fastest means that gives the tokenizer's own ids.

tiktoken looks a whole word up at once and holds no lock of Python meanwhile: four to five times as fast as
`encode_batch`, on each core (benchmarks/prepare.py). It knows one kind of tokenizer only, that of `train_tokenizer`;
others are asked themselves.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, pre_tokenizers

from tinystories_lm.data.segmentation import Chunk
from tinystories_lm.data.tokenizer import END_OF_TEXT, END_OF_TEXT_ID
from tinystories_lm.system.errors import DamagedError

# What pre_tokenizers.ByteLevel splits by, as tiktoken wants it written (Radford et al. 2019).
WORDS = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

Encode = Callable[[Sequence[Chunk]], NDArray[np.uint16]]


def make_encoder(tokenizer: Tokenizer) -> Encode:
    """The ids of some neighbouring pieces of a corpus, END_OF_TEXT after each that ends a document.

    The encoder raises DamagedError for an id that the tokenizer has no entry for or that uint16 cannot hold.
    """
    vocab_size = min(tokenizer.get_vocab_size(), 2**16)
    ranks = merge_ranks(tokenizer)
    if ranks is None:
        return lambda pieces: _as_uint16(_by_the_tokenizer(tokenizer, pieces), vocab_size)
    import tiktoken  # with all that it imports, only where something is encoded

    fast = tiktoken.Encoding(
        "tinystories_lm", pat_str=WORDS, mergeable_ranks=ranks, special_tokens={END_OF_TEXT: END_OF_TEXT_ID}
    )

    def encode(pieces: Sequence[Chunk]) -> NDArray[np.uint16]:
        parts = []
        for text, special in joined(pieces):
            allowed = {END_OF_TEXT} if special else set()
            ids = fast.encode_to_numpy(text, allowed_special=allowed, disallowed_special=())
            parts.append(_as_uint16(ids, vocab_size))
        return np.concatenate(parts) if parts else np.empty(0, dtype="<u2")

    return encode


def joined(pieces: Sequence[Chunk]) -> Iterator[tuple[str, bool]]:
    """The pieces as few long texts, and whether END_OF_TEXT in one is the end of a document.

    Joined are those that the tokenizer would cut apart at the same place. Where END_OF_TEXT is a part of a text, that
    text stands alone.
    """
    run: list[str] = []
    for text, ends_document in pieces:
        goes_on = bool(run) and run[-1] != END_OF_TEXT
        if goes_on and (text[:1] not in (" ", "\n") or run[-1][-1:].isspace()):  # cut within a very long word
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
    """Each entry's bytes and id, where the ids are in the order of the merges; None for another kind of tokenizer.

    tiktoken takes the id for the rank of a merge: two merges that give one entry, or a vocabulary put together
    otherwise, would come out differently there.
    """
    found: dict[str, Any] = json.loads(tokenizer.to_str())
    model, split = found["model"], found["pre_tokenizer"] or {}
    plain = model["type"] == "BPE" and not any(
        model.get(key) for key in ("dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix")
    )
    like_ours = split.get("type") == "ByteLevel" and split.get("use_regex", True) and not split["add_prefix_space"]
    if not plain or not like_ours or found["normalizer"] or tokenizer.token_to_id(END_OF_TEXT) != END_OF_TEXT_ID:
        return None
    byte_of = {character: byte for byte, character in _bytes_to_characters().items()}
    vocabulary = {token: index for token, index in model["vocab"].items() if token != END_OF_TEXT}
    merged = [vocabulary["".join(pair)] for pair in model["merges"]]
    singles = [index for token, index in vocabulary.items() if len(token) == 1]
    if merged != sorted(set(merged)) or len(singles) != 256 or max(singles) > min(merged, default=max(singles)):
        return None
    if len(merged) + len(singles) != len(vocabulary) or max(vocabulary.values()) >= 2**16:
        return None
    return {bytes(byte_of[character] for character in token): index for token, index in vocabulary.items()}


def _bytes_to_characters() -> dict[int, str]:
    """The character that a byte-level tokenizer writes for each byte: itself where it can be seen, else from 256 on."""
    seen = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in seen]
    table = {byte: chr(byte) for byte in seen} | {byte: chr(256 + place) for place, byte in enumerate(hidden)}
    assert set(table.values()) == set(pre_tokenizers.ByteLevel.alphabet())
    return table


def _as_uint16(ids: NDArray[Any], vocab_size: int) -> NDArray[np.uint16]:
    """Without this, 70000 would become 4464 and nobody be told."""
    if ids.size and (largest := int(ids.max())) >= vocab_size:
        raise DamagedError(f"the tokenizer gave token {largest}, and there is room for {vocab_size:,}: train it again")
    return ids.astype("<u2")


def _by_the_tokenizer(tokenizer: Tokenizer, pieces: Sequence[Chunk]) -> NDArray[np.int64]:
    encode_texts = getattr(tokenizer, "encode_batch_fast", tokenizer.encode_batch)  # "fast" leaves out the offsets
    ids: list[int] = []
    for piece, encoding in zip(pieces, encode_texts([piece.text for piece in pieces]), strict=True):
        ids += encoding.ids
        if piece.ends_document:
            ids.append(END_OF_TEXT_ID)
    return np.array(ids, dtype=np.int64)
