"""Record what a function launches on a GPU, and launch all of it at once from then on (a CUDA graph)."""

import contextlib
import functools
import logging
from collections.abc import Callable

import torch
from torch import Tensor

log = logging.getLogger(__name__)


Replay = Callable[[], Tensor]


def recorded(work: Callable[[], Tensor], device: torch.device) -> Replay | None:
    """Return a function that does in one launch what `work` does; None on a CPU, and where recording fails.

    work: reads and writes the same tensors in every call, may be repeated, and waits for nothing. It returns a tensor,
        which is the same one in every call of the function that is returned.
    """
    if device.type != "cuda":
        return None
    try:
        return _recorder(device).record(work)
    except RuntimeError as error:  # of CUDA: a kernel that cannot be recorded, or too little memory
        _warn(str(error).partition("\n")[0])
        return None


class Recorder:
    """Records for one GPU, in one stream and one pool of memory, because torch keeps those of every recording.

    It records nothing after a failure, which is raised again.
    """

    def __init__(self, device: torch.device) -> None:
        self._failure = ""
        self.device, self.stream, self.pool = device, torch.cuda.Stream(device), torch.cuda.graph_pool_handle()
        self._owner_of_pool = self._capture(lambda: torch.zeros(1, device=device))[0]

    def record(self, work: Callable[[], Tensor]) -> Replay:
        """Call `work` once, because libraries prepare themselves in a first call, and record a second call."""
        if self._failure:
            raise RuntimeError(self._failure)
        present = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(present)
        try:
            with torch.cuda.stream(self.stream):
                work()
            graph, output = self._capture(work)
        except RuntimeError as failure:
            self._failure = str(failure)
            raise
        finally:
            present.wait_stream(self.stream)

        def replay() -> Tensor:
            graph.replay()
            return output

        return replay

    def _capture(self, work: Callable[[], Tensor]) -> tuple[torch.cuda.CUDAGraph, Tensor]:
        """Record `work`; other threads may use CUDA meanwhile.

        Not by `torch.cuda.graph`, which gives the memory that training is about to use again back to the driver.
        """
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.stream(self.stream):
            try:
                graph.capture_begin(self.pool, capture_error_mode="thread_local")
                try:
                    output = work()
                finally:
                    graph.capture_end()
            except RuntimeError:
                self._end_capture()
                raise
        return graph, output

    def _end_capture(self) -> None:
        """End what torch leaves begun after a capture that failed: memory that is never reused, and no random numbers.

        Seen with torch 2.11: `capture_end` raises before it tells the allocator and the generator.
        """
        index = self.stream.device.index
        with contextlib.suppress(RuntimeError, AttributeError):
            torch._C._cuda_endAllocateToPool(index, self.pool)
            generator = torch.cuda.default_generators[index]
            generator.graphsafe_set_state(generator.clone_state())


@functools.cache
def _recorder(device: torch.device) -> Recorder:
    return Recorder(device)


@functools.cache
def _warn(reason: str) -> None:
    log.warning("texts are decoded without a CUDA graph, which takes longer: %s", reason)
