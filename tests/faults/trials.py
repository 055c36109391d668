"""Start real `train` commands in forked processes, half a second each, and cut them off."""

import contextlib
import gc
import hashlib
import importlib
import itertools
import json
import logging
import os
import random
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from tests.conftest import SMALL_RUN
from tests.jobs.test_train import VOLATILE
from tinystories_lm.cli.main import main
from tinystories_lm.jobs import job, train  # loaded once, before the processes are forked  # noqa: F401
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.records import read_metrics
from tinystories_lm.system.json_files import read_json

PATIENCE_SECONDS = 900.0  # with a process that should have ended
LENGTH = ["training.steps=40", "training.eval_every_steps=8", "training.checkpoint_every_steps=4"]
RUN = list({setting.partition("=")[0]: setting for setting in [*SMALL_RUN, *LENGTH]}.values())


def settings(*more: str) -> list[str]:
    """Return RUN with these settings in the place of its own."""
    return list({setting.partition("=")[0]: setting for setting in [*RUN, *more]}.values())


def start(
    corpus: Path,
    run: Path,
    *more: str,
    fault: str | None = None,
    out: Path | None = None,
    first: Callable[[], object] = lambda: None,
) -> int:
    """Start `train` in a process of its own; returns its pid.

    more: settings, each in the place of RUN's where that has one.
    out: a file or a terminal for its output; by default the run folder's name with .out.
    """
    words = settings(f"data.path={corpus}", f"hydra.run.dir={run}", *more)
    return begin(["train", *words], run.parent, fault=fault, out=out or run.with_suffix(".out"), first=first)


def alone() -> None:
    """Prepare a forked process: give it one core, and remove the tests' log handlers.

    On several cores torch would start threads, which hang in a process forked from one that had some.
    """
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[os.getpid() % len(cores)]})
    logging.getLogger().handlers.clear()


def begin(
    arguments: list[str],
    folder: Path,
    *,
    out: Path,
    fault: str | None = None,
    first: Callable[[], object] = lambda: None,
) -> int:
    """Start a command in a process of its own, in `folder`; returns its pid.

    first: called in the process before the command.
    """
    gc.freeze()  # or the new process would copy all memory at its first collection
    pid = os.fork()
    if pid:
        gc.unfreeze()
        return pid
    code = 70
    try:
        silence = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.chdir(folder)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")  # not those that pytest captures
        os.environ.pop("TSLM_FAULT", None)
        if fault is not None:
            os.environ["TSLM_FAULT"] = fault
        signal.signal(signal.SIGINT, signal.default_int_handler)
        torch.set_num_threads(1)  # what an earlier test may have left would not outlive the fork
        first()
        sys.argv = ["tinystories-lm", *arguments]
        main()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()  # pytest does not see it: this process ends here
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def end(pid: int) -> int:
    """Wait for a process; returns its exit code, or minus the signal that ended it: SIGKILL where it did not end."""
    watch = threading.Timer(PATIENCE_SECONDS, os.kill, (pid, signal.SIGKILL))
    watch.start()
    _, status = os.waitpid(pid, 0)
    watch.cancel()
    return os.waitstatus_to_exitcode(status)


def at_call(function: str, strike: Callable[[], object], *, count: int = 1) -> Callable[[], None]:
    """Return a function to call first, after which `strike` runs right before the count-th call of a function.

    function: MODULE.NAME, with the module that calls it.
    """
    calls = itertools.count(1)

    def wrap() -> None:
        module, _, name = function.rpartition(".")
        caller = importlib.import_module(module)
        real = getattr(caller, name)

        def called(*arguments: Any, **named: Any) -> Any:
            if next(calls) == count:
                strike()
            return real(*arguments, **named)

        setattr(caller, name, called)

    return wrap


def send(number: signal.Signals) -> Callable[[], None]:
    """Return a function that sends the signal to its own process."""
    return lambda: os.kill(os.getpid(), number)


def kill_after(pid: int, seconds: float) -> int:
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    return end(pid)


def kill_in_save(pid: int, checkpoints: Path, saves: int) -> int:
    """Kill the process when it has started this many checkpoints."""
    seen: set[str] = set()
    while True:
        with contextlib.suppress(FileNotFoundError):
            seen |= {name for name in os.listdir(checkpoints) if name.startswith(".tmp-")}
        if len(seen) >= saves:
            os.kill(pid, signal.SIGKILL)
            return end(pid)
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)


def said(run: Path) -> str:
    return run.with_suffix(".out").read_text(encoding="utf-8")


def read_rows(run: Path) -> list[dict[str, Any]]:
    return read_metrics(RunFolder(run))


def ending(run: Path) -> dict[str, Any]:
    """Return everything of a finished run that must not depend on where it was cut off."""
    rows = [{key: value for key, value in row.items() if key not in VOLATILE} for row in read_rows(run)]
    summary = read_json(run / "summary.json")
    kept = ("val/loss", "best/val_loss", "best/step", "progress/step", "progress/tokens", "stories", "exact")
    return {
        "rows": rows,
        "samples": (run / "samples.jsonl").read_text(encoding="utf-8", errors="replace"),
        "summary": {key: summary[key] for key in kept},
        "weights": {
            str(file.relative_to(run)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(run.glob("checkpoints/step-*/*.safetensors"))
        },
        "leftovers": sorted(
            path.name for path in run.rglob(".*-*") if path.name.startswith((".tmp-", ".del-", ".old-"))
        ),
    }


def first_difference(a: dict[str, Any], b: dict[str, Any]) -> str:
    for key in a:
        if a[key] != b[key]:
            return f"{key}: {json.dumps(a[key])[:300]} is not {json.dumps(b[key])[:300]}"
    return ""


def cuts(number: int, seconds: float) -> Iterator[Callable[[int], int]]:
    """Yield one to four kills at random moments of a run that takes `seconds`."""
    choose = random.Random(number)
    for _ in range(choose.choice([1, 1, 2, 4])):
        moment = choose.uniform(0, 1.1 * seconds)
        yield lambda pid, moment=moment: kill_after(pid, moment)
