"""Advisory file locks, which the system frees when their holder ends, however it ends."""

import contextlib
import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tinystories_lm.system.errors import CannotWriteError, DamagedError
from tinystories_lm.system.files import open_plain, writing
from tinystories_lm.system.json_files import read_json_if_whole


@contextlib.contextmanager
def lock(path: Path, *, wait: bool) -> Iterator[dict[str, Any] | None]:
    """Hold a lock on `path` within the block, and yield None.

    With `wait` false and another holder, yield what is known of that holder (pid, host, since) and hold nothing.

    Raises CannotWriteError where the file cannot be made or its disk has no locks, DamagedError where the path is not
    a plain file.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _open_lock(path)
    with os.fdopen(descriptor, "r", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield read_json_if_whole(path) or {"pid": "unknown"}  # its holder may not have written its name yet
            return
        except OSError as error:  # a network file system that was mounted without locks
            raise CannotWriteError(
                f"cannot lock {path}: {error.strerror}: name a folder whose disk has locks"
            ) from error
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        name = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since})
        with contextlib.suppress(OSError):  # a full disk costs the name, which is for people, and not the lock
            os.truncate(file.fileno(), 0)
            os.write(file.fileno(), name.encode())
        yield None


def _open_lock(path: Path) -> int:
    try:
        return open_plain(path, os.O_RDWR | os.O_CREAT)
    except PermissionError:
        if not path.exists():
            raise
        return open_plain(path, os.O_RDONLY)  # another person's file can be locked, without a name in it
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EINVAL, errno.ENXIO, errno.EISDIR):
            raise DamagedError(f"{path} must be a plain file to serve as a lock: delete it") from error
        raise
