"""Standard output and error of a command that goes on when nobody reads them any more."""

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
GONE = {errno.EPIPE, errno.EIO, errno.EBADF, errno.ENXIO}  # the pipe's reader, or the terminal, and for good


class DetachableStream:
    """A stream that outlives its reader: what nobody can read any more is lost, and that is all."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with self._outlived():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._outlived():
            self._stream.flush()

    @contextlib.contextmanager
    def _outlived(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in GONE:  # a full disk may have room again
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class SanitizedTerminal:
    """A terminal that what is written may colour, and make do nothing else: a name or a story moves no cursor."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(
            "".join(part if COLOUR.fullmatch(part) else escape_controls(part) for part in COLOUR.split(text))
        )
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def show_safely() -> None:
    """Let standard output take any text: one that its encoding has not got is written as Python would write it."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if sys.stdout.isatty():
        sys.stdout = SanitizedTerminal(sys.stdout)


def open_missing() -> None:
    """Give a process that was started without standard streams empty ones: a file would else be opened in their place.

    Python's own are None there, and a descriptor that is free is the next file's.
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
    """From here on neither a closed terminal nor a reader that went away ends this process."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    logging.raiseExceptions = False  # what a handler cannot write is no news of the run
    for name in ("stdout", "stderr"):
        if not isinstance(stream := getattr(sys, name), DetachableStream):
            setattr(sys, name, DetachableStream(stream))


HALVES = range(0xD800, 0xE000)  # of characters: no text that can be written has one alone


CONTROLS = {code: "\ufffd" for code in (*range(32), *range(127, 160), *HALVES) if chr(code) not in "\n\t"}


def escape_controls(text: str) -> str:
    """The text without characters that a terminal would obey: what a model or a file says moves no cursor."""
    return text.translate(CONTROLS)
