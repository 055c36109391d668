"""Write checkpoints in a thread of their own, while training continues."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from tinystories_lm.runs.checkpoint import Snapshot, write_checkpoint
from tinystories_lm.system.errors import CannotWriteError
from tinystories_lm.system.signals import result_of

log = logging.getLogger(__name__)


class CheckpointWriter:
    """Writes one snapshot at a time; `wait` raises what kept it from being written.

    step: of the snapshot that is being written, or was and has not been waited for; else None.
    """

    def __init__(self, folder: Path, *, run_id: str, keep: int) -> None:
        self._folder, self._run_id, self._keep = folder, run_id, keep
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._written: Future[None] | None = None
        self.step: int | None = None

    def begin(self, snapshot: Snapshot) -> None:
        """Begin to write; the caller has waited for the snapshot before."""
        assert self._written is None
        self.step = snapshot.progress.step
        self._written = self._thread.submit(with_one_retry, lambda: self._write(snapshot))

    @property
    def is_done(self) -> bool:
        """Return whether a snapshot has been written, or cannot be, and `wait` would tell at once."""
        return self._written is not None and self._written.done()

    def wait(self) -> None:
        """Wait until no snapshot is being written; raises CannotWriteError where one could not be."""
        written, self._written, self.step = self._written, None, None
        if written is not None:
            result_of(written)

    def close(self) -> None:
        """Wait as `wait` does, with a warning where it raises: whatever ends the run is worse."""
        try:
            self.wait()
        except CannotWriteError as error:
            log.warning("%s", error)
        self._thread.shutdown()

    def _write(self, snapshot: Snapshot) -> None:
        write_checkpoint(self._folder, snapshot, run_id=self._run_id, keep=self._keep)


def with_one_retry(write: Callable[[], None]) -> None:
    """Write, and once more where that fails, as a network file system can fail briefly; raises CannotWriteError."""
    try:
        write()
    except CannotWriteError as error:
        log.warning("%s; trying once more", error)
        write()
