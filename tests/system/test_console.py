"""What a person sees, on a terminal and in a pipe."""

import pytest

from tinystories_lm.system import console
from tinystories_lm.system.console import amount, coloured, storage, table


class Screen:
    def __init__(self, *, is_terminal: bool) -> None:
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal


@pytest.mark.parametrize(
    ("is_terminal", "no_colour", "shown"),
    [(True, "", "\x1b[31mfailed\x1b[0m"), (True, "1", "failed"), (False, "", "failed")],
)
def test_colour_is_for_terminals_only_and_not_for_those_who_ask(
    monkeypatch: pytest.MonkeyPatch, is_terminal: bool, no_colour: str, shown: str
) -> None:
    monkeypatch.setattr(console.sys, "stderr", Screen(is_terminal=True))
    monkeypatch.setattr(console.sys, "stdout", Screen(is_terminal=is_terminal))
    monkeypatch.setenv("NO_COLOR", no_colour)
    assert coloured("failed") == shown
    assert coloured("a word of no meaning") == "a word of no meaning"


def test_columns_line_up_whatever_their_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [["one", "done", "1.5"], ["another", "interrupted", "12.25"]]
    plain = table(["run", "status", "loss"], rows, right=(2,))
    assert plain.splitlines()[2:] == ["one      done           1.5", "another  interrupted  12.25"]
    for stream in ("stdout", "stderr"):
        monkeypatch.setattr(console.sys, stream, Screen(is_terminal=True))
    monkeypatch.delenv("NO_COLOR", raising=False)
    bright = table(["run", "status", "loss"], [[row[0], coloured(row[1]), row[2]] for row in rows], right=(2,))
    assert bright != plain and console.ESCAPE.sub("", bright) == plain


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0"), (950, "950"), (999.4, "999"), (999.6, "1k"), (999_936, "1M"), (999_499, "999k"), (1.31072e12, "1.31T"),
     (9.996e11, "1T"), (1e16, "10,000T"), (392_000, "392k"), (float("inf"), "∞")],
)  # fmt: skip
def test_an_amount_gets_its_unit_after_rounding(number: float, shown: str) -> None:
    assert amount(number) == shown


def test_bytes_get_their_unit_after_rounding() -> None:
    assert [storage(count) for count in (99.94e6, 99.96e6, 999.994e9, 999.996e9)] == [
        "99.9 MB", "0.10 GB", "999.99 GB", "1.00 TB"
    ]  # fmt: skip


def test_wide_and_combining_characters_take_their_columns() -> None:
    lines = table(
        ["run", "status"], [["物語", "done"], ["cafe\u0301", "done"], ["abcd", "done"]], right=()
    ).splitlines()
    assert lines[2:] == ["物語  done", "cafe\u0301  done", "abcd  done"]


def test_a_dumb_terminal_gets_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in ("stdout", "stderr"):
        monkeypatch.setattr(console.sys, stream, Screen(is_terminal=True))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "dumb")
    assert coloured("failed") == "failed"
