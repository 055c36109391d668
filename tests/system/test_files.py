"""Folders that take another's place, and what a killed process leaves."""

import os
import signal
from pathlib import Path

import pytest

from tinystories_lm.system.errors import CannotWriteError
from tinystories_lm.system.files import new_folder, sweep_leftovers


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
