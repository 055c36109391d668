"""Read what was called of the null device from its log."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

# Each attention kernel by the name of what it launches; `math` is made of products and launches none of these.
ATTENTION_LAUNCHES = {"flash": "flash_fwd", "efficient": "fmha_cutlassF", "cudnn": "cudnnBackendExecute"}
BACKWARD_LAUNCHES = {"flash": "flash_bwd", "efficient": "fmha_cutlassB", "cudnn": "cudnnBackendExecute"}


class Call(NamedTuple):
    process: int
    parent: int
    kind: str  # init, malloc, copy, memset, wait or launch
    name: str


def read_calls(log: Path, *, after: int = 0) -> list[Call]:
    """Return the calls in the log from its line number `after` on."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    fields = (line.split(" ", 3) for line in lines[after:])
    return [Call(int(process), int(parent), kind, name) for process, parent, kind, name in fields]


def named(calls: Sequence[Call], kind: str) -> list[str]:
    return [call.name for call in calls if call.kind == kind]


def attention_that_ran(calls: Sequence[Call], launches: dict[str, str] = ATTENTION_LAUNCHES) -> list[str]:
    """Return the attention kernels whose launches are among the calls, `math` where there is none."""
    launched = named(calls, "launch")
    return [kind for kind, sign in launches.items() if any(sign in name for name in launched)] or ["math"]
