"""Write the built-in corpus: children's stories from a seeded grammar.

The grammar, RULES and PLOTS in `vocabulary.py`, is plain text with four marks:

    [a|b|]    one of these, possibly the empty one; they nest
    <name>    the rule of that name, or a word of that group, drawn at each occurrence
    {name}    a word of that group that stays the same in the story: {toy} is one toy, {toy2} another
    {hero}    a character; {friend.he}, {friend.his}, ... are a character's pronouns, {he}, {his}, ... the hero's

A line break is a space, except after "[" and "|"; an empty line starts a paragraph.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from functools import cache
from random import Random
from typing import NamedTuple, TypeAlias

from tinystories_lm.data.grammar.vocabulary import (
    BOYS,
    GIRLS,
    HE_ANIMALS,
    PLOTS,
    RULES,
    SHE_ANIMALS,
    SPECIES,
    SURNAMES,
    WORDS,
)

Phrase: TypeAlias = "list[str | Choice]"  # written one after the other
Choice: TypeAlias = "list[Phrase]"  # one of these is written
Draw: TypeAlias = Callable[[], float]  # returns the next number in [0, 1), a story's only randomness

# Raise GRAMMAR_VERSION with every change that alters a story: corpora, caches and runs are identified by it.
GRAMMAR_VERSION = 1
# Version 1 was identified by its two source files' hashes; it keeps them, so existing caches and runs match.
GRAMMAR_IDENTITY: list[str] = (
    [
        "0efe88f5a04a8f3f031bcd5e903bec8d68ee4e7b3478402184e2185422d1db69",
        "79b889b017696a7f790c5ac0f6a9876556fc8628c96b11c8d2b6ee0ea1acc94b",
    ]
    if GRAMMAR_VERSION == 1
    else [f"version {GRAMMAR_VERSION}"]
)

COOKIE_SHARE = 0.12  # share of the stories about Cookie, with whom every example prompt begins
INTRODUCED_SHARE = 0.85  # share of the stories that introduce their hero first

MARKS = re.compile(r"(\[|\]|\||<\w+>)")
# The article is chosen last, by the sound of the next word: a unicorn, but an honest one.
AN = re.compile(r"\b([Aa]) (?=(?!uni|use|uku|eu|one)[aeiou]|hour|honest)")


class Character(NamedTuple):
    """A character of the story; formats as the name."""

    name: str
    kind: str  # "dog", "girl"
    hand: str
    coat: str
    he: str
    him: str
    his: str
    himself: str
    He: str
    His: str

    @property
    def capitalized(self) -> str:
        return self.name.capitalize()

    def __str__(self) -> str:
        return self.name


SHE = ("she", "her", "her", "herself", "She", "Her")
HE = ("he", "him", "his", "himself", "He", "His")
COOKIE = Character("Cookie", "dog", "paw", "fur", *SHE)
PARENTS = (Character("mom", "woman", "hand", "hair", *SHE), Character("dad", "man", "hand", "hair", *HE))
ELDERS = (Character("grandma", "woman", "hand", "hair", *SHE), Character("grandpa", "man", "hand", "hair", *HE))


class Scene(dict[str, object]):
    """The values of the marks in braces in one story; words are drawn when first used, without repeats in a group."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.drawn: set[tuple[str, ...]] = set()  # used for membership only, since the order of a set varies

    def __missing__(self, key: str) -> object:
        group = key.rstrip("0123456789")
        fields, records = _groups()[group]
        record = _often_first(records, self.draw)
        while record in self.drawn:
            record = _often_first(records, self.draw)
        self.drawn.add(record)
        self.update((field + key[len(group) :], word) for field, word in zip(fields, record, strict=True))
        return self[key]


def story(seed: int, index: int) -> str:
    """Write story number `index` of the corpus `seed`: 60 to 250 words of ASCII, an empty line between paragraphs."""
    key = hashlib.sha256(f"{seed} {index}".encode()).digest()
    # random() is the only method of Random that gives the same numbers in every Python version.
    draw = Random(int.from_bytes(key[:8], "big")).random
    scene = _cast(draw)
    introduced = draw() < INTRODUCED_SHARE
    hero = scene["hero"]
    assert isinstance(hero, Character)
    scene["who"] = hero if introduced else f"a little {hero.kind} named {hero}"

    text: list[str] = []
    if introduced:
        _write(_named("cookie" if hero is COOKIE else "opening"), draw, text)
        text.append(" ")
        _write(_named("about_child" if hero.kind in ("girl", "boy") else "about_animal"), draw, text)
        text.append("\n\n")
    _write(_plots(), draw, text)
    text.append(" The end." if draw() < 0.5 else "\n\nThe end.")
    return AN.sub(r"\1n ", "".join(text).format_map(scene))


