"""A process for each task, so that what befalls one of them leaves the others running.

The processes are forked from a server that has loaded what all of them need and has touched no GPU: a task begins
within milliseconds, in memory that no other task has used.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, NamedTuple

from tinystories_lm.system.errors import CommandError, ExitCode
from tinystories_lm.system.files import open_plain
from tinystories_lm.system.redaction import print_traceback, redact
from tinystories_lm.system.signals import stop_by_interrupt, stop_on_signals

TICK_SECONDS = 0.5
GRACE_SECONDS = 30.0  # to save a checkpoint, between the request to stop and the kill


def usable_cores() -> int:
    """The cores this process may run on, fewer than the machine's in a container."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class Task:
    """`work(*arguments)` in a process of its own; both must pickle."""

    work: Callable[..., None]
    arguments: tuple[Any, ...]
    log: Path  # what it prints, and its traceback, are added here
    deadline_seconds: float


class Ending(NamedTuple):
    exit_code: int  # below zero, the signal that ended it
    seconds: float
    timed_out: bool

    def describe(self) -> str:
        if self.timed_out:
            return f"deadline: stopped after {self.seconds:.0f} s"
        if self.exit_code >= 0:
            return f"exit status {self.exit_code}"
        name = signal.Signals(-self.exit_code).name
        hint = " (the system kills what takes too much memory)" if name == "SIGKILL" else ""
        return f"signal {name}{hint}"


@dataclass
class _Running:
    number: int
    process: ForkServerProcess
    deadline_seconds: float
    began: float = field(default_factory=time.monotonic)
    timed_out: bool = False

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def enforce_deadline(self) -> None:
        if self.seconds > self.deadline_seconds and not self.timed_out:
            self.timed_out = True
            self.process.terminate()
        elif self.seconds > self.deadline_seconds + GRACE_SECONDS:
            self.process.kill()


def run_apart(
    tasks: Sequence[Task],
    *,
    slots: Sequence["Slot"],
    preload: Sequence[str],
    ended: Callable[[int, Ending], None],
    tick: Callable[[list[int]], None],
) -> bool:
    """Run the tasks in their order, as many at a time as there are slots; returns whether all had their turn.

    preload: modules that the server imports once, for all.
    ended: told the number of each task that is over, and how; tick: from time to time those under way.

    On SIGINT or SIGTERM the running tasks are asked to save and stop, and no other is begun.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    waiting, running = deque(enumerate(tasks)), dict[int, _Running]()
    with stop_on_signals() as stop_requested:
        told = False
        while running or (waiting and not told):
            while waiting and len(running) < len(slots) and not stop_requested():
                number, task = waiting.popleft()
                free = next(place for place in range(len(slots)) if place not in running)
                process = context.Process(target=_work, args=(task, slots[free]))
                process.start()
                running[free] = _Running(number, process, task.deadline_seconds)
            if stop_requested() and not told:
                told = True
                for one in running.values():
                    one.process.terminate()
            connection.wait([one.process.sentinel for one in running.values()], timeout=TICK_SECONDS)
            for place, one in list(running.items()):
                if one.process.is_alive():
                    one.enforce_deadline()
                    continue
                del running[place]
                code = one.process.exitcode
                assert code is not None
                asked = told and code == -signal.SIGTERM  # before the task could take the request
                ended(one.number, Ending(ExitCode.INTERRUPTED if asked else code, one.seconds, one.timed_out))
            tick([one.number for one in running.values()])
    return not told


@dataclass(frozen=True)
class Slot:
    """What a process may use of the machine while it holds the place."""

    gpu: str = ""  # the only one it sees; empty leaves them all
    cores: tuple[int, ...] = ()  # the only ones it runs on; none leaves them all

    def occupy(self) -> None:
        if self.gpu:
            os.environ["CUDA_VISIBLE_DEVICES"] = self.gpu
        if self.cores and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, self.cores)


def share_machine(places: int, *, gpus: Sequence[str]) -> list[Slot]:
    """So many slots: a GPU each where there are GPUs, else an equal part of the cores."""
    if gpus:
        return [Slot(gpu=gpus[place % len(gpus)]) for place in range(places)]
    if places == 1 or not hasattr(os, "sched_getaffinity"):
        return [Slot()] * places
    cores = sorted(os.sched_getaffinity(0))
    return [Slot(cores=tuple(cores[place % len(cores) :: places]) or (cores[0],)) for place in range(places)]


def _work(task: Task, slot: Slot) -> None:
    """The child's side: its own session, log and signals, and the end of it when the parent ends."""
    with contextlib.suppress(PermissionError):
        os.setsid()  # a Ctrl-C reaches the parent, which asks once
    stop_by_interrupt()
    descriptor = open_plain(task.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    slot.occupy()
    try:
        task.work(*task.arguments)
    except CommandError as error:
        print(f"tinystories-lm: {redact(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except Exception as error:
        print_traceback(type(error), error, error.__traceback__)
        sys.exit(ExitCode.FAILED)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def _leave_with_parent() -> None:
    """Stop as on request when the parent is gone, and be gone soon after it whatever happens."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)
