"""Locks, and disks that have none."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from tinystories_lm.system.errors import CannotWriteError
from tinystories_lm.system.locks import lock


def test_a_lock_has_one_holder_and_names_it(tmp_path: Path) -> None:
    with lock(tmp_path / ".lock", wait=False) as first, lock(tmp_path / ".lock", wait=False) as second:
        assert first is None and second is not None and second["pid"] == os.getpid()
    with lock(tmp_path / ".lock", wait=False) as again:
        assert again is None


def test_a_disk_without_locks_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A parallel file system has none by default."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(CannotWriteError, match=r"cannot lock .*\.lock"), lock(tmp_path / ".lock", wait=True):
        pass
