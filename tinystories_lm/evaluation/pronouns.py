"""Whether a story keeps the pronouns of its main character ("Cookie", a dog, "she") consistent."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from tinystories_lm.evaluation.text import Story


def _lexicon(text: str) -> frozenset[str]:
    return frozenset(text.split())


OTHER_GENDER = {"she": _lexicon("he him his himself"), "he": _lexicon("she her hers herself"), None: _lexicon("")}
SHE_KINDS = _lexicon(
    "girl woman lady princess queen mom mommy mum mama mother grandma granny grandmother sister aunt witch mermaid"
)
HE_KINDS = _lexicon("boy man prince king dad daddy papa father grandpa grandfather brother uncle wizard")
OTHERS = _lexicon(
    """
    animal another baby badger baker bear beaver bee bird bunny butterfly cat chicken child children cousin cow
    creature deer dinosaur doctor dog doll dolphin donkey dragon driver duck eagle elephant everybody everyone fairy
    farmer fish fox friend frog ghost giant giraffe goat goose hedgehog horse kid kitten kitty knight koala ladybug
    lamb lion lizard mice monkey monster mouse neighbor nurse officer other otter owl owner panda parent penguin
    people person pet pig pirate police pony pup puppy rabbit raccoon rooster seal sheep shopkeeper snake snowman
    somebody someone spider squirrel stranger swan teacher teddy tiger tortoise turtle wolf zebra
    """
)
SOMEBODY = SHE_KINDS | HE_KINDS | OTHERS
STARTERS = _lexicon(  # capitalised at the beginning of a sentence without being names
    """
    a about after again all although always an and another as at because before behind both but by day down each even
    every finally first for from happy he her him his how i i'd i'll i'm i've if in instead into it its just last like
    long maybe more most much never next no not now of oh on once one only or out outside over she so some something
    sometimes soon still suddenly that the their them then there these they this those though through to too until up
    we well what when whenever where while why with without yes you your
    """
)
INTRODUCTION = re.compile(r"(?<![\w-])([\w-]+) named ([A-Z]\w+)\b(?! and [A-Z])")
TOKEN = re.compile(r"(?:Mr|Mrs|Ms|Dr)\.|[^\W\d_]+(?:[-'’][^\W\d_]+)*|[.!?]+|\n+|[\"“”]")


class Character(NamedTuple):
    """The character a story is about, as in "a little dog named Cookie"."""

    name: str
    kind: str  # "dog"
    pronoun: str | None  # "she" or "he" where the kind determines it


def main_character(text: str) -> Character | None:
    """Find the first character that the text introduces, alone, by "... named ..."."""
    found = INTRODUCTION.search(text)
    if found is None:
        return None
    kind = found[1].lower()
    return Character(found[2], kind, "she" if kind in SHE_KINDS else "he" if kind in HE_KINDS else None)


def judged_pronouns(story: Story) -> list[bool]:
    """Judge each "she" or "he" in the continuation that refers to the main character: True where it is the right one.

    A pronoun refers to the character if it follows the name, or another pronoun that refers to the character, in the
    same or the next sentence, and nobody else was mentioned in between or before the name in its sentence. Somebody
    else is another name, "mom", "the bird", a pronoun of the other gender, or a "she" or "he" that refers to another
    character. Quoted speech is skipped, and after it the character must be named again. The right pronoun follows from
    the kind ("girl"); where the kind leaves it open it is the first one, which is not judged. "Her", "him" and "his"
    are not judged, because counting cannot resolve them ("Lily hugged him").
    """
    text = story.prompt + story.continuation
    her = main_character(text)
    if her is None:
        return []
    right, judged = her.pronoun, []
    for place, pronoun in _her_pronouns(text, her):
        if right is None:
            right = pronoun
        elif place >= len(story.prompt):
            judged.append(pronoun == right)
    return judged


def _her_pronouns(text: str, her: Character) -> Iterator[tuple[int, str]]:
    """Yield each "she" or "he" that refers to the main character, with its position in the text."""
    alone = False  # the character was mentioned last, and nobody else in that sentence
    gender = her.pronoun
    for sentence in _narration(text):
        hers = others = False  # mentioned in this sentence
        for number, token in enumerate(sentence):
            name = re.sub("['’]s$", "", token[0])
            word = name.lower()
            if name == her.name:
                alone, hers = not others, True
            elif word in ("she", "he") and alone:
                gender, hers = gender or word, True
                yield token.start(), word
            elif (
                word in ("she", "he") or word in OTHER_GENDER[gender] or _mentions_somebody(name, number == 0, her.kind)
            ):
                alone, others = False, True
        alone = alone and hers


def _narration(text: str) -> Iterator[list[re.Match[str]]]:
    """Yield the tokens of each sentence outside quotation marks; quoted speech yields an empty sentence."""
    sentence: list[re.Match[str]] = []
    speech = False
    for token in TOKEN.finditer(text):
        mark = token[0]
        if mark in '"“”':
            speech = mark == "“" or (mark == '"' and not speech)
            yield sentence  # at a closing mark it is empty
            sentence = []
        elif mark[0] in ".!?\n":
            speech = speech and mark[0] != "\n"  # a quotation mark may be missing
            if sentence:
                yield sentence
            sentence = []
        elif not speech:
            sentence.append(token)
    yield sentence


def _mentions_somebody(word: str, begins_sentence: bool, her_kind: str) -> bool:
    lower = word.lower()
    is_name = word[0].isupper() and not (begins_sentence and lower in STARTERS)
    return lower != her_kind and (is_name or lower in SOMEBODY or lower.removesuffix("s") in SOMEBODY)
