"""From text to documents: where one ends and the next begins, and what is no part of any."""

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tinystories_lm.config.choices import Boundary
from tinystories_lm.config.schema import DataConfig

SEPARATOR = "<|endoftext|>"
BLOCK_BYTES = 1 << 20  # read at a time
PIECE_CHARS = 2048  # the longest word that a tokenizer meets: training on it takes time quadratic in its length
TITLE = re.compile(r"\s*= [^=].* =\s*")  # of a WikiText article; it stands between blank lines, others like it do not


class Chunk(NamedTuple):
    """A document or a part of one: the texts of a document's pieces, joined, are the document."""

    text: str
    ends_document: bool


def documents_of_rows(rows: Iterable[list[str]], config: DataConfig) -> Iterator[Chunk]:
    """A row is a document, or in WikiText a line."""
    if config.boundary is Boundary.wikitext:
        lines = ("".join(row.removesuffix("\n") + "\n" for row in batch) for batch in rows)
        yield from at_titles(text.replace("\r\n", "\n") for text in lines)
    else:
        for row in itertools.chain.from_iterable(rows):
            yield Chunk(row.replace("\r\n", "\n"), True)


def at_separators(blocks: Iterable[str]) -> Iterator[Chunk]:
    rest = ""
    for block in blocks:
        *ended, rest = (rest + block).split(SEPARATOR)
        for text in ended:
            yield Chunk(text, True)
        safe = max(0, len(rest) - len(SEPARATOR))  # what follows may be half of a separator
        yield Chunk(rest[:safe], False)
        rest = rest[safe:]
    yield Chunk(rest, True)


def at_titles(blocks: Iterable[str]) -> Iterator[Chunk]:
    """Begin a document at each title; a line of white space is empty, as in the hub's rows."""
    after_blank, held = True, ""  # held: a title if the line after it is blank
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
        if len(rest) > BLOCK_BYTES:  # no title is that long
            yield rest
            rest = ""
    yield rest


def normalise(parts: Iterable[Chunk]) -> Iterator[Chunk]:
    """Join the parts, leave out white space around documents and documents of nothing else, and cut long ones."""
    text, begun, blanks = "", False, list[str]()
    for part in parts:
        if part.text and not part.text.isspace():
            text = "".join((text, *blanks, part.text))
            text = text if begun else text.lstrip()
            blanks.clear()
        elif not part.ends_document:  # a part of the document if a word follows
            if text:
                blanks.append(part.text)
            continue
        start, end = 0, len(text.rstrip())
        while end - start > PIECE_CHARS:
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
    """The last place within PIECE_CHARS where white space follows a word; where there is none, all of them."""
    limit = start + PIECE_CHARS
    last = max(text.rfind(" ", start, limit + 1), text.rfind("\n", start, limit + 1))
    cut = start + len(text[start : max(start, last)].rstrip())
    return cut if cut > start else limit


def held_out(stream: Iterable[Chunk], fraction: float, *, for_validation: bool) -> Iterator[Chunk]:
    """Every so many documents of a single file, beginning with the second, are the validation split."""
    index = 0
    for piece in stream:
        held_out = int((index - 1) * fraction // 1) > int((index - 2) * fraction // 1)
        if held_out == for_validation:
            yield piece
        index += piece.ends_document
