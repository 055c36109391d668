"""Folders that take another's place, and what a killed process leaves."""

import errno
import os
import signal
from pathlib import Path

import pytest

from tinystories_lm.system import files
from tinystories_lm.system.errors import CannotReadError, CannotWriteError, DamagedError
from tinystories_lm.system.files import fsync, new_folder, remove_folder, sweep_leftovers, unreadable, writing


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


def test_an_empty_folder_that_is_there_is_filled_and_stays_the_same_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mount point cannot be renamed over, and a shell would be left in a deleted folder."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    inode = Path.cwd().stat().st_ino
    with new_folder(Path.cwd()) as new:
        (new / "file").write_text("text")
    assert Path("file").read_text() == "text" and Path.cwd().stat().st_ino == inode
    assert [path.name for path in Path.cwd().iterdir()] == ["file"]
    with pytest.raises(CannotWriteError), new_folder(Path.cwd()) as new:
        (new / "file").write_text("another")
    assert Path("file").read_text() == "text"


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EXDEV, errno.ENOSYS, 133])
def test_whatever_the_system_refuses_is_one_line(tmp_path: Path, number: int) -> None:
    with pytest.raises(CannotWriteError, match="name another folder"), writing(tmp_path / "file"):
        raise OSError(number, os.strerror(number))


@pytest.mark.parametrize(("number", "kind"), [(errno.EINVAL, None), (errno.ENOTSUP, None), (errno.EIO, OSError)])
def test_a_file_system_that_cannot_sync_is_left_to_write_when_it_will(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[OSError] | None
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files.os, "fsync", refuse)
    if kind is None:
        fsync(tmp_path)
    else:
        with pytest.raises(kind):
            fsync(tmp_path)


def test_folders_are_replaced_and_removed_where_they_cannot_be_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container, where folders of the image lie on another layer."""
    for name in ("step-1", "step-2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("old")
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.name.startswith("step-"):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    replace(tmp_path / "step-1")
    remove_folder(tmp_path / "step-2")
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["step-1"]
    assert (tmp_path / "step-1" / "file").read_text() == "new"


def test_what_may_not_be_read_is_not_called_damaged(tmp_path: Path) -> None:
    for number in (errno.EACCES, errno.EPERM, errno.EIO, errno.ETIMEDOUT):
        error = unreadable(tmp_path, OSError(number, os.strerror(number), str(tmp_path)))
        assert isinstance(error, CannotReadError) and error.exit_code == 5 and "damaged" not in str(error)
    for number in (errno.ENOENT, errno.EISDIR):
        assert type(unreadable(tmp_path, OSError(number, os.strerror(number)))) is DamagedError
