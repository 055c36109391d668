"""How good written stories are, as far as counting can tell: repetition, loops, made-up words, pronouns, copying.

Every measure is about what the model wrote, not about the prompt, and takes real stories as well (an empty prompt and
the whole text): what they reach is the figure to compare with. `Quality` lists the measures.
"""

import itertools
import re
import statistics
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

PROMPTS = (
    "Once upon a time, there was a little dog named Cookie. She",
    "Once upon a time, there was a little girl named Lily. She",
    "Once upon a time, there was a little boy named Tim. He",
    "Once upon a time, there was a small cat named Daisy. She",
    "Once there was a brave rabbit named Benny. He",
    "There once was a kind girl named Mia. One day, she",
    "Long ago, there was a curious mouse named Coco. She",
    "Once upon a time, there was a little bear named Bruno. He",
    "In a small village by the river, there lived a little boy named Jack. Jack",
    "One day, a little girl named Lucy",
    "Once upon a time,",
    "One sunny day,",
)

COPY_WORDS = 8  # of a passage that counts as copied
REPEAT_WORDS = 4
MAX_PERIOD_WORDS = 60
BLOCK_WORDS = 1 << 18  # of the training text, hashed at a time
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd: 2^64 divided by the golden ratio

WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
THE_END = re.compile(r"\b(?:The [Ee]nd|THE END)\W*$")
INNER_MARK = re.compile("['-]")
APOSTROPHES = str.maketrans("‘’ʼ‐‑", "'''--")


@dataclass(frozen=True)
class Story:
    """A prompt and what a model made of it; a real story has no prompt and is finished."""

    prompt: str
    continuation: str
    finished: bool  # the model ended it itself, by the end-of-text token


def words(text: str) -> list[str]:
    """The words in lower case: letters and digits, apostrophes and hyphens only inside ("don't", "merry-go-round").

    A number is a word, a lone dash or quotation mark is none; typographic apostrophes and hyphens are plain ones.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text).translate(APOSTROPHES)
    return WORD.findall(text.lower())


def ngrams(text: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return list(zip(*(text[start:] for start in range(n)), strict=False))


# The training text


@dataclass(frozen=True)
class TrainingText:
    """What the measures ask of the text a model has learned from."""

    vocabulary: frozenset[str]  # all its words, and the parts of those with apostrophes and hyphens
    passages: frozenset[tuple[str, ...]]  # those passages of COPY_WORDS words it has that were asked for

    def knows(self, word: str) -> bool:
        """Whether it has the word or, if that is made of several by apostrophes and hyphens, each of them.

        Numbers are known, and so are a known name's possessive and a stammer: "b-b-but".
        """
        return all(part in self.vocabulary or part.isdecimal() for part in INNER_MARK.split(word))


def read_training_text(
    documents: Iterable[str], stories: Iterable[Story], *, progress: Callable[[int], object] = lambda n_bytes: None
) -> TrainingText:
    """Go through the training text once, for measuring these stories.

    documents: read one by one; memory grows with their vocabulary and with the stories only.
    progress: is told now and then how many more bytes of text have been read.

    Passages are looked up by a hash of 64 bits: the chance of a false find is below one in a hundred thousand
    even for a hundred thousand passages in two gigabytes.
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
    """Whole documents' words; the empty word after each document is part of no passage that anybody asks for."""
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
    """One hash for each passage of COPY_WORDS words, by where it begins."""
    hashes = np.fromiter(map(hash, text), dtype=np.int64).view(np.uint64)
    total = np.zeros(max(0, len(hashes) - COPY_WORDS + 1), dtype=np.uint64)
    for offset in range(COPY_WORDS):
        total = total * MULTIPLIER + hashes[offset : offset + len(total)]
    return total


# Loops


@dataclass(frozen=True)
class Loop:
    """A run of words said over and over: "and the dog and the dog and the" has period 3 and count 2."""

    period_words: int
    count: int  # whole rounds
    repeated_words: int  # all but the first round's, also those of a last round that is cut off


