"""Run work in a forked process, which takes a tenth of a second."""

import contextlib
import logging
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tinystories_lm.system.errors import CommandError

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="needs root on Linux")


class Child(NamedTuple):
    pid: int
    output: Path


class Ended(NamedTuple):
    code: int  # the exit code, or the negated signal
    said: str


def begin(work: Callable[[], object], *, fault: str | None = None) -> Child:
    """Start the work in a child that writes its log, its result and any error to a file."""
    descriptor, name = tempfile.mkstemp()
    pid = os.fork()
    if pid:
        os.close(descriptor)
        return Child(pid, Path(name))
    code = 1
    try:
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")  # not those that pytest captures
        logging.basicConfig(level=logging.INFO, stream=sys.stderr, force=True)
        os.environ |= {"TOKENIZERS_PARALLELISM": "false"} | ({} if fault is None else {"TSLM_FAULT": fault})
        print(work())
        code = 0
    except CommandError as error:
        print(error)
        code = error.exit_code
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def end(child: Child, *, seconds: float = 60) -> Ended:
    """Wait for the child; kill it and fail the test after `seconds`."""
    deadline = time.monotonic() + seconds
    done = 0
    while not done:
        done, status = os.waitpid(child.pid, os.WNOHANG)
        if not done and time.monotonic() > deadline:
            os.kill(child.pid, signal.SIGKILL)
            os.waitpid(child.pid, 0)
            pytest.fail(f"not done in {seconds} s: {child.output.read_text()}")
        time.sleep(0.002)
    said = child.output.read_text(encoding="utf-8", errors="backslashreplace")
    child.output.unlink()
    return Ended(os.waitstatus_to_exitcode(status), said)


def run(work: Callable[[], object], *, fault: str | None = None, seconds: float = 60) -> Ended:
    return end(begin(work, fault=fault), seconds=seconds)


@contextlib.contextmanager
def folder_for_all() -> Iterator[Path]:
    """Make a temporary folder that other users can reach, unlike pytest's."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o777)
        yield Path(name)


def give_up_root() -> None:
    """Become another user, since root may read and write anything."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
