"""Stopping on request: the first signal asks the loop to save and stop, the second leaves at once."""

import contextlib
import logging
import os
import signal
from collections.abc import Callable, Iterator
from types import FrameType

from tinystories_lm.errors import ExitCode

log = logging.getLogger(__name__)


@contextlib.contextmanager
def stop_on_signals() -> Iterator[Callable[[], bool]]:
    """Within the block SIGINT and SIGTERM only set the flag that the yielded function reads; SIGHUP does nothing.

    Nothing is saved inside the handler: the loop saves where its state is whole.
    """
    asked = False

    def ask(number: int, _: FrameType | None) -> None:
        nonlocal asked
        if asked:
            os._exit(ExitCode.INTERRUPTED)  # the last checkpoint stands; whatever is half-written is swept later
        asked = True
        log.warning("%s: saving a checkpoint after this step; again to leave at once", signal.Signals(number).name)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    before[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def sigterm_as_interrupt() -> None:
    """Outside the loop a SIGTERM ends the command as Ctrl-C does: locks and temporary files are cleaned up."""

    def interrupt(number: int, _: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
