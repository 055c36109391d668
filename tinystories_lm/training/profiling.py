"""Record where a step's time goes, with torch's profiler over a few steps of a run."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile, schedule

from tinystories_lm.system.files import replacing, write_text

SKIPPED_STEPS = 10  # the first ones compile, allocate and choose kernels
TRACE, TABLE = "trace.json.gz", "profile.txt"
ROWS = 40

log = logging.getLogger(__name__)


@contextlib.contextmanager
def profiled(folder: Path, steps: int, device: torch.device) -> Iterator[Callable[[], None]]:
    """Record `steps` of the steps taken inside the block; yield the function to call after each step.

    After ten skipped steps and one of warm-up, and `steps` more, this leaves two files in `folder`: trace.json.gz, for
    Perfetto or chrome://tracing, and profile.txt, the operations by their own time. A shorter run leaves neither.
    """
    if steps == 0:
        yield lambda: None
        return
    on_gpu = device.type == "cuda"

    def write(recorded: "profile") -> None:
        with replacing(folder / TRACE) as temporary:
            recorded.export_chrome_trace(str(temporary))
        by = "self_cuda_time_total" if on_gpu else "self_cpu_time_total"
        write_text(folder / TABLE, recorded.key_averages().table(sort_by=by, row_limit=ROWS))
        log.info("profile of %d steps: %s and %s in %s", steps, TRACE, TABLE, folder)

    with profile(
        activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])],
        schedule=schedule(skip_first=SKIPPED_STEPS, wait=0, warmup=1, active=steps, repeat=1),
        on_trace_ready=write,
    ) as recorder:
        yield recorder.step
