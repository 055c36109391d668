"""Split a line as bash does, and quote what completes its last word in the way that the word began."""

import re
from typing import NamedTuple

SPECIAL = re.compile(r"[^\w@%+=:,./-]", re.ASCII)
SPECIAL_IN_DOUBLE_QUOTES = re.compile(r'[$`"\\]')


class Word(NamedTuple):
    """A word of a line.

    text: without its quotes and escapes.
    start: where it begins in the line.
    quote: the quote that is open at its end; empty for none.
    """

    text: str
    start: int
    quote: str


def split(line: str) -> list[Word]:
    """Return the words of a line; the last one, which the cursor is in, may be empty, and its quotes open."""
    words: list[Word] = []
    text, start, quote = "", None, ""
    position = 0
    while position < len(line):
        letter = line[position]
        begun = position if start is None else start
        if quote == "'" or (quote == '"' and letter != "\\"):
            quote, text = ("", text) if letter == quote else (quote, text + letter)
        elif letter == "\\":
            position += 1
            escaped = line[position : position + 1]
            text += escaped if not quote or SPECIAL_IN_DOUBLE_QUOTES.match(escaped) else letter + escaped
            start = begun
        elif letter in "'\"":
            quote, start = letter, begun
        elif letter in " \t\n":
            if start is not None:
                words.append(Word(text, start, ""))
            text, start = "", None
        else:
            text, start = text + letter, begun
        position += 1
    return [*words, Word(text, len(line) if start is None else start, quote)]


def quoted(text: str, quote: str) -> str:
    """Return text that stands for itself after an open quote, or after none."""
    if quote == "'":
        return text.replace("'", "'\\''")
    if quote:
        escaped = SPECIAL_IN_DOUBLE_QUOTES.sub(lambda found: f"\\{found[0]}", text)
        return escaped.replace("!", '"\\!"')  # within the quotes its backslash would stay
    return SPECIAL.sub(lambda found: f"\\{found[0]}", text)


def reply(line: str, replaced: str, text: str, *, is_open: bool) -> str | None:
    """Return what bash has to insert so that the line's last word becomes `text`.

    replaced: the end of the line that bash replaces. It begins behind an open quote, and behind the last = or :.

    Returns None where the word cannot become that.
    """
    kept = line.removesuffix(replaced)
    start = split(line)[-1].start
    before = split(kept[start:])[-1] if len(kept) > start else Word("", 0, "")
    if not text.startswith(before.text):
        return None
    rest = text.removeprefix(before.text)
    is_start = not before.quote and before.text[-1:] in ("", "=")
    home = "~/" if is_start and rest.startswith("~/") else ""
    inserted = home + quoted(rest.removeprefix(home), before.quote)
    return inserted if is_open or before.quote else f"{inserted} "
