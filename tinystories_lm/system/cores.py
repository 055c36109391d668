"""Count the cores that this process may use, and keep torch's threads from wasting them."""

import math
import os

from tinystories_lm.system.control_groups import cpu_limit

SPINS = 1000  # as fast alone as GNU OpenMP's 300,000, and 1.4 to 2.8 times as fast beside other work


def usable_cores() -> int:
    """Return how many cores this process may use: a container or a batch system may leave it fewer than there are."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_limit()
    return cores if quota >= cores else max(1, math.ceil(quota))


def default_threads() -> int:
    """Return OMP_NUM_THREADS where it is set to a number, else the usable cores."""
    chosen = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()  # a list has a number for each level
    return int(chosen) if chosen.isdecimal() and int(chosen) > 0 else usable_cores()


def limit_spinning() -> None:
    """Let the threads of GNU OpenMP, which torch uses on Linux, sleep soon while they wait for each other.

    By default they spin for milliseconds, on a core that the awaited thread may need when other programs run. Call it
    before torch is imported. What the user's environment says about waiting is left as it is.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", str(SPINS))
