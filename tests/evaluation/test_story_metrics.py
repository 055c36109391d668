"""Story quality: every measure on text whose value can be counted by hand, and on real stories."""

import dataclasses
import json
import math
import os
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinystories_lm.evaluation import text as text_module
from tinystories_lm.evaluation.pronouns import (
    Character,
    judged_pronouns,
    main_character,
)
from tinystories_lm.evaluation.story_metrics import (
    METRICS,
    PROMPTS,
    Loop,
    Quality,
    compression_ratio,
    distinct,
    is_ended,
    measure,
    non_words,
    repeated_ngrams,
    strongest_loop,
)
from tinystories_lm.evaluation.text import Story, TrainingText, ngrams, read_training_text, words

REPOSITORY = Path(__file__).resolve().parents[2]
REAL_DATA = Path(os.environ.get("TINYSTORIES_DATA", REPOSITORY / "../shared/data")) / "tinystories"
LOTION = "Once upon a lotion. Once upon a lotion."
GOOD = "Lily had a red ball. She threw it high up and it fell into the pond. A kind duck brought it back. The end."


def real(continuation: str) -> Story:
    return Story("", continuation, True)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ('"Don’t," said Mom\'s cat.', ["don't", "said", "mom's", "cat"]),
        ("a merry‑go-round - or 'two' --", ["a", "merry-go-round", "or", "two"]),
        ("3 cats, 1st_place", ["3", "cats", "1st", "place"]),
        ("cafe\u0301 CAFÉ", ["café", "café"]),
        ("\ufffd … <|endoftext|>", ["endoftext"]),
        ("", []),
    ],
)
def test_a_word_is_letters_and_digits_with_marks_only_inside(text: str, want: list[str]) -> None:
    assert words(text) == want


@pytest.mark.parametrize(
    ("text", "want"),
    [
        (LOTION, Loop(period_words=4, count=2, repeated_words=4)),
        ("He saw the cat and the dog and the dog and the", Loop(3, 2, 5)),  # cut off by the length limit
        ("It was so so so so so good.", Loop(1, 5, 4)),
        ("Then he said thank you, thank you, thank you!", Loop(2, 3, 4)),
        ("I ran. " + "We all fall down now. " * 7 + "The end.", Loop(5, 7, 30)),
        ("Go on up. Go on up. We all fall down. We all fall down. We all fall down. Bye.", Loop(4, 3, 8)),  # stronger
        ((" ".join(map(str, range(60))) + " ") * 2, Loop(60, 2, 60)),
        ((" ".join(map(str, range(61))) + " ") * 2, None),
        ("a a a a a then b c b c b c", Loop(1, 5, 4)),  # of two that repeat as much, the shorter phrase
    ],
)
def test_a_phrase_that_repeats_is_a_loop(text: str, want: Loop | None) -> None:
    assert strongest_loop(words(text)) == want


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        '"No, no, no, no!" she cried.',
        "It was very, very, very big.",
        "Up and up it went.",
        "Run away. Run away.",
        "They saw the duck. The duck was glad.",
        "Once upon a lotion. Then once upon a lotion.",
        "word",
        "",
    ],
)
def test_emphasis_and_refrains_are_not_loops(text: str) -> None:
    assert strongest_loop(words(text)) is None


@given(
    st.lists(st.sampled_from("abcdefghijklmnop"), max_size=20),
    st.lists(st.text("xyz", min_size=1, max_size=4), min_size=1, max_size=60),
    st.integers(2, 5),
    st.data(),
)
@settings(max_examples=60, deadline=None)
def test_a_planted_loop_is_found(before: list[str], phrase: list[str], count: int, data: st.DataObject) -> None:
    rest = data.draw(st.integers(0, len(phrase) - 1))
    planted = phrase * count + phrase[:rest]
    loop = strongest_loop([*before, *planted, "END"])
    repeated = len(planted) - len(phrase)
    if repeated >= 4:
        assert loop is not None
        assert loop.repeated_words >= repeated
        assert loop.period_words <= len(phrase)
        if len({*phrase}) == len(phrase):
            assert (loop.period_words, loop.count) == (len(phrase), count)


def test_distinct_counts_over_all_texts_together() -> None:
    texts = [["a", "b", "a", "b"], ["a", "b", "c"], []]
    assert distinct(texts, 1) == 3 / 7
    assert distinct(texts, 2) == 3 / 5  # ab ba bc: no pair goes from one text into the next
    assert distinct(texts, 3) == 3 / 3
    assert distinct([["a"]], 2) is None


def test_repeated_4grams_is_seq_rep_4() -> None:
    assert repeated_ngrams(words(LOTION)) == 1 / 5
    assert repeated_ngrams(["a"] * 10) == 6 / 7
    assert repeated_ngrams(words(GOOD)) == 0
    assert repeated_ngrams(["a", "b", "c"]) is None


