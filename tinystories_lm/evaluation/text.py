"""Stories as the metrics read them: words and n-grams."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
APOSTROPHES = str.maketrans("‘’ʼ‐‑", "'''--")


@dataclass(frozen=True)
class Story:
    """A prompt and the model's continuation. A story from the corpus has an empty prompt and is finished."""

    prompt: str
    continuation: str
    finished: bool  # the model wrote the end-of-text token


def words(text: str) -> list[str]:
    """Return the words in lower case: letters and digits, with apostrophes and hyphens inside a word only.

    "Don't" and "merry-go-round" are one word each, and so is a number. A dash or a quotation mark that stands alone is
    skipped. Typographic apostrophes and hyphens count as plain ones.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text).translate(APOSTROPHES)
    return WORD.findall(text.lower())


def ngrams(text: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """Return every run of `n` neighbouring words, in order."""
    return list(zip(*(text[start:] for start in range(n)), strict=False))
