"""Run each task in a process of its own, so that a crash of one leaves the others running.

The processes are forked from a server that has imported what all of them need and has not touched a GPU: a task starts
within milliseconds, in memory that no other task has used.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any, NamedTuple

from tinystories_lm.system.cores import usable_cores
from tinystories_lm.system.errors import CommandError, ExitCode
from tinystories_lm.system.files import open_plain
from tinystories_lm.system.redaction import print_traceback, redact
from tinystories_lm.system.signals import stop_by_interrupt, stop_on_signals

TICK_SECONDS = 0.5
GRACE_SECONDS = 30.0  # to save a checkpoint, between the request to stop and the kill


@dataclass(frozen=True)
class Task:
    """`work(*arguments)` in a process of its own; both must pickle."""

    work: Callable[..., None]
    arguments: tuple[Any, ...]
    log: Path  # its output and its traceback are appended here
    deadline_seconds: float


class Ending(NamedTuple):
    exit_code: int  # if negative, the signal that ended the process
    seconds: float
    timed_out: bool

    def describe(self) -> str:
        if self.timed_out:
            return f"deadline: stopped after {self.seconds:.0f} s"
        if self.exit_code >= 0:
            return f"exit status {self.exit_code}"
        name = signal.Signals(-self.exit_code).name
        hint = " (the system kills processes that take too much memory)" if name == "SIGKILL" else ""
        return f"signal {name}{hint}"


@dataclass(frozen=True)
class Slot:
    """What a process may use of the machine."""

    gpu: str = ""  # the only one it sees; empty leaves them all
    cores: tuple[int, ...] = ()  # the only ones it runs on; empty leaves them all
    threads: int = 0  # where it cannot be bound to cores; 0 leaves their number open

    def occupy(self) -> None:
        if self.gpu:
            os.environ["CUDA_VISIBLE_DEVICES"] = self.gpu
        if self.cores and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, self.cores)
        if self.threads and "OMP_NUM_THREADS" not in os.environ:
            os.environ["OMP_NUM_THREADS"] = str(self.threads)


def share_machine(places: int, *, gpus: Sequence[str]) -> list[Slot]:
    """Return `places` slots: a GPU each where there are GPUs, else an equal part of the cores."""
    if gpus:
        return [Slot(gpu=gpus[place % len(gpus)]) for place in range(places)]
    if places == 1:
        return [Slot()] * places
    if not hasattr(os, "sched_getaffinity"):  # macOS: a process cannot be bound to cores, and takes fewer threads
        return [Slot(threads=max(1, usable_cores() // places))] * places
    cores = sorted(os.sched_getaffinity(0))
    return [Slot(cores=tuple(cores[place % len(cores) :: places]) or (cores[0],)) for place in range(places)]


@dataclass
class _Running:
    number: int  # of the task
    slot: Slot
    process: ForkServerProcess
    deadline_seconds: float
    started: float = field(default_factory=time.monotonic)
    timed_out: bool = False

    def poll(self, *, stopping: bool) -> Ending | None:
        """Return how the process ended, None for one that runs: overdue it is asked to stop, and killed later."""
        seconds, code = time.monotonic() - self.started, self.process.exitcode
        if code is not None:
            stopped = (stopping or self.timed_out) and code == -signal.SIGTERM  # before it could handle the request
            return Ending(ExitCode.INTERRUPTED if stopped else code, seconds, self.timed_out)
        if seconds > self.deadline_seconds and not self.timed_out:
            self.timed_out = True
            self.process.terminate()
        elif seconds > self.deadline_seconds + GRACE_SECONDS:
            self.process.kill()
        return None


def run_apart(
    tasks: Sequence[Task],
    *,
    slots: Sequence[Slot],
    preload: Sequence[str],
    ended: Callable[[int, Ending], None],
    tick: Callable[[list[int]], None],
    may_start: Callable[[], bool] = lambda: True,
) -> bool:
    """Run each task in a process of its own, at most one per slot at a time; the rest is as for `run_as_chosen`.

    may_start: returns whether another task may start.
    """
    waiting = iter(enumerate(tasks))
    return run_as_chosen(
        lambda: next(waiting, None) if may_start() else None, slots=slots, preload=preload, ended=ended, tick=tick
    )


def run_as_chosen(
    choose: Callable[[], tuple[int, Task] | None],
    *,
    slots: Sequence[Slot],
    preload: Sequence[str],
    ended: Callable[[int, Ending], None],
    tick: Callable[[list[int]], None],
) -> bool:
    """Run the tasks that `choose` returns, each in a process of its own; return whether there was no request to stop.

    choose: returns a task and its number, or None for nothing until the next end; called while a slot is free.
    preload: modules that the fork server imports once, for all.
    ended: called with the number of a task that ended, and how; tick: called regularly with the numbers under way.
    On SIGINT or SIGTERM the running tasks are asked to save and stop, and no other is started.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    free, may_choose, stopping = list(slots), True, False
    running: list[_Running] = []
    with stop_on_signals() as stop_requested:
        while True:
            while may_choose and free and not stop_requested():
                if may_choose := (chosen := choose()) is not None:
                    running.append(_start(context, *chosen, free.pop(0)))
            if stop_requested() and not stopping:
                stopping = True
                for one in running:
                    one.process.terminate()
            if not running:
                break
            connection.wait([one.process.sentinel for one in running], timeout=TICK_SECONDS)
            for one in list(running):
                if (ending := one.poll(stopping=stopping)) is not None:
                    running.remove(one)
                    free.append(one.slot)
                    ended(one.number, ending)
                    may_choose = True
            tick([one.number for one in running])
    return not stopping


def _start(context: ForkServerContext, number: int, task: Task, slot: Slot) -> _Running:
    process = context.Process(target=_work, args=(task, slot))
    process.start()
    return _Running(number, slot, process, task.deadline_seconds)


def _work(task: Task, slot: Slot) -> None:
    """Run the task in the child process: with its own session, log and signals, until the parent ends."""
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
    """Stop as on request when the parent is gone, and die soon after in any case."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)
