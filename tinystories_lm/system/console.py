"""Show progress, numbers and tables to a person: a bar on a terminal, plain lines in a log."""

import contextlib
import math
import os
import re
import sys
import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from tqdm import tqdm

PLAIN_LINE_SECONDS = 60.0


class ProgressBar:
    """A bar of the steps done, with a line of figures; silent where standard error is not a terminal."""

    def __init__(self, *, steps: int, first: int) -> None:
        from tqdm import tqdm  # takes 40 ms, which commands without a bar save
        from tqdm.contrib.logging import logging_redirect_tqdm

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
            self._above.enter_context(logging_redirect_tqdm())  # log lines appear above the bar

    def step(self) -> None:
        self._bar.update(1)

    def show(self, text: str) -> None:
        self._bar.set_postfix_str(text, refresh=False)

    def line_is_due(self) -> bool:
        """Return whether a log without a bar has been silent long enough, and count the line as written."""
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
    """Return a time as 12 s, 3 min 20 s, or 2 h 5 min."""
    if math.isinf(seconds):
        return "∞"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"


def amount(number: float) -> str:
    """Return a number as 950, 12.3k, 4.56M, or 1.23G."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"


def storage(count: float) -> str:
    """Return bytes as 45.6 MB or 1.23 GB."""
    return f"{count / 1e9:.2f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def plain(number: float) -> str:
    """Return a number as 4.03, 1034.59, or, from a million on, 1.01e+304."""
    return f"{number:.2f}" if number < 1e6 else f"{number:.2e}"


def progress_bar(what: str, total: int, unit: str) -> "tqdm[NoReturn]":
    """Return a bar on standard error for a long task; it shows nothing where that is not a terminal."""
    from tqdm import tqdm

    return tqdm(
        total=total,
        desc=what,
        unit=unit,
        unit_scale=True,
        file=sys.stderr,
        disable=not sys.stderr.isatty(),
        leave=False,
    )


# Words that show whether there is trouble; other words get no colour.
COLOURS = {
    **dict.fromkeys(("done", "healthy", "yes", "identical"), "32"),  # green
    **dict.fromkeys(("interrupted", "running", "undertrained", "data-bound", "capacity-bound", "warning:"), "33"),
    **dict.fromkeys(("failed", "diverged", "damaged", "no"), "31"),  # red
}
ESCAPE = re.compile("\x1b\\[[0-9;]*m")


def coloured(word: str) -> str:
    """Return the word in its colour at a terminal without NO_COLOR, else unchanged."""
    code = COLOURS.get(word.split(",")[0])
    if code is None or os.environ.get("NO_COLOR") or not (sys.stdout.isatty() and sys.stderr.isatty()):
        return word
    return f"\x1b[{code}m{word}\x1b[0m"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[int]) -> str:
    """Return the rows under a header and a line; the columns in `right`, by number, are aligned to the right."""
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