def test_made_up_words_are_those_the_training_text_cannot_have_taught() -> None:
    training = read_training_text(["The happy-looking dog doo Tim's don't g-go"], [])
    made_up = real("Igaintto-doo! The Igaintto ran")
    assert non_words(made_up, training) == ["igaintto-doo", "igaintto", "ran"]
    assert non_words(real("Happy dog's happy-dog, 12 DON’T looking g-g-go. Tim's"), training) == []
    assert non_words(Story("Zuzu ran.", " Zuzu saw Zozo's dog", False), training) == ["saw", "zozo's"]


DOG, GIRL = PROMPTS[0], "There was a little girl named Lily."


@pytest.mark.parametrize(
    ("prompt", "continuation", "want"),
    [
        (DOG, " ran. She barked.", [True]),
        (DOG, " ran. He barked. He sat.", [False, False]),
        (DOG, " ran and he sat. One day, Cookie saw a ball. She barked.", [False, True]),
        (DOG, " met a boy. He was sad. Cookie sat down. She barked.", [True]),
        (DOG, " met Tim. He was sad.", []),
        (DOG, ' said, "He is bad." He ran. Cookie sat. She ran.', [True]),
        (DOG, ' said "no" and he ran. Cookie sat. She ran.', [True]),
        (DOG, " saw the boys and he ran. She met a robin, and he ran.", []),
        (DOG, " sat. Cookie saw two owls. He ran. Cookie met a princess. He ran.", []),
        (DOG, ' said, "He is bad.\nCookie sat. He ran.', [False]),  # a missing quotation mark lasts for a paragraph
        (DOG, " ran. The sun was hot. He sat.", []),  # who sat is open: two sentences ago is too far
        (DOG, " ran. The dog was glad. Cookie's tail wagged, and he sat.", [False]),
        (GIRL, " She ran. Lily was glad when she won.", [True, True]),
        (GIRL, " He ran.", [False]),
        (GIRL, " Her mom came. He ran. Tim hugged Lily. He was glad.", []),
        (GIRL, " Lily looked at him. He smiled.", []),
        ("", "A dog named Rex ran. He barked. She sat. Rex slept. He woke.", [False, True]),  # the first one tells
        ("", "A dog ran. He barked. She sat.", []),
        ("", "Two dogs named Rex and Spot ran. Rex sat. He barked. He slept.", []),
        (DOG, "", []),
    ],
)
def test_the_main_characters_pronouns_fit_the_introduction(prompt: str, continuation: str, want: list[bool]) -> None:
    assert judged_pronouns(Story(prompt, continuation, False)) == want


def test_each_prompt_introduces_a_main_character_and_a_pronoun() -> None:
    found = [main_character(prompt) for prompt in PROMPTS]
    assert [her.name for her in found if her] == [
        "Cookie", "Lily", "Tim", "Daisy", "Benny", "Mia", "Coco", "Bruno", "Jack", "Lucy"
    ]  # fmt: skip
    for prompt, her in zip(PROMPTS, found, strict=True):
        assert len(prompt.split()) < 25
        if her:
            right = "he" if her.name in ("Tim", "Benny", "Bruno", "Jack") else "she"
            wrong = {"he": "she", "she": "he"}[right]
            story = f" ran. {her.name} was glad. {right.capitalize()} sat. {wrong.capitalize()} slept."
            assert judged_pronouns(Story(prompt, story, False)) == [True, False]
    assert main_character(DOG) == Character("Cookie", "dog", None)
    assert main_character(GIRL) == Character("Lily", "girl", "she")


@pytest.mark.parametrize(
    ("continuation", "finished", "want"),
    [
        ("They went home. The end.", False, True),
        ("They went home.\n\nThe End!\n", False, True),
        ("They went home", True, True),
        ("They went home. The end. They went", False, False),
        ("They came to the end", False, False),
        ("The ending", False, False),
        ("", False, False),
    ],
)
def test_a_story_has_ended_when_the_model_says_so(continuation: str, finished: bool, want: bool) -> None:
    assert is_ended(Story("", continuation, finished)) is want


def test_compression_ratio_is_bytes_over_compressed_bytes_and_higher_for_repetition() -> None:
    text = "a cat sat. " * 50
    assert compression_ratio([text, GOOD]) == len(f"{text}\n{GOOD}") / len(zlib.compress(f"{text}\n{GOOD}".encode(), 9))
    loop, good = compression_ratio([LOTION * 5]), compression_ratio([GOOD + GOOD[::-1]])
    assert loop is not None and good is not None and loop > 2 * good
    assert compression_ratio(["", ""]) is None


def test_copied_passages_are_those_of_one_training_document() -> None:
    documents = ["One two three four five six seven eight nine", "ten eleven twelve thirteen"]
    inside, across = (
        real("Two, three four five six seven eight NINE!"),
        real("Six seven eight nine ten eleven twelve thirteen."),
    )
    half = real("one two three four five six seven eight x")  # the first of its two passages
    training = read_training_text(documents, [inside, across, half])
    assert measure([inside], training).copied_8grams == 1
    assert measure([across], training).copied_8grams == 0
    assert measure([half], training).copied_8grams == 1 / 2
    assert measure([inside, across, half], training).copied_8grams == 2 / 4
    assert measure([real("too short")], training).copied_8grams is None


