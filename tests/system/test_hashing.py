"""Hashes of large files are remembered, and every change of a file is noticed."""

import os
import shutil
import time
from pathlib import Path

import pytest

from tinystories_lm.system import hashing
from tinystories_lm.system.hashing import Hashed, remembered_sha256, sha256_of


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file that is large enough to be remembered, written long ago by the clock."""
    monkeypatch.setattr(hashing, "LEAST_REMEMBERED_BYTES", 100)
    monkeypatch.setattr(hashing.time, "time_ns", lambda now=time.time_ns: now() + 10**10)
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
    monkeypatch.setattr(hashing, "LEAST_REMEMBERED_BYTES", 100)
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
