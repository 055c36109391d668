"""Lines of bash are split and quoted as bash itself does; the forms of the command and of Hydra print the same code."""

import shlex
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinystories_lm.cli import main
from tinystories_lm.cli.completion.bash_line import reply, split
from tinystories_lm.config.hydra_flags import SHELLS

TEXTS = st.text(st.characters(blacklist_categories=("Cc", "Cs")), min_size=1, max_size=12) | st.sampled_from(
    ["$(x)", "`x`", "a b", "it's", '"', "\\", "~", "~/a b", "*", "#", "!", "a=b:c", "é", "-n"]
)


@given(st.lists(st.lists(st.tuples(TEXTS, st.sampled_from(["plain", "single"])), max_size=3), min_size=1, max_size=4))
@settings(max_examples=200, deadline=None)
def test_a_line_is_split_as_a_posix_shell_splits_it(words: list[list[tuple[str, str]]]) -> None:
    typed = " ".join("".join(shlex.quote(text) for text, _ in word) for word in words)
    assert [word.text for word in split(f"{typed} ")] == [*shlex.split(typed), ""]


@pytest.mark.parametrize(
    ("line", "text", "quote"),
    [
        ("show 'a b", "a b", "'"),
        ('show "a \\" b', 'a " b', '"'),
        ('show "a\\b', "a\\b", '"'),
        ("show a\\ b", "a b", ""),
        ("show a\\", "a", ""),
        ("show ", "", ""),
        ("show data.path='x", "data.path=x", "'"),
    ],
)
def test_the_last_word_may_be_unfinished(line: str, text: str, quote: str) -> None:
    found = split(line)[-1]
    assert (found.text, found.quote) == (text, quote)


def test_bash_reads_every_reply_as_the_text_that_was_meant() -> None:
    texts = [f"x{text}" for text in ("$(x)", "`x`", "a b", "it's", '"', "\\", "*", "#", "!!", "a=b:c", "é", "{a,b}")]
    texts += ["~x", "a\\", "<>|&;()", "[z]", "?", "^", "%", "@", " end ", "x'\"x"]
    lines, meant = [], []
    for text in texts:
        for opening in ("", "'", '"'):
            found = reply(f"show {opening}", "", text, is_open=False)
            assert found is not None
            lines.append(f"printf '%s\\0' {opening}{found}{opening}")
            meant.append(text)
    done = subprocess.run(["bash", "-c", "\n".join(lines)], capture_output=True, text=True)
    assert done.stdout.split("\0")[:-1] == meant, done.stderr


def test_a_reply_replaces_what_bash_would_replace() -> None:
    assert reply("train model=gp", "gp", "model=gpt_28m", is_open=False) == "gpt_28m "
    assert reply("train model=", "", "model=gpt_28m", is_open=False) == "gpt_28m "
    assert reply("train trai", "trai", "training.", is_open=True) == "training."
    assert reply("show my\\ r", "my\\ r", "my runs", is_open=False) == "my\\ runs "
    assert reply("train data.path='m", "m", "data.path=my texts/", is_open=True) == "my texts/"
    assert reply("train data.path=~/m", "~/m", "data.path=~/my texts/", is_open=True) == "~/my\\ texts/"
    assert reply("show x", "", "smoke", is_open=False) is None


@pytest.mark.parametrize("shell", SHELLS)
def test_hydras_form_prints_what_the_command_prints(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = []
    for words in (
        ["completion", shell],
        ["train", "-sc", f"install={shell}"],
        ["train", "--shell-completion", f"install={shell}"],
        ["completion", shell, "--uninstall"],
        ["train", "-sc", f"uninstall={shell}"],
    ):
        assert main.run(words) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1] == shown[2] != shown[3] == shown[4]
    assert "tinystories-lm" in shown[0] and "tinystories-lm" in shown[3]


@pytest.mark.parametrize("words", [["-sc"], ["-sc", "install=tcsh"], ["-sc", "query=bash"], ["-sc", "install"]])
def test_another_use_of_hydras_flag_is_refused_in_one_line(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["train", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["tcsh", ""], ["zsh"], ["bash", "tinystories-lm "], ["bash", "a", "b", "c"]])
def test_words_that_no_script_sends_are_refused_in_one_line(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["--complete", *words]) == 2
    assert "`tinystories-lm completion SHELL`" in capsys.readouterr().err


def test_a_cursor_in_the_programs_own_name_completes_nothing_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--complete", "bash", "tinysto", "tinysto"]) == 0
    assert capsys.readouterr().out == ""
    assert main.run(["--complete", "zsh", "--version", ""]) == 0  # a word of the typed line is not a flag of this one
    assert capsys.readouterr().out == ""