texts_of_few_words = st.lists(st.text("ab c'-", max_size=60), max_size=8)


@given(texts_of_few_words, texts_of_few_words, st.integers(1, 50))
@settings(max_examples=100, deadline=None)
def test_the_pass_over_the_training_text_equals_sets_of_it(
    documents: list[str], written: list[str], block: int
) -> None:
    stories = list(map(real, written))
    read: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_module, "BLOCK_WORDS", block)
        training = read_training_text(iter(documents), stories, progress=read.append)
    theirs = {gram for text in documents for gram in ngrams(words(text), 8)}
    ours = {gram for text in written for gram in ngrams(words(text), 8)}
    assert training.passages == theirs & ours
    all_words = {word for text in documents for word in words(text)}
    assert training.vocabulary == all_words | {part for word in all_words for part in word.replace("'", "-").split("-")}
    assert sum(read) == sum(map(len, documents))


def test_all_metrics_of_a_good_and_a_bad_story() -> None:
    good = Story("There was a girl named Lily.", " " + GOOD, True)
    bad = Story(GIRL, " He zurbled. " + LOTION * 4, False)
    training = read_training_text([GOOD, "He was once upon a lotion"], [good, bad])
    one, other = measure([good], training), measure([bad], training)
    assert one == Quality(
        stories=1, words=24, distinct_1=20 / 24, distinct_2=1.0, distinct_3=1.0, repeated_4grams=0.0, looping=0.0,
        loop_period_words=None, loop_count=None, non_words=0.0, pronoun_consistency=1.0, pronouns_judged=1, ended=1.0,
        copied_8grams=1.0, compression_ratio=compression_ratio([good.continuation]),
    )  # fmt: skip
    assert other == Quality(
        stories=1, words=34, distinct_1=6 / 34, distinct_2=6 / 33, distinct_3=6 / 32, repeated_4grams=25 / 31,
        looping=1.0, loop_period_words=4, loop_count=8, non_words=1 / 34, pronoun_consistency=0.0, pronouns_judged=1,
        ended=0.0, copied_8grams=0.0, compression_ratio=compression_ratio([bad.continuation]),
    )  # fmt: skip
    for each in METRICS:
        values = getattr(one, each.name), getattr(other, each.name)
        if each.higher_is_better is not None and None not in values and each.name != "copied_8grams":
            assert (values[0] > values[1]) is each.higher_is_better, each.label


@given(st.lists(st.builds(Story, st.text(), st.text(), st.booleans()), max_size=4), st.lists(st.text(), max_size=3))
@settings(max_examples=60, deadline=None)
def test_any_text_gives_finite_figures_for_json(stories: list[Story], documents: list[str]) -> None:
    quality = dataclasses.asdict(measure(stories, read_training_text(documents, stories)))
    json.dumps(quality, allow_nan=False)
    assert all(value is None or math.isfinite(value) for value in quality.values())
    shares = [name for name, value in quality.items() if isinstance(value, float) and name != "compression_ratio"]
    assert all(0 <= quality[name] <= 1 for name in shares)


def test_stories_together_have_their_mean_repetition_and_their_strongest_loop() -> None:
    quality = measure(
        [real(LOTION * 2), real("a b c d e"), real("x y"), real(LOTION)], TrainingText(frozenset(), frozenset())
    )
    assert quality.repeated_4grams == pytest.approx((9 / 13 + 0 + 1 / 5) / 3)
    assert (quality.looping, quality.loop_period_words, quality.loop_count) == (2 / 4, 4, 4)


def test_nothing_written_measures_nothing() -> None:
    nothing = TrainingText(frozenset(), frozenset())
    empty = measure([Story(DOG, "", False)], nothing)
    figures = {name: value for name, value in dataclasses.asdict(empty).items() if value is not None}
    assert figures == {"stories": 1, "words": 0, "looping": 0.0, "pronouns_judged": 0, "ended": 0.0}
    assert measure([], nothing).ended is None


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason=f"no real data in {REAL_DATA}: set TINYSTORIES_DATA")
def test_real_stories_are_good_ones() -> None:
    def stories_of(name: str, n_chars: int) -> list[str]:
        with (REAL_DATA / name).open(encoding="utf-8") as file:
            return file.read(n_chars).split("<|endoftext|>")[1:-1]

    held_out = list(map(real, stories_of("valid.txt", 400_000)))
    training = read_training_text(stories_of("train-v2-random.txt", 5_000_000), held_out)
    quality = measure(held_out, training)
    assert quality.looping is not None and quality.looping < 0.01
    assert quality.non_words is not None and quality.non_words < 0.005
    assert quality.pronoun_consistency is not None and quality.pronoun_consistency > 0.99
    assert quality.pronouns_judged > 200
    assert quality.copied_8grams is not None and 0.02 < quality.copied_8grams < 0.1
    assert quality.repeated_4grams is not None and quality.repeated_4grams < 0.02