def strongest_loop(text: Sequence[str]) -> Loop | None:
    """The loop of a text's words with the most repeated words, anywhere in it, if it has one.

    A loop is a run of at least REPEAT_WORDS words, and at least a whole period, that are the same as those one period
    before. So a phrase of four words or more loops when it is said twice, one of two words at the third time, a word
    at the fifth: "No, no, no!" and "very, very big" are none. Of real stories 0.4 % have one.
    """
    numbers: dict[str, int] = {}
    ids = np.array([numbers.setdefault(word, len(numbers)) for word in text], dtype=np.int64)
    best = None
    for period in range(1, min(MAX_PERIOD_WORDS, len(ids) - 1) + 1):
        same = np.concatenate(([False], ids[period:] == ids[:-period], [False]))
        bounds = np.flatnonzero(same[1:] != same[:-1])
        repeated = int((bounds[1::2] - bounds[::2]).max(initial=0))
        if repeated >= max(period, REPEAT_WORDS) and (best is None or repeated > best.repeated_words):
            best = Loop(period, repeated // period + 1, repeated)
    return best


# The heroine's pronouns


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
STARTERS = _lexicon(  # have a capital where they begin a sentence, and are no names
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


class Heroine(NamedTuple):
    """Whom a story is about: a little dog named Cookie."""

    name: str
    kind: str  # "dog"
    pronoun: str | None  # "she" or "he", where the kind tells


def heroine(text: str) -> Heroine | None:
    """The first one whom the text introduces as "... named ...", alone."""
    found = INTRODUCTION.search(text)
    if found is None:
        return None
    kind = found[1].lower()
    return Heroine(found[2], kind, "she" if kind in SHE_KINDS else "he" if kind in HE_KINDS else None)


def pronouns(story: Story) -> list[bool]:
    """Whether each "she" or "he" in the continuation that stands for the heroine is the right one; a hero's likewise.

    It stands for her if it comes after her name, or after another one that stands for her, in the same or the next
    sentence, and nobody else came between, nor before her name in its sentence: another name, "mom", "the bird", a
    pronoun of the other gender or a "she" or "he" that does not stand for her. Speech in quotation marks is left out,
    and after it she must be named again. Right is what her kind tells ("girl"), or else the first of them, which is
    not judged. "Her", "him" and "his" are not judged: who that is takes more than counting ("Lily hugged him").
    """
    text = story.prompt + story.continuation
    her = heroine(text)
    if her is None:
        return []
    right, judged = her.pronoun, []
    for place, pronoun in _her_pronouns(text, her):
        if right is None:
            right = pronoun
        elif place >= len(story.prompt):
            judged.append(pronoun == right)
    return judged


def _her_pronouns(text: str, her: Heroine) -> Iterator[tuple[int, str]]:
    """Each "she" or "he" that stands for her, with its place in the text."""
    alone = False  # she came up last, and nobody else with her
    gender = her.pronoun
    for sentence in _narration(text):
        hers = others = False  # came up in this sentence
        for number, token in enumerate(sentence):
            name = re.sub("['’]s$", "", token[0])
            word = name.lower()
            if name == her.name:
                alone, hers = not others, True
            elif word in ("she", "he") and alone:
                gender, hers = gender or word, True
                yield token.start(), word
            elif word in ("she", "he") or word in OTHER_GENDER[gender] or _is_somebody(name, number == 0, her.kind):
                alone, others = False, True
        alone = alone and hers


def _narration(text: str) -> Iterator[list[re.Match[str]]]:
    """The sentences' words; what is said in quotation marks is a sentence without any."""
    sentence: list[re.Match[str]] = []
    speech = False
    for token in TOKEN.finditer(text):
        mark = token[0]
        if mark in '"“”':
            speech = mark == "“" or (mark == '"' and not speech)
            yield sentence  # at the closing mark, an empty one
            sentence = []
        elif mark[0] in ".!?\n":
            speech = speech and mark[0] != "\n"  # a quotation mark may be missing
            if sentence:
                yield sentence
            sentence = []
        elif not speech:
            sentence.append(token)
    yield sentence


def _is_somebody(word: str, begins_sentence: bool, her_kind: str) -> bool:
    lower = word.lower()
    is_name = word[0].isupper() and not (begins_sentence and lower in STARTERS)
    return lower != her_kind and (is_name or lower in SOMEBODY or lower.removesuffix("s") in SOMEBODY)


# The other measures, and all of them


def distinct(texts: Iterable[Sequence[str]], n: int) -> float | None:
    """The share of different n-grams among all n-grams of words of all texts together (Li et al. 2016, distinct-n).

    It falls as there is more text: compare equal amounts.
    """
    grams = [gram for text in texts for gram in ngrams(text, n)]
    return _share(len(set(grams)), len(grams))


def repeated_ngrams(text: Sequence[str]) -> float | None:
    """The share of a text's 4-grams of words it had before: 1 - different / all (seq-rep-4, Welleck et al. 2019)."""
    grams = ngrams(text, REPEAT_WORDS)
    return _share(len(grams) - len(set(grams)), len(grams))


def non_words(story: Story, training: TrainingText) -> list[str]:
    """The continuation's words that neither the training text nor the prompt has (`TrainingText.knows`), in order."""
    given = words(story.prompt)
    return [word for word in words(story.continuation) if word not in given and not training.knows(word)]


def is_ended(story: Story) -> bool:
    """Whether it comes to its end: by the end-of-text token, or with "The end" as its last words."""
    return story.finished or THE_END.search(story.continuation) is not None


def compression_ratio(texts: Iterable[str]) -> float | None:
    """The texts' bytes over the bytes zlib (level 9) makes of them, all joined by line ends (Shaib et al. 2024).

    Text that repeats itself, or other texts among these, has a higher one. It rises as there is more text.
    """
    joined = "\n".join(texts).encode(errors="replace")
    return len(joined) / len(zlib.compress(joined, 9)) if joined.strip() else None


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _measure(label: str, meaning: str, higher_is_better: bool | None = None) -> Any:
    return field(metadata={"label": label, "meaning": meaning, "higher_is_better": higher_is_better})


@dataclass(frozen=True, kw_only=True)
class Quality:
    """The measures over a set of stories; None where there is nothing to measure. MEASURES tells what each is."""

    stories: int = _measure("stories", "how many were measured")
    words: int = _measure("words", "in all of them")
    distinct_1: float | None = _measure("distinct-1", "different words / words, all stories together", True)
    distinct_2: float | None = _measure("distinct-2", "different pairs of words / pairs", True)
    distinct_3: float | None = _measure("distinct-3", "different triples of words / triples", True)
    repeated_4grams: float | None = _measure("repeated 4-grams", "share the same story had before; mean", False)
    looping: float | None = _measure("looping", "share of stories that say a phrase over and over", False)
    loop_period_words: int | None = _measure("loop period", "words in a round of the strongest loop of all")
    loop_count: int | None = _measure("loop count", "whole rounds of that loop", False)
    non_words: float | None = _measure("non-words", "share of words that the training text lacks", False)
    pronoun_consistency: float | None = _measure("pronouns", 'share of "she"/"he" right for the heroine', True)
    pronouns_judged: int = _measure("pronouns judged", "how many that is a share of")
    ended: float | None = _measure("ended", 'share ended by the model, or with "The end."', True)
    copied_8grams: float | None = _measure("copied 8-grams", "share that the training text has", False)
    compression_ratio: float | None = _measure("compression ratio", "bytes / zlib's, all stories together", False)


class Measure(NamedTuple):
    """How to present a field of Quality."""

    name: str
    label: str
    meaning: str
    higher_is_better: bool | None  # None: neither


MEASURES = tuple(Measure(each.name, **each.metadata) for each in fields(Quality))


def measure(stories: Sequence[Story], training: TrainingText) -> Quality:
    """All measures of the stories.

    training: what `read_training_text` found for these very stories.
    """
    texts = [words(story.continuation) for story in stories]
    n_words = sum(map(len, texts))
    repeated = [rate for text in texts if (rate := repeated_ngrams(text)) is not None]
    loops = [loop for text in texts if (loop := strongest_loop(text))]
    strongest = max(loops, key=lambda loop: loop.repeated_words, default=None)
    judged = [right for story in stories for right in pronouns(story)]
    passages = [gram for text in texts for gram in ngrams(text, COPY_WORDS)]
    return Quality(
        stories=len(stories),
        words=n_words,
        distinct_1=distinct(texts, 1),
        distinct_2=distinct(texts, 2),
        distinct_3=distinct(texts, 3),
        repeated_4grams=statistics.fmean(repeated) if repeated else None,
        looping=_share(len(loops), len(stories)),
        loop_period_words=strongest.period_words if strongest else None,
        loop_count=strongest.count if strongest else None,
        non_words=_share(sum(len(non_words(story, training)) for story in stories), n_words),
        pronoun_consistency=_share(sum(judged), len(judged)),
        pronouns_judged=len(judged),
        ended=_share(sum(map(is_ended, stories)), len(stories)),
        copied_8grams=_share(sum(gram in training.passages for gram in passages), len(passages)),
        compression_ratio=compression_ratio(story.continuation for story in stories),
    )
