"""The tokenizer decodes every text exactly, and treats nothing inside a text as special."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from tests.data.test_corpus import data_config, folder_of
from tinystories_lm.data import segmentation
from tinystories_lm.data.corpus import Split, chunks
from tinystories_lm.data.tokenizer import (
    END_OF_TEXT,
    END_OF_TEXT_ID,
    load_tokenizer,
    token_byte_lengths,
    train_tokenizer,
)
from tinystories_lm.system.errors import DamagedError, UsageError

TEXTS = ["Once upon a time there was a little dog. She said: <|endoftext|> it's 1234!\n\n"] * 3 + ["naïve 猫 über"]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(TEXTS, 310)


@settings(deadline=None)
@given(st.text())
def test_every_text_is_decoded_exactly_and_its_bytes_are_counted(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text).ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == text
    assert int(token_byte_lengths(tokenizer)[ids].sum()) == len(text.encode())
    assert END_OF_TEXT_ID not in ids


def test_special_text_stays_text_also_with_a_stored_tokenizer(tokenizer: Tokenizer, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(tokenizer.to_str(), encoding="utf-8")
    for found in (tokenizer, load_tokenizer(path)):
        ids = found.encode(f"a{END_OF_TEXT}b").ids
        assert END_OF_TEXT_ID not in ids
        assert found.decode(ids) == f"a{END_OF_TEXT}b"
    assert tokenizer.token_to_id(END_OF_TEXT) == END_OF_TEXT_ID == 0
    assert token_byte_lengths(tokenizer)[END_OF_TEXT_ID] == 0


def test_training_is_a_function_of_the_texts() -> None:
    assert train_tokenizer(iter(TEXTS), 310).to_str() == train_tokenizer(TEXTS, 310).to_str()


def test_the_first_merge_is_the_most_frequent_pair() -> None:
    merges = json.loads(train_tokenizer(["xy xy xy ab"], 258).to_str())["model"]["merges"]
    assert merges == [["x", "y"]]


def test_a_vocabulary_that_cannot_be_filled_is_refused_with_both_numbers() -> None:
    with pytest.raises(UsageError, match=r"fills only 259 entries of data.vocab_size=400"):
        train_tokenizer(["ab ab"], 400)
    assert train_tokenizer(["ab ab"], 400, allow_smaller_vocabulary=True).get_vocab_size() == 259


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"version": "1.0", "model": {"type": "BPE"}}'])
def test_a_damaged_tokenizer_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(DamagedError, match=r"cannot be read as a tokenizer|no tokenizer of this program"):
        load_tokenizer(path)


def test_a_missing_or_foreign_tokenizer_is_refused(tmp_path: Path, tokenizer: Tokenizer) -> None:
    with pytest.raises(DamagedError, match=r"cannot be read as a tokenizer"):
        load_tokenizer(tmp_path / "none.json")
    foreign = tmp_path / "foreign.json"
    foreign.write_text(tokenizer.to_str().replace(END_OF_TEXT, "<s>"), encoding="utf-8")
    with pytest.raises(DamagedError, match="not its entry 0"):
        load_tokenizer(foreign)


WORDS = ["once", "it's", "I'll", "猫", "12", "...", "\u2028x", "é", "a<b>"]
SPACES = [" ", "  ", "\n", "\n\n", " \n", "\t ", "\u3000", "\r"]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(SPACES)), min_size=1, max_size=40))
def test_cutting_a_document_changes_no_token(
    tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer, parts: list[tuple[str, str]]
) -> None:
    text = "".join(word + space for word, space in parts).strip()
    # A longer word counts as giant and is cut anywhere.
    assume(max(map(len, text.replace("\n", " ").split(" "))) < 20)
    folder = folder_of(tmp_path_factory.getbasetemp() / "cut", text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segmentation, "CHUNK_CHARS", 24)
        found = [chunk.text for chunk in chunks(data_config(path=folder), Split.TRAIN)]
    assert len(found) >= len(text) / 24
    assert [token for part in found for token in tokenizer.encode(part).ids] == tokenizer.encode(text).ids


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({"padding": {"strategy": {"Fixed": 10**7}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
                      "pad_type_id": 0, "pad_token": "x"}}, ""),
        ({"truncation": {"direction": "Right", "max_length": 1, "strategy": "LongestFirst", "stride": 5}}, ""),
        ({"normalizer": {"type": "Lowercase"}}, "not plain byte-level BPE"),
        ({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}}, "not plain byte-level BPE"),
        ({"post_processor": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}},
         "not plain byte-level BPE"),
        ({"model": {"type": "WordLevel", "vocab": {"<|endoftext|>": 0}, "unk_token": "x"}}, "not plain byte-level BPE"),
        ({"model": 5}, "cannot be read as a tokenizer"),
    ],
)  # fmt: skip
def test_a_foreign_tokenizer_does_not_truncate_pad_or_change_a_text(
    tokenizer: Tokenizer, tmp_path: Path, change: dict[str, object], refused: str
) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(json.loads(tokenizer.to_str()) | change))
    if refused:
        with pytest.raises(DamagedError, match=refused):
            load_tokenizer(path)
    else:
        assert load_tokenizer(path).encode("One day").ids == tokenizer.encode("One day").ids


def test_entries_without_a_row_of_the_embedding_are_refused(tokenizer: Tokenizer, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    stored = json.loads(tokenizer.to_str())
    last = max(stored["model"]["vocab"], key=stored["model"]["vocab"].get)
    stored["model"]["vocab"][last] = 4_000_000_000
    path.write_text(json.dumps(stored))
    with pytest.raises(DamagedError, match="not numbered from 0 on"):
        load_tokenizer(path)


SIGNALLED = """
import os, signal, threading, time
from tinystories_lm.data.tokenizer import train_tokenizer
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
signal.signal(signal.SIGINT, signal.default_int_handler)
began = time.monotonic()
train_tokenizer(iter(lambda: "One day." if time.monotonic() < began + 20 else None, None), 300)
"""


def test_a_signal_is_answered_while_the_texts_are_read() -> None:
    """Also in a process whose trainer uses several threads."""
    environment = os.environ | {"TOKENIZERS_PARALLELISM": "true", "RAYON_NUM_THREADS": "2"}
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", SIGNALLED], env=environment, capture_output=True, text=True)
    assert time.monotonic() - began < 15 and done.stderr.strip().endswith("KeyboardInterrupt"), done.stderr
