"""Faults on request, so that tests can break a run where it would hurt.

`TSLM_FAULT=POINT:COUNT:KIND[:WHERE]` strikes when a point is reached for the COUNT-th time in a process; with WHERE
only in run folders whose path holds that text. Unset, as it is for everyone else, a point does nothing.
"""

import os
import signal
import time
from collections import Counter
from pathlib import Path

VARIABLE = "TSLM_FAULT"
_reached: Counter[str] = Counter()


def reach(point: str, folder: Path) -> None:
    """Strike here if the environment asks for it."""
    asked = os.environ.get(VARIABLE)
    if asked is None:
        return
    wanted, count, kind, *where = asked.split(":")
    if wanted != point or not all(text in str(folder) for text in where):
        return
    _reached[point] += 1
    if _reached[point] == int(count):
        strike(kind)


def strike(kind: str) -> None:
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
        case _:
            raise ValueError(f"{VARIABLE}: there is no fault of kind {kind}")
