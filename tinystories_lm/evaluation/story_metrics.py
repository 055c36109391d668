"""Metrics of written stories: repetition, loops, made-up words, pronouns, copying.

Every metric is about what the model wrote after the prompt. Real stories are measured in the same way (an empty prompt
and the whole text) and give the figures to compare with.
"""

import re
import statistics
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

import numpy as np

from tinystories_lm.evaluation.pronouns import judged_pronouns
from tinystories_lm.evaluation.text import COPY_WORDS, Story, TrainingText, ngrams, words

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

REPEAT_WORDS = 4
MAX_PERIOD_WORDS = 60
THE_END = re.compile(r"\b(?:The [Ee]nd|THE END)\W*$")


@dataclass(frozen=True)
class Loop:
    """A phrase that repeats: "and the dog and the dog and the" has period 3 and count 2."""

    period_words: int
    count: int  # complete repetitions
    repeated_words: int  # those after the first repetition, an incomplete last one included


def strongest_loop(text: Sequence[str]) -> Loop | None:
    """Find the loop with the most repeated words in a text, or None.

    A loop is a run of at least REPEAT_WORDS words, and at least one whole period, that equal the words one period
    before. A phrase of four words or more is a loop when it occurs twice in a row, one of two words at its third
    occurrence, a single word at its fifth: "No, no, no!" and "very, very big" do not count. 0.4 % of real stories have
    a loop.
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


def distinct(texts: Iterable[Sequence[str]], n: int) -> float | None:
    """Return the share of distinct word n-grams among all n-grams of all texts (distinct-n, Li et al. 2016).

    It falls as the amount of text grows, so compare equal amounts.
    """
    grams = [gram for text in texts for gram in ngrams(text, n)]
    return _share(len(set(grams)), len(grams))


def repeated_ngrams(text: Sequence[str]) -> float | None:
    """Return the share of a text's word 4-grams that occurred before (seq-rep-4, Welleck et al. 2019)."""
    grams = ngrams(text, REPEAT_WORDS)
    return _share(len(grams) - len(set(grams)), len(grams))


def non_words(story: Story, training: TrainingText) -> list[str]:
    """Return the continuation's words that are neither in the training text nor in the prompt, in order."""
    given = words(story.prompt)
    return [word for word in words(story.continuation) if word not in given and not training.knows(word)]


def is_ended(story: Story) -> bool:
    """Return whether the story ends: by the end-of-text token, or with "The end" as its last words."""
    return story.finished or THE_END.search(story.continuation) is not None


def compression_ratio(texts: Iterable[str]) -> float | None:
    """Return the texts' bytes over their size under zlib at level 9, joined by line ends (Shaib et al. 2024).

    Repetition within or across texts raises the ratio, and so does a larger amount of text.
    """
    joined = "\n".join(texts).encode(errors="replace")
    return len(joined) / len(zlib.compress(joined, 9)) if joined.strip() else None


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _metric(label: str, meaning: str, higher_is_better: bool | None = None) -> Any:
    return field(metadata={"label": label, "meaning": meaning, "higher_is_better": higher_is_better})


@dataclass(frozen=True, kw_only=True)
class Quality:
    """The metrics of a set of stories, described by METRICS. None where there was nothing to measure.

    To add a metric, add a field here and its value in `measure`; tables, evaluation.json and W&B follow.
    """

    stories: int = _metric("stories", "number of stories measured")
    words: int = _metric("words", "number of words in all stories")
    distinct_1: float | None = _metric("distinct-1", "distinct words / words, all stories together", True)
    distinct_2: float | None = _metric("distinct-2", "distinct pairs of words / pairs", True)
    distinct_3: float | None = _metric("distinct-3", "distinct triples of words / triples", True)
    repeated_4grams: float | None = _metric(
        "repeated 4-grams", "share that occurred before in the same story; mean", False
    )
    looping: float | None = _metric("looping", "share of stories that repeat a phrase in a loop", False)
    loop_period_words: int | None = _metric("loop period", "words per repetition of the strongest loop")
    loop_count: int | None = _metric("loop count", "complete repetitions of that loop", False)
    non_words: float | None = _metric("non-words", "share of words absent from the training text", False)
    pronoun_consistency: float | None = _metric("pronouns", 'share of "she"/"he" that fit the main character', True)
    pronouns_judged: int = _metric("pronouns judged", "number of pronouns judged")
    ended: float | None = _metric("ended", 'share that end, or close with "The end."', True)
    copied_8grams: float | None = _metric("copied 8-grams", "share that occurs in the training text", False)
    compression_ratio: float | None = _metric(
        "compression ratio", "bytes / compressed bytes, all stories together", False
    )


class Metric(NamedTuple):
    """How a field of Quality is presented."""

    name: str
    label: str
    meaning: str
    higher_is_better: bool | None  # None where neither direction is better


METRICS = tuple(Metric(each.name, **each.metadata) for each in fields(Quality))


def measure(stories: Sequence[Story], training: TrainingText) -> Quality:
    """Compute every metric of the stories.

    training: what `read_training_text` collected for these same stories.
    """
    texts = [words(story.continuation) for story in stories]
    n_words = sum(map(len, texts))
    repeated = [rate for text in texts if (rate := repeated_ngrams(text)) is not None]
    loops = [loop for text in texts if (loop := strongest_loop(text))]
    strongest = max(loops, key=lambda loop: loop.repeated_words, default=None)
    judged = [right for story in stories for right in judged_pronouns(story)]
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
