"""Stop on request: the first signal asks the loop to save and stop, the second ends the process at once."""

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from types import FrameType
from typing import TypeVar

from tinystories_lm.system.errors import ExitCode

SOON_SECONDS = 0.01
NOTICE_SECONDS = 0.5
T = TypeVar("T")

log = logging.getLogger(__name__)
_interrupted = False  # a signal has come since `stop_by_interrupt`


@contextlib.contextmanager
def stop_on_signals() -> Iterator[Callable[[], bool]]:
    """Let SIGINT and SIGTERM only set the flag that the yielded function reads; ignore SIGHUP.

    Nothing is saved inside the handler: the loop saves where its state is whole.
    """
    asked = _interrupted  # an earlier signal whose exception got lost

    def ask(number: int, _: FrameType | None) -> None:
        nonlocal asked
        if asked:
            os._exit(ExitCode.INTERRUPTED)  # the last checkpoint is whole; the next start removes half-written files
        asked = True
        log.warning("%s: saving a checkpoint and stopping; send it again to leave at once", signal.Signals(number).name)

    before = {number: signal.signal(number, ask) for number in _obeyed()}
    if _may_handle():
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_by_interrupt() -> None:
    """Let SIGINT and SIGTERM end the command by a KeyboardInterrupt, which releases locks and temporary files.

    A second signal ends the process at once.

    Python drops an exception that is raised while an object is destroyed; the signal is then sent again. A library may
    turn the exception into another one; `was_interrupted` still returns True then.
    """
    global _interrupted
    _interrupted = sent_again = False

    def interrupt(number: int, _: FrameType | None) -> None:
        global _interrupted
        nonlocal sent_again
        if _interrupted and not sent_again:
            os._exit(ExitCode.INTERRUPTED)  # a second request: the first may still be cleaning up
        _interrupted, sent_again = True, False
        raise KeyboardInterrupt

    def send_again() -> None:
        nonlocal sent_again
        if signal.getsignal(signal.SIGTERM) is interrupt:
            sent_again = True
            os.kill(os.getpid(), signal.SIGTERM)

    def dropped(what: "sys.UnraisableHookArgs") -> None:
        if isinstance(what.exc_value, KeyboardInterrupt):
            threading.Timer(SOON_SECONDS, send_again).start()
        else:
            sys.__unraisablehook__(what)

    sys.unraisablehook = dropped
    for number in _obeyed():
        signal.signal(number, interrupt)


def _obeyed() -> list[signal.Signals]:
    """Return the signals to handle: not those that are ignored on purpose, as in a shell's background jobs."""
    if not _may_handle():
        return []
    return [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) is not signal.SIG_IGN]


def _may_handle() -> bool:
    """Return whether Python lets this thread handle signals; in any other, the program's own handlers stay."""
    return threading.current_thread() is threading.main_thread()


def was_interrupted() -> bool:
    """Return whether SIGINT or SIGTERM has come since `stop_by_interrupt`."""
    return _interrupted


def result_of(future: Future[T]) -> T:
    """Return what `Future.result` does, and handle a signal that comes meanwhile within half a second.

    Python handles signals on the main thread, which an endless wait keeps from noticing one that another thread
    received, or that came right before the wait began.
    """
    while not future.done():
        wait([future], timeout=NOTICE_SECONDS)
    return future.result()