def stories(seed: int, n_bytes: int) -> Iterator[str]:
    """Yield stories 0, 1, ... until they fill `n_bytes`, with one byte per story for a separator."""
    index = 0
    while n_bytes > 0:
        text = story(seed, index)
        yield text
        n_bytes -= len(text) + 1  # ASCII: one byte per letter
        index += 1


def _cast(draw: Draw) -> Scene:
    """Draw the characters. The friend's pronouns differ from the hero's, so that each "she" is unambiguous."""
    scene = Scene(draw)
    hero = COOKIE if draw() < COOKIE_SHARE else _character(draw, she=draw() < 0.5)
    friend = _character(draw, she=hero.he == "he")
    pal = _character(draw, she=hero.he == "he")
    while pal.name == friend.name:
        pal = _character(draw, she=hero.he == "he")
    title, pronouns = ("Mrs.", SHE) if draw() < 0.5 else ("Mr.", HE)
    neighbor = Character(f"{title} {_often_first(_records(SURNAMES), draw)[0]}", "neighbor", "hand", "hair", *pronouns)
    scene.update(hero=hero, friend=friend, pal=pal, neighbor=neighbor)
    scene.update(parent=PARENTS[draw() < 0.4], elder=ELDERS[draw() < 0.4])
    scene.update(zip(Character._fields[4:], hero[4:], strict=True))
    return scene


def _character(draw: Draw, *, she: bool) -> Character:
    pronouns = SHE if she else HE
    if draw() < 0.45:
        (name,) = _often_first(_records(GIRLS if she else BOYS), draw)
        return Character(name, "girl" if she else "boy", "hand", "hair", *pronouns)
    (name,) = _often_first(_records(SHE_ANIMALS if she else HE_ANIMALS), draw)
    kind, hand, coat = _often_first(_records(SPECIES), draw)
    return Character(name, kind, hand, coat, *pronouns)


def _often_first(records: list[tuple[str, ...]], draw: Draw) -> tuple[str, ...]:
    """Draw a record; the first quarter is drawn half of the time, like the common words of a language."""
    return records[int(draw() ** 2 * len(records))]


def _write(choice: Choice, draw: Draw, text: list[str]) -> None:
    """Append one of the phrases, with every choice within it made."""
    for part in choice[int(draw() * len(choice))] if len(choice) > 1 else choice[0]:
        if isinstance(part, str):
            text.append(part)
        else:
            _write(part, draw, text)


@cache
def _records(words: str) -> list[tuple[str, ...]]:
    return [tuple(part.strip() for part in record.split("/")) for record in " ".join(words.split()).split(",")]


@cache
def _groups() -> dict[str, tuple[list[str], list[tuple[str, ...]]]]:
    """Map every field of WORDS to the fields of its group and their records."""
    return {field: (names.split(), _records(words)) for names, words in WORDS.items() for field in names.split()}


@cache
def _named(name: str) -> Choice:
    if name in RULES:
        return [_phrase(RULES[name])]
    return [[word] for (word,) in _records(WORDS[name])]


@cache
def _plots() -> Choice:
    return [_phrase(plot) for plot in PLOTS.values()]


def _phrase(text: str) -> Phrase:
    """Parse the grammar's text; marks in braces stay, since `str.format` resolves them."""
    text = re.sub(r"(?<=[\[|])\n\s*", "", text.strip())
    text = re.sub(r"\n\s*\n\s*", "\0", text)
    text = re.sub(r"\n\s*", " ", text).replace("\0", "\n\n")
    choices: list[Choice] = [[[]]]  # the open choices, innermost last; the first has one phrase, the whole text
    for piece in MARKS.split(text):
        if piece == "[":
            choices.append([[]])
        elif piece == "|":
            choices[-1].append([])
        elif piece == "]":
            closed = choices.pop()
            choices[-1][-1].append(closed)
        elif piece.startswith("<"):
            choices[-1][-1].append(_named(piece[1:-1]))
        elif piece:
            choices[-1][-1].append(piece)
    assert len(choices) == 1, f"a bracket is not closed in: {text}"
    return choices[0][0]
