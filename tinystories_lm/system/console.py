"""Show progress, numbers and tables to a person: a bar on a terminal, plain lines in a log."""

import contextlib
import logging
import math
import os
import re
import sys
import time
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, NoReturn, TextIO

if TYPE_CHECKING:
    from tqdm import tqdm

PLAIN_LINE_SECONDS = 60.0
# The bar itself comes last, and takes the columns that the figures leave.
BAR = "{percentage:3.0f}% {n_fmt}/{total_fmt} [{elapsed}<{remaining}]{postfix} |{bar}|"
LARGE = 100_000  # from here on a bar's count is shown as 123k


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
            disable=not is_terminal(sys.stderr),
            dynamic_ncols=True,
            bar_format=BAR,
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


@contextlib.contextmanager
def quiet_libraries(*names: str, level: int = logging.WARNING) -> Iterator[None]:
    """Let the loggers of these libraries write from `level` on, unless everything is to be logged (hydra.verbose)."""
    if logging.getLogger().level == logging.DEBUG:
        yield
        return
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(max(level, before[name]))
    try:
        yield
    finally:
        for name, earlier in before.items():
            logging.getLogger(name).setLevel(earlier)


def counted(number: int, what: str) -> str:
    """Return `1 run` or `1,234 runs`."""
    return f"{number:,} {what}{'s' * (number != 1)}"


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
    """Return a number as 950, 12.3k, 4.56M, 1.23G, or 7.89T: rounded to three digits, then given its unit."""
    if not math.isfinite(number):
        return "∞" if number > 0 else str(number)
    rounded = float(f"{number:.3g}")
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if rounded >= size:
            return f"{rounded / size:,.0f}{unit}" if rounded >= 1000 * size else f"{rounded / size:.3g}{unit}"
    return f"{rounded:.3g}"


def storage(count: float) -> str:
    """Return bytes as 45.6 MB, 1.23 GB, or 4.56 TB."""
    if round(count / 1e6, 1) < 100:
        return f"{count / 1e6:.1f} MB"
    return f"{count / 1e9:.2f} GB" if round(count / 1e9, 2) < 1000 else f"{count / 1e12:,.2f} TB"


def plain(number: float) -> str:
    """Return a number as 4.03, 1034.59, or, from a million on, 1.01e+304."""
    return f"{number:.2f}" if round(number, 2) < 1e6 else f"{number:.2e}"


def progress_bar(what: str, total: int, unit: str) -> "tqdm[NoReturn]":
    """Return a bar on standard error for a long task; it shows nothing where that is not a terminal."""
    from tqdm import tqdm

    return tqdm(
        total=total,
        desc=what,
        unit=unit,
        unit_scale=not 0 < total < LARGE,
        file=sys.stderr,
        disable=not is_terminal(sys.stderr),
        leave=False,
        bar_format=f"{{desc}}: {BAR}" if total else None,
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
    if code is None or os.environ.get("NO_COLOR") or not (is_terminal(sys.stdout) and is_terminal(sys.stderr)):
        return word
    return f"\x1b[{code}m{word}\x1b[0m"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[int]) -> str:
    """Return the rows under a header and a line; the columns in `right`, by number, are aligned to the right."""
    cells = [list(header), *map(list, rows)]
    widths = [max(map(width_of, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["─" * width for width in widths])
    return "\n".join(
        "  ".join(
            " " * (width - width_of(cell)) + cell if place in right else cell + " " * (width - width_of(cell))
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )


def shortened(text: str, columns: int) -> str:
    """Return the text, or its beginning with … where it is longer than `columns` of a terminal."""
    if width_of(text) <= columns:
        return text
    while text and width_of(text) > columns - 1:
        text = text[:-1]
    return f"{text}…"


def width_of(cell: str) -> int:
    """Return the columns that a terminal takes: two for a wide character, none for a combining one."""
    text = ESCAPE.sub("", cell)
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)


def is_terminal(stream: TextIO) -> bool:
    """Return whether the stream is a terminal that can be coloured and redrawn."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"
