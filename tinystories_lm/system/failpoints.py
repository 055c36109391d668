"""Faults on request, so that tests can break a run at its most delicate points.

`TSLM_FAULT=POINT:COUNT:KIND[:WHERE]` triggers a fault when a process reaches a point for the COUNT-th time; with WHERE
only paths that contain that text count. While the variable is unset, a point does nothing. KIND is one of those in
`trigger`, or the name of a system error such as ENOSPC. Every function that writes has a point (tests/faults).
"""

import errno
import os
import signal
import time
from collections import Counter
from pathlib import Path

VARIABLE = "TSLM_FAULT"
_reached: Counter[str] = Counter()


def hit(point: str, path: Path) -> None:
    """Trigger a fault here if the environment asks for it."""
    asked = os.environ.get(VARIABLE)
    if asked is None:
        return
    wanted, count, kind, *where = asked.split(":")
    if wanted != point or not all(text in str(path) for text in where):
        return
    _reached[point] += 1
    if _reached[point] == int(count):
        trigger(kind)


def trigger(kind: str) -> None:
    match kind:
        case "raise":
            raise RuntimeError("a fault on request")
        case "exit":
            raise SystemExit(3)
        case "memory":
            raise MemoryError("a fault on request")
        case "abort":
            os.abort()
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "terminate":
            os.kill(os.getpid(), signal.SIGTERM)
        case "hang":
            time.sleep(3600)
        case _ if hasattr(errno, kind):
            raise OSError(getattr(errno, kind), os.strerror(getattr(errno, kind)))
        case _:
            raise ValueError(f"{VARIABLE}: `{kind}` is not a kind of fault")
