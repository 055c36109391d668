"""Prepare standard input, output and error: missing streams, closed pipes and terminals, hostile text."""

import codecs
import contextlib
import errno
import io
import logging
import os
import re
import signal
import sys
from collections.abc import Iterator
from typing import Any, TextIO

COLOUR = re.compile("(\x1b\\[[0-9;]*m)")
GONE = {errno.EPIPE, errno.EIO, errno.EBADF, errno.ENXIO}  # the reader of the pipe, or the terminal, will not return
SIMILAR = {"─": "-", "│": "|", "×": "x", "±": "+-", "…": "...", "∞": "inf", "→": "->", "√": "sqrt", "≤": "<=", "·": "."}
SURROGATES = range(0xD800, 0xE000)  # halves of a character, which no encoding can write alone
CONTROLS = {code: "\ufffd" for code in (*range(32), *range(127, 160), *SURROGATES) if chr(code) not in "\n\t"}


class _Stream:
    """Stands for another stream; a subclass changes what is written to it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class DetachableStream(_Stream):
    """A stream that survives a closed pipe or terminal by discarding further output."""

    def write(self, text: str) -> int:
        with self._discarding():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._discarding():
            self._stream.flush()

    @contextlib.contextmanager
    def _discarding(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in GONE:  # not a full disk, which may have room again
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)


class SanitizedTerminal(_Stream):
    """A terminal that passes colours and no other control sequences: a name or a story cannot move its cursor."""

    def write(self, text: str) -> int:
        self._stream.write(
            "".join(part if COLOUR.fullmatch(part) else escape_controls(part) for part in COLOUR.split(text))
        )
        return len(text)


def show_safely() -> None:
    """Let both outputs take any text; characters that their encoding lacks are written as ASCII ones or as escapes."""
    codecs.register_error("similar", _similar)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="similar")
    if sys.stdout.isatty():
        sys.stdout = SanitizedTerminal(sys.stdout)


def _similar(error: UnicodeError) -> tuple[str | bytes, int]:
    """Handle an encoding error by ASCII characters of the same meaning, or by escapes."""
    if isinstance(error, UnicodeEncodeError) and error.object[error.start] in SIMILAR:
        return SIMILAR[error.object[error.start]], error.start + 1
    if isinstance(error, UnicodeEncodeError):
        error.end = error.start + 1
    return codecs.backslashreplace_errors(error)


def open_missing() -> None:
    """Open /dev/null for standard streams that the process was started without.

    Python's own are None then, and the next file that is opened would take their descriptor.
    """
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != descriptor:
                os.dup2(nowhere, descriptor)
                os.close(nowhere)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))


def outlive_terminal() -> None:
    """Keep the process running when its terminal closes or the reader of its output goes away."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    logging.raiseExceptions = False  # a handler that cannot write must not print tracebacks
    for name in ("stdout", "stderr"):
        if not isinstance(stream := getattr(sys, name), DetachableStream):
            setattr(sys, name, DetachableStream(stream))


def escape_controls(text: str) -> str:
    """Return the text with a replacement character for each that a terminal would obey."""
    return text.translate(CONTROLS)
