"""Read the limits that a container or a batch system sets on this process (Linux control groups, versions 1 and 2)."""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")  # where the system shows control groups: version 2, or version 1 below a controller
OWN = Path("/proc/self/cgroup")  # the groups of this process, one line `number:controllers:/path` each


def folders(controller: str, groups: Path, own: Path) -> Iterator[Path]:
    """Yield the folders of this process's groups and of those around them, in both versions."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for _, controllers, path in (line.split(":", 2) for line in lines if line.count(":") >= 2):
        if controllers != "" and controller not in controllers.split(","):
            continue
        top = groups if controllers == "" else groups / controller
        inner = top / path.strip("/")
        for group in (inner, *inner.parents):
            yield group
            if group == top:
                break


def memory_limit(groups: Path = GROUPS, own: Path = OWN) -> int:
    """Return the smallest limit in bytes; 0 without a limit."""
    limits = []
    for group in folders("memory", groups, own):
        for name in ("memory.max", "memory.limit_in_bytes"):
            with contextlib.suppress(OSError, ValueError):  # a container does not show outer groups; "max" is unlimited
                limits.append(int((group / name).read_text(encoding="utf-8")))
    return min(limits, default=0)


def cpu_limit(groups: Path = GROUPS, own: Path = OWN) -> float:
    """Return the smallest quota in cores, such as 1.5; infinite without a quota."""
    quotas = [math.inf]
    for group in folders("cpu", groups, own):
        with contextlib.suppress(OSError, ValueError):
            quota, period = (group / "cpu.max").read_text(encoding="utf-8").split()
            quotas.append(int(quota) / int(period))
        with contextlib.suppress(OSError, ValueError):
            quota, period = ((group / f"cpu.cfs_{name}_us").read_text(encoding="utf-8") for name in ("quota", "period"))
            quotas.append(int(quota) / int(period) if int(quota) > 0 else math.inf)
    return min(quotas)
