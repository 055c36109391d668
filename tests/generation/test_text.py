"""A text while it is written: what can be shown of it, and where it ends."""

from tokenizers import Tokenizer

from tests.generation.test_generate import PLAIN, with_
from tinystories_lm.data.tokenizer import END_OF_TEXT_ID
from tinystories_lm.generation.text import End, Text


def test_a_text_ends_before_the_end_of_text_token(tokenizer: Tokenizer) -> None:
    text = Text("", [1], tokenizer, PLAIN, seed=0)
    text.add(5)
    text.add(END_OF_TEXT_ID)
    assert (text.ids, text.ended) == ([1, 5], End.end_of_text)


def test_a_stop_string_ends_the_text_before_it_wherever_tokens_divide_it(tokenizer: Tokenizer) -> None:
    for stop in ("The end", " end.", "end", "d."):
        text, shown = Text("", [1], tokenizer, with_(stop=["nowhere", stop]), seed=0), ""
        for token in tokenizer.encode("Once upon a time. The end. Once").ids:
            if text.ended is None:
                text.add(token)
                assert text.final.startswith(shown), "what was shown is not taken back"
                shown = text.final
        assert (shown, text.ended) == ("Once upon a time. The end. Once".split(stop)[0], End.stop)


def test_what_only_looked_like_a_stop_string_is_shown(tokenizer: Tokenizer) -> None:
    text = Text("", [1], tokenizer, with_(stop=["The elephant"]), seed=0)
    for token in tokenizer.encode("The end").ids:
        text.add(token)
    assert text.final == "The end"
    text = Text("", [1], tokenizer, with_(stop=["The end of it"]), seed=0)
    for token in tokenizer.encode("Once The end").ids:
        text.add(token)
    assert text.final == "Once "
    text.end(End.max_tokens)
    assert text.final == "Once The end"


def test_what_is_shown_grows_and_never_holds_a_part_of_a_character(tokenizer: Tokenizer) -> None:
    story = "“Größe” 🐶 𝄞 日本"
    text, shown = Text("", [1], tokenizer, PLAIN, seed=0), ""
    for token in tokenizer.encode(story).ids:
        text.add(token)
        assert text.final.startswith(shown) and story.startswith(text.final)
        shown = text.final
    assert shown == story
