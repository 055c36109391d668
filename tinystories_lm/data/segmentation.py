"""Split text into documents, strip the white space around them, and cut long ones into chunks."""

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tinystories_lm.config.choices import Boundary
from tinystories_lm.config.schema import DataConfig

SEPARATOR = "<|endoftext|>"
BLOCK_BYTES = 1 << 20  # read at a time
CHUNK_CHARS = 2048  # longest word passed to a tokenizer, whose training time is quadratic in that length
# The title of a WikiText article has one equals sign on each side; it is a title only between blank lines.
TITLE = re.compile(r"\s*= [^=].* =\s*")


class Chunk(NamedTuple):
    """A document or a part of one; a document is the concatenation of its chunks' texts."""

    text: str
    ends_document: bool


def documents_of_rows(rows: Iterable[list[str]], config: DataConfig) -> Iterator[Chunk]:
    """Yield a document per row, or for WikiText, whose rows are lines, one per article."""
    if config.boundary is Boundary.wikitext:
        lines = ("".join(row.removesuffix("\n") + "\n" for row in batch) for batch in rows)
        yield from at_titles(text.replace("\r\n", "\n") for text in lines)
    else:
        for row in itertools.chain.from_iterable(rows):
            yield Chunk(row.replace("\r\n", "\n"), True)


def at_separators(blocks: Iterable[str]) -> Iterator[Chunk]:
    """Split at each `<|endoftext|>`."""
    rest = ""
    for block in blocks:
        *ended, rest = (rest + block).split(SEPARATOR)
        for text in ended:
            yield Chunk(text, True)
        safe = max(0, len(rest) - len(SEPARATOR))  # the rest may be the start of a separator
        yield Chunk(rest[:safe], False)
        rest = rest[safe:]
    yield Chunk(rest, True)


def at_titles(blocks: Iterable[str]) -> Iterator[Chunk]:
    """Start a document at each title; a line of white space counts as empty, as in the hub's rows."""
    after_blank, held = True, ""  # held: a line that is a title if the next one is blank
    for line in _lines(blocks):
        blank = not line.strip()
        if held:
            yield Chunk("", blank)
            yield Chunk(held, False)
            held = ""
        if after_blank and TITLE.fullmatch(line):
            held = line
        else:
            yield Chunk("\n" if blank else line, False)
        after_blank = blank
    yield Chunk(held, True)


def _lines(blocks: Iterable[str]) -> Iterator[str]:
    rest = ""
    for block in blocks:
        *lines, rest = (rest + block).split("\n")
        for line in lines:
            yield line + "\n"
        if len(rest) > BLOCK_BYTES:  # a title is shorter
            yield rest
            rest = ""
    yield rest


def normalise(parts: Iterable[Chunk]) -> Iterator[Chunk]:
    """Strip the white space around documents, drop empty ones, and cut long ones into chunks."""
    text, begun, blanks = "", False, list[str]()
    for part in parts:
        if part.text and not part.text.isspace():
            text = "".join((text, *blanks, part.text))
            text = text if begun else text.lstrip()
            blanks.clear()
        elif not part.ends_document:  # kept only if a word follows in the document
            if text:
                blanks.append(part.text)
            continue
        start, end = 0, len(text.rstrip())
        while end - start > CHUNK_CHARS:
            cut = _cut(text, start)
            yield Chunk(text[start:cut], False)
            start, begun = cut, True
        if not part.ends_document:
            text = text[start:]
            continue
        if end > start:
            yield Chunk(text[start:end], True)
        text, begun = "", False
        blanks.clear()


def _cut(text: str, start: int) -> int:
    """Find the last place within CHUNK_CHARS where GPT-2's pre-tokenizer splits too; CHUNK_CHARS where there is none.

    That is where white space follows a word or, in a language without blanks, where letters, digits and other
    characters meet.
    """
    limit = start + CHUNK_CHARS
    last = max(text.rfind(" ", start, limit + 1), text.rfind("\n", start, limit + 1))
    cut = start + len(text[start : max(start, last)].rstrip())
    if cut > start:
        return cut
    return next((place for place in range(limit, start, -1) if _splits(text[place - 1], text[place])), limit)


def _splits(before: str, after: str) -> bool:
    """Return whether a word ends between two characters; an apostrophe may belong to the letters behind it."""
    return not before.isspace() and "'" not in (before, after) and _kind(before) != _kind(after)


def _kind(letter: str) -> str:
    kind = unicodedata.category(letter)[0]
    return kind if kind in "LN" else " " if letter.isspace() else "other"


def held_out(stream: Iterable[Chunk], fraction: float, *, for_validation: bool) -> Iterator[Chunk]:
    """Yield one split of a single file: validation takes evenly spaced documents, starting with the second."""
    index = 0
    for chunk in stream:
        held_out = int((index - 1) * fraction // 1) > int((index - 2) * fraction // 1)
        if held_out == for_validation:
            yield chunk
        index += chunk.ends_document
