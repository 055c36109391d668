"""Long documents are cut where the pre-tokenizer splits, in any language."""

import random

import pytest
from tokenizers import pre_tokenizers

from tinystories_lm.data.segmentation import CHUNK_CHARS, Chunk, normalise

LETTERS = {
    "Chinese": "".join(chr(0x4E00 + number) for number in range(300)) + "。，！？「」0123456789",
    "Japanese": "".join(chr(0x3041 + number) for number in range(80)) + "漢字カタカナ。、\u3000ー",
    "Thai": "".join(chr(0x0E01 + number) for number in range(58)),
    "without blanks": "abcdefghij'str.,;!12345-_\t",
    "of blanks alone": "ab \n\t\u3000'",
}


@pytest.mark.parametrize("language", LETTERS)
@pytest.mark.parametrize("seed", range(3))
def test_the_words_of_a_document_are_those_of_its_chunks(language: str, seed: int) -> None:
    draw = random.Random(seed)
    text = "".join(draw.choice(LETTERS[language]) for _ in range(20_000)).strip()
    chunks = [*normalise([Chunk(text, True)])]
    assert "".join(chunk.text for chunk in chunks) == text
    assert max(len(chunk.text) for chunk in chunks) <= CHUNK_CHARS and len(chunks) > 5
    words = pre_tokenizers.ByteLevel(add_prefix_space=False)
    split = [word for chunk in chunks for word, _ in words.pre_tokenize_str(chunk.text)]
    assert split == [word for word, _ in words.pre_tokenize_str(text)]
