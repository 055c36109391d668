"""What a person watching a run sees: a bar on a terminal, plain lines in a log."""

import contextlib
import math
import os
import re
import sys
import time
from collections.abc import Collection, Sequence
from typing import NoReturn

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

PLAIN_LINE_SECONDS = 60.0


class ProgressBar:
    """Steps done, with loss, perplexity, speed and dollars; silent where standard error is no terminal."""

    def __init__(self, *, steps: int, first: int) -> None:
        self._bar = tqdm(
            total=steps,
            initial=first,
            unit="step",
            file=sys.stderr,
            disable=not sys.stderr.isatty(),
            dynamic_ncols=True,
            bar_format="{percentage:3.0f}% |{bar:24}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}]{postfix}",
        )
        self._last_line = time.monotonic()
        self._above = contextlib.ExitStack()
        if not self._bar.disable:
            self._above.enter_context(logging_redirect_tqdm())  # lines of the log go above the bar

    def step(self) -> None:
        self._bar.update(1)

    def show(self, text: str) -> None:
        self._bar.set_postfix_str(text, refresh=False)

    def line_is_due(self) -> bool:
        """Whether a log without a bar has been silent for long enough."""
        if not self._bar.disable or time.monotonic() - self._last_line < PLAIN_LINE_SECONDS:
            return False
        self.line_written()
        return True

    def line_written(self) -> None:
        self._last_line = time.monotonic()

    def close(self) -> None:
        self._bar.close()
        self._above.close()


def duration(seconds: float) -> str:
    """12 s, 3 min 20 s, 2 h 5 min."""
    if math.isinf(seconds):
        return "for ever"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"


def amount(number: float) -> str:
    """950, 12.3k, 4.56M, 1.23G."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"


def storage(count: float) -> str:
    """45.6 MB, 1.23 GB."""
    return f"{count / 1e9:.2f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def plain(number: float) -> str:
    """4.03, 25.55, 1034.59, and 1.01e+304 for what nobody reads digit by digit."""
    return f"{number:.2f}" if number < 1e6 else f"{number:.2e}"


def progress_bar(what: str, total: int, unit: str) -> "tqdm[NoReturn]":
    """A bar on standard error while something long goes on; nothing where that is no terminal."""
    return tqdm(
        total=total,
        desc=what,
        unit=unit,
        unit_scale=True,
        file=sys.stderr,
        disable=not sys.stderr.isatty(),
        leave=False,
    )


# What a word means to a person who looks for trouble; other words stay as they are.
COLOURS = {
    **dict.fromkeys(("done", "healthy", "yes", "identical"), "32"),  # green
    **dict.fromkeys(("interrupted", "running", "undertrained", "data-bound", "capacity-bound", "warning:"), "33"),
    **dict.fromkeys(("failed", "diverged", "damaged", "no"), "31"),  # red
}
ESCAPE = re.compile("\x1b\\[[0-9;]*m")


def coloured(word: str) -> str:
    """The word in its colour where a person reads, at a terminal and without NO_COLOR; else as it is."""
    code = COLOURS.get(word.split(",")[0])
    if code is None or os.environ.get("NO_COLOR") or not (sys.stdout.isatty() and sys.stderr.isatty()):
        return word
    return f"\x1b[{code}m{word}\x1b[0m"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[int]) -> str:
    """Columns side by side under a line; those in `right`, by number, end together."""
    cells = [list(header), *map(list, rows)]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["─" * width for width in widths])
    return "\n".join(
        "  ".join(
            " " * (width - _width(cell)) + cell if place in right else cell + " " * (width - _width(cell))
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )


def _width(cell: str) -> int:
    return len(ESCAPE.sub("", cell))
