"""Hashes that are remembered, folders that take another's place, locks that a file system has not got."""

import errno
import fcntl
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from tinystories_lm.system import files
from tinystories_lm.system.errors import CannotWriteError
from tinystories_lm.system.files import Hashed, lock, new_folder, remembered_sha256, sha256_of, sweep_leftovers


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is worth remembering, written long ago by the clock."""
    monkeypatch.setattr(files, "LEAST_REMEMBERED_BYTES", 100)
    monkeypatch.setattr(files.time, "time_ns", lambda now=time.time_ns: now() + 10**10)
    path = tmp_path / "large"
    path.write_bytes(bytes(range(256)))
    return path


def test_an_unchanged_file_is_read_once(large: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes.json"
    assert remembered_sha256(large, notes) == Hashed(sha256_of(large), True)
    assert remembered_sha256(large, notes) == Hashed(sha256_of(large), False)
    notes.unlink()
    assert remembered_sha256(large, notes) == Hashed(sha256_of(large), True)


@pytest.mark.parametrize("how", ["a bit", "a bit and the time set back", "longer", "another in its place"])
def test_every_change_is_seen(how: str, large: Path, tmp_path: Path) -> None:
    notes, before = tmp_path / "notes.json", large.stat()
    old = remembered_sha256(large, notes).sha256
    data = bytearray(large.read_bytes())
    data[77] ^= 4
    if how == "longer":
        data += b"x"
    if how == "another in its place":
        other = tmp_path / "other"
        other.write_bytes(data)
        shutil.copystat(large, other)
        other.replace(large)
    else:
        with large.open("r+b") as file:
            file.write(data)
    if how != "longer":
        os.utime(large, ns=(before.st_atime_ns, before.st_mtime_ns))
    found = remembered_sha256(large, notes)
    assert found == Hashed(sha256_of(large), True) and found.sha256 != old


def test_a_file_that_was_just_written_is_not_trusted_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LEAST_REMEMBERED_BYTES", 100)
    path = tmp_path / "fresh"
    path.write_bytes(bytes(200))
    for _ in range(2):
        assert remembered_sha256(path, tmp_path / "notes.json").just_now
    assert not (tmp_path / "notes.json").exists()


@pytest.mark.parametrize("notes", ["", "[1]", '{"a": 1}', "[" * 100_000, "\xff"])
def test_notes_that_are_none_cost_a_reading_and_no_more(notes: str, large: Path, tmp_path: Path) -> None:
    path = tmp_path / "notes.json"
    path.write_bytes(notes.encode("latin-1"))
    assert remembered_sha256(large, path) == Hashed(sha256_of(large), True)
    assert remembered_sha256(large, path) == Hashed(sha256_of(large), False)


def test_notes_that_cannot_be_written_are_done_without(large: Path, tmp_path: Path) -> None:
    assert remembered_sha256(large, tmp_path / "nowhere" / "notes.json") == Hashed(sha256_of(large), True)


def replace(folder: Path) -> None:
    with new_folder(folder, replace=True) as new:
        (new / "file").write_text("new")


@pytest.mark.parametrize("kind", ["kill", "EIO", "none"])
def test_an_older_folder_is_there_until_the_newer_one_is(tmp_path: Path, kind: str) -> None:
    """Between the two renames there is neither, until the next start, or the failing write itself, puts it back."""
    folder = tmp_path / "step-1"
    folder.mkdir()
    (folder / "file").write_text("old")
    if (pid := os.fork()) == 0:
        os.environ["TSLM_FAULT"] = f"folder.replaced:1:{kind}" if kind != "none" else "nowhere:1:kill"
        try:
            replace(folder)
        except CannotWriteError:
            os._exit(5)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code == {"kill": -signal.SIGKILL, "EIO": 5, "none": 0}[kind]
    sweep_leftovers(tmp_path)
    assert (folder / "file").read_text() == ("new" if kind == "none" else "old")
    assert [path.name for path in tmp_path.iterdir()] == ["step-1"]


def test_a_folder_is_replaced_on_demand_only_and_nothing_of_a_persons_own_is_swept(tmp_path: Path) -> None:
    for name in ("mine", ".old-mine", ".old-other", ".tmp-notes"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    (tmp_path / ".tmp-77-left").touch()
    with pytest.raises(CannotWriteError), new_folder(tmp_path / "mine"):
        pass
    sweep_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"mine", ".old-mine", ".old-other", ".tmp-notes"}
    assert len(list(tmp_path.rglob("file"))) == 4


def test_a_disk_without_locks_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a parallel file system is by default."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(CannotWriteError, match=r"cannot lock .*\.lock"), lock(tmp_path / ".lock", wait=True):
        pass
