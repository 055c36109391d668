"""The texts that the metrics read: stories as words and n-grams, and what the training text contains."""

import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
APOSTROPHES = str.maketrans("‘’ʼ‐‑", "'''--")
COPY_WORDS = 8  # length of a passage that counts as copied
BLOCK_WORDS = 1 << 18  # of the training text, hashed at a time
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd: 2^64 divided by the golden ratio
INNER_MARK = re.compile("['-]")


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


@dataclass(frozen=True)
class TrainingText:
    """What the metrics need to know of the training text."""

    vocabulary: frozenset[str]  # its words, and the parts of words that have apostrophes or hyphens
    passages: frozenset[tuple[str, ...]]  # the stories' passages of COPY_WORDS words that also occur in it

    def knows(self, word: str) -> bool:
        """Return whether the training text has the word or, where apostrophes or hyphens divide it, each of its parts.

        Numbers are known, and so are the possessive of a known name and a stammer ("b-b-but").
        """
        return all(part in self.vocabulary or part.isdecimal() for part in INNER_MARK.split(word))


def read_training_text(
    documents: Iterable[str], stories: Iterable[Story], *, progress: Callable[[int], object] = lambda n_bytes: None
) -> TrainingText:
    """Read the training text once and collect what measuring these stories needs.

    documents: read one at a time, so that memory grows only with the vocabulary and the stories.
    progress: called now and then with the number of bytes read since the last call.

    Passages are compared by 64-bit hashes. For a hundred thousand passages in two gigabytes of text, the probability
    of a false match is below one in a hundred thousand.
    """
    wanted = list({gram for story in stories for gram in ngrams(words(story.continuation), COPY_WORDS)})
    hashes = _passage_hashes(itertools.chain.from_iterable(wanted))[::COPY_WORDS]
    order = np.argsort(hashes)
    ordered, found = hashes[order], np.zeros(len(wanted), dtype=bool)
    vocabulary: set[str] = set()
    for block in _blocks_of_words(documents, progress):
        vocabulary.update(block)
        if wanted:
            passages = _passage_hashes(block)
            places = np.searchsorted(ordered[1:], passages, side="right")
            found[places[ordered[places] == passages]] = True
    vocabulary.discard("")
    vocabulary.update([part for word in vocabulary for part in INNER_MARK.split(word)])
    return TrainingText(frozenset(vocabulary), frozenset(wanted[place] for place in order[found]))


def _blocks_of_words(documents: Iterable[str], progress: Callable[[int], object]) -> Iterator[list[str]]:
    """Yield the words of whole documents in blocks; an empty word ends each document, so no passage spans two."""
    block: list[str] = []
    n_bytes = 0
    for document in documents:
        block += words(document)
        block.append("")
        n_bytes += len(document) if document.isascii() else len(document.encode(errors="replace"))
        if len(block) >= BLOCK_WORDS:
            yield block
            progress(n_bytes)
            block, n_bytes = [], 0
    yield block
    progress(n_bytes)


def _passage_hashes(text: Iterable[str]) -> NDArray[np.uint64]:
    """Return one hash per passage of COPY_WORDS words, in the order of their first words."""
    hashes = np.fromiter(map(hash, text), dtype=np.int64).view(np.uint64)
    total = np.zeros(max(0, len(hashes) - COPY_WORDS + 1), dtype=np.uint64)
    for offset in range(COPY_WORDS):
        total = total * MULTIPLIER + hashes[offset : offset + len(total)]
    return total
