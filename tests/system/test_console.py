"""What a person sees, on a terminal and in a pipe."""

import pytest

from tinystories_lm.system import console
from tinystories_lm.system.console import coloured, table


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
