"""The fast encoder gives the tokenizer's own ids."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from tests.data.test_corpus import REAL_DATA, data_config, needs_real_data
from tinystories_lm.data.corpus import Split, chunks
from tinystories_lm.data.encoding import WORDS, joined, make_encoder, merge_ranks
from tinystories_lm.data.segmentation import CHUNK_CHARS, Chunk, at_separators, normalise
from tinystories_lm.data.tokenizer import END_OF_TEXT, END_OF_TEXT_ID, train_tokenizer
from tinystories_lm.system.errors import DamagedError

STORIES = [
    "Once upon a time, there was a little dog named Cookie. She didn't like the big red ball.\n\nThe end.",
    "naïve 猫が über 1234 they'll say \"I'm 10,000\" — œuvre\r\n\tand   some    spaces ... !!! ☃️ 🏳️‍🌈",
] * 3
ODD = st.sampled_from(
    ["'s", "'LL", "'ve", " ", "  ", "\n", "\r\n", "\t", "\x00", "\x1c", "\x85", "\xa0", "\u2028", "\u3000", "\u200d",
     "é", "e\u0301", "ß", "ⅷ", "½", "٣", "猫", "🙂", "\U0001f3f3\ufe0f", "a", "dog", " the", "Cookie", "12", ".",
     "<|endoftext|>", "<|endof", "text|>", "\ufeff", "\u00ad", "\U000e0001"]
)  # fmt: skip
TEXT = st.one_of(st.text(), st.lists(ODD).map("".join), st.lists(ODD | st.text(max_size=3)).map("".join))


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(STORIES, 400, allow_smaller_vocabulary=True)


def by_the_tokenizer(tokenizer: Tokenizer, parts: list[Chunk]) -> list[int]:
    ids: list[int] = []
    for text, ends_document in parts:
        ids += tokenizer.encode(text).ids + [END_OF_TEXT_ID] * ends_document
    return ids


@settings(deadline=None, max_examples=150)
@given(texts=st.lists(TEXT, max_size=5))
def test_any_documents_get_the_tokenizers_ids(tokenizer: Tokenizer, texts: list[str]) -> None:
    parts = [Chunk(text, True) for text in texts]
    ids = make_encoder(tokenizer)(parts)
    assert ids.dtype == np.dtype("<u2") and ids.tolist() == by_the_tokenizer(tokenizer, parts)


@settings(deadline=None, max_examples=80)
@given(text=TEXT, spread=st.integers(1, 400))
def test_long_documents_get_the_ids_of_their_chunks(tokenizer: Tokenizer, text: str, spread: int) -> None:
    long = (text + "word " * 3) * spread + "x" * (spread * 7)
    parts = list(normalise(at_separators([long[: 4 * CHUNK_CHARS]])))
    assert make_encoder(tokenizer)(parts).tolist() == by_the_tokenizer(tokenizer, parts)


def test_the_chunks_of_a_document_are_encoded_together_unless_a_giant_word_is_cut() -> None:
    text = "some words " * 1000
    assert len(list(joined(list(normalise([Chunk(text, True)]))))) == 1
    giant = list(normalise([Chunk("a" * 5000 + " end", True)]))
    assert [len(part) for part, _ in joined(giant)] == [2048, 2048, 5000 - 4096 + len(" end") + len(END_OF_TEXT)]


@pytest.mark.parametrize("every", [23, pytest.param(1, marks=pytest.mark.slow)])
def test_every_entry_is_found_and_every_character_of_unicode_is_classified_alike(
    tokenizer: Tokenizer, every: int
) -> None:
    """tiktoken looks up whole words, and another regex engine decides what letters, numbers and white space are."""
    import tiktoken

    ranks = merge_ranks(tokenizer)
    assert ranks is not None
    fast = tiktoken.Encoding("x", pat_str=WORDS, mergeable_ranks=ranks, special_tokens={})
    splitter = pre_tokenizers.ByteLevel(add_prefix_space=False)
    for entry, index in ranks.items():
        text = entry.decode(errors="ignore")
        if text.encode() == entry and len(splitter.pre_tokenize_str(text)) == 1:
            assert fast.encode_ordinary(text) == tokenizer.encode(text).ids == [index]
    all_scripts, mostly_unassigned = range(128, 0x32400, every), range(0x32400, 0x110000, 997)
    points = [point for point in (*all_scripts, *mostly_unassigned) if not 0xD800 <= point < 0xE000]
    whole = [before + chr(point) + before for point in points for before in "a1!"]
    vocabulary = {bytes([byte]): byte for byte in range(256)}
    vocabulary |= {word.encode(): 256 + place for place, word in enumerate(whole)}
    classifier = tiktoken.Encoding("y", pat_str=WORDS, mergeable_ranks=vocabulary, special_tokens={})
    together = [len(found) == 1 for found in classifier.encode_ordinary_batch(whole, num_threads=1)]
    assert together == [len(splitter.pre_tokenize_str(word)) == 1 for word in whole]


@needs_real_data
@pytest.mark.parametrize("name", ["tinystories", "wikitext2"])
def test_real_text_gets_the_tokenizers_ids(name: str) -> None:
    files = sorted((REAL_DATA / name).glob("*.txt"))
    texts = [chunk for file in files for chunk in chunks(data_config(path=file, held_out_fraction=0.5), Split.TRAIN)]
    chosen = texts[:: max(1, len(texts) // 1000)]
    tokenizer = train_tokenizer([chunk.text for chunk in chosen], 4096)
    assert merge_ranks(tokenizer) is not None
    want = by_the_tokenizer(tokenizer, chosen)
    assert len(want) > 100_000 and make_encoder(tokenizer)(chosen).tolist() == want


@needs_real_data
@pytest.mark.slow
@pytest.mark.parametrize("name", ["tinystories", "wikitext2", "wikitext2/raw"])
def test_all_real_text_gets_the_tokenizers_ids(name: str) -> None:
    files = sorted((REAL_DATA / name).glob("*.txt"))
    parts = [
        chunk
        for file in files
        for split in (Split.TRAIN, Split.VALIDATION)
        for chunk in chunks(data_config(path=file), split)
    ]
    tokenizer = train_tokenizer([chunk.text for chunk in parts], 4096)
    for first in range(0, len(parts), 5000):
        some = parts[first : first + 5000]
        assert make_encoder(tokenizer)(some).tolist() == by_the_tokenizer(tokenizer, some)


def of_another_kind(change: str) -> Tokenizer:
    tokenizer = train_tokenizer(STORIES, 400, allow_smaller_vocabulary=True)
    if change == "normaliser":
        tokenizer.normalizer = normalizers.Lowercase()
    elif change == "prefix space":
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    elif change == "other words":
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(), tokenizer.pre_tokenizer])
    elif change == "order of merges":
        merges = [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]
        tokenizer.model = models.BPE(tokenizer.get_vocab(), [merges[1], merges[0], *merges[2:]])
    elif change == "word pieces":
        tokenizer = Tokenizer(models.WordPiece(unk_token="?"))
        tokenizer.train_from_iterator(
            STORIES, trainers.WordPieceTrainer(vocab_size=300, special_tokens=[END_OF_TEXT, "?"])
        )
    return tokenizer


@pytest.mark.parametrize("change", ["normaliser", "prefix space", "other words", "order of merges", "word pieces"])
def test_another_kind_of_tokenizer_encodes_for_itself(change: str) -> None:
    tokenizer = of_another_kind(change)
    parts = [Chunk(text, True) for text in STORIES]
    assert merge_ranks(tokenizer) is None
    assert make_encoder(tokenizer)(parts).tolist() == by_the_tokenizer(tokenizer, parts)


def test_an_id_that_uint16_cannot_hold_is_refused_and_not_wrapped() -> None:
    entries = {END_OF_TEXT: 0} | {f"w{index}": index for index in range(1, 70_001)}
    tokenizer = Tokenizer(models.WordLevel(entries, unk_token="w1"))
    encode = make_encoder(tokenizer)
    assert encode([Chunk("w65535", True)]).tolist() == [65_535, END_OF_TEXT_ID]
    for index in (65_536, 70_000):
        with pytest.raises(DamagedError, match=f"the tokenizer gave token {index}, but has 65,536 entries"):
            encode([Chunk(f"w{index}", True)])
