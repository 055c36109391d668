"""Disks that are full, read-only or gone: one line, exit 5, and nothing that was good is lost."""

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import trials
from tests.faults.conftest import Whole
from tinystories_lm.runs.checkpoint import check_checkpoint, list_checkpoints
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.records import read_record
from tinystories_lm.runs.status import Status, read_status
from tinystories_lm.system.hashing import sha256_of
from tinystories_lm.system.json_files import read_json

CAN_MOUNT = sys.platform == "linux" and os.geteuid() == 0
mounts = pytest.mark.skipif(not CAN_MOUNT, reason="mounts a file system of its own, for which it must be root on Linux")
slow = pytest.mark.slow


class Disk:
    """A file system of a given size."""

    def __init__(self, folder: Path, kilobytes: int) -> None:
        self.path = folder
        folder.mkdir()
        self._mount("-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs")

    def _mount(self, *options: str) -> None:
        subprocess.run(["mount", *options, self.path], check=True)

    def resize(self, kilobytes: int) -> None:
        self._mount("-o", f"remount,size={kilobytes}k")

    def make_read_only(self) -> None:
        self._mount("-o", "remount,ro")

    def fill(self) -> Path:
        """Fill the disk; returns the file to delete for room."""
        filler = self.path / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1024))
        return filler


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Yield an empty disk, large enough for a run."""
    made = Disk(tmp_path / "disk", 64_000)
    yield made
    subprocess.run(["umount", "--lazy", made.path], check=True)


def check_refused(said: str) -> None:
    assert said.splitlines()[-1].startswith("tinystories-lm: cannot write "), said
    assert "Traceback" not in said and "Logging error" not in said


def check_resumes(whole: Whole, run: Path, *more: str, out: Path | None = None) -> None:
    """Check that the same command ends with the bits of a run that never ran out of space."""
    assert trials.end(trials.start(whole.corpus, run, whole.cache, *more, out=out)) == 0
    assert not (difference := trials.first_difference(trials.ending(run), whole.ending)), difference


# Kilobytes: a run takes 1 MB; 600 hold one checkpoint and not two.
SIZES = [0, 600]


@mounts
@pytest.mark.parametrize("kilobytes", [*SIZES, *(pytest.param(size, marks=slow) for size in range(4, 1100, 12))])
def test_a_full_disk_is_one_line_and_with_room_again_the_run_resumes(
    whole: Whole, tmp_path: Path, disk: Disk, kilobytes: int
) -> None:
    if kilobytes:
        disk.resize(kilobytes)
    else:
        disk.fill()
    run, out = disk.path / "run", tmp_path / "out"
    code = trials.end(trials.start(whole.corpus, run, whole.cache, out=out))
    if code or kilobytes < 900:
        assert code == 5
        check_refused(out.read_text())
        for checkpoint in list_checkpoints(run / "checkpoints"):
            check_checkpoint(checkpoint, run_id=read_record(RunFolder(run)).run_id)
        assert not [path for path in run.rglob(".tmp-*") if path.is_file()]
    disk.resize(128_000)
    check_resumes(whole, run, out=out)


@mounts
def test_with_room_again_the_same_command_finds_the_run_that_had_none(whole: Whole, tmp_path: Path, disk: Disk) -> None:
    """It does so where no folder is named and small files could still be written."""
    disk.resize(600)
    words = [word for word in trials.settings(f"data.path={whole.corpus}", whole.cache) if "run.dir" not in word]
    assert trials.end(trials.begin(["train", *words], disk.path, out=tmp_path / "out")) == 5
    (run,) = disk.path.glob("outputs/run/*")
    assert read_status(RunFolder(run)) is Status.FAILED and list_checkpoints(run / "checkpoints")
    disk.resize(128_000)
    assert trials.end(trials.begin(["train", *words], disk.path, out=tmp_path / "out")) == 0
    assert list(disk.path.glob("outputs/run/*")) == [run]
    assert not (difference := trials.first_difference(trials.ending(run), whole.ending)), difference


@pytest.mark.parametrize("limit", [12_000, *(pytest.param(size, marks=slow) for size in (7_900, 50_000, 90_000))])
def test_a_file_that_may_not_grow_is_one_line(whole: Whole, tmp_path: Path, limit: int) -> None:
    """The limit strikes the tokens, a checkpoint or the metrics; it needs no root."""
    run, cache = tmp_path / "run", f"data.cache_dir={tmp_path / 'cache'}"
    lower = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))  # noqa: E731
    assert trials.end(trials.start(whole.corpus, run, cache, first=lower)) == 5, trials.said(run)
    check_refused(trials.said(run))
    check_resumes(whole, run, cache)


def test_a_folder_that_may_not_be_written_is_refused_before_the_training(whole: Whole, tmp_path: Path) -> None:
    folder, out = tmp_path / "folder", tmp_path / "out"
    with read_only(folder):
        for run in (folder, folder / "run"):
            assert trials.end(trials.start(whole.corpus, run, whole.cache, out=out)) == 5
            said = out.read_text()
            out.unlink()
            check_refused(said)
            assert len(said.splitlines()) == 1 and not list(folder.iterdir())


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Make a folder that even root can only read."""
    if CAN_MOUNT:
        disk = Disk(folder, 1000)
        disk.make_read_only()
        yield
        subprocess.run(["umount", "--lazy", folder], check=True)
    else:
        folder.mkdir(mode=0o555)
        yield


@slow
@mounts
def test_a_corpus_prepared_on_a_disk_that_is_read_only_is_all_that_a_run_needs(
    whole: Whole, tmp_path: Path, disk: Disk
) -> None:
    shutil.copytree(whole.cache.partition("=")[2], disk.path / "cache")
    disk.make_read_only()
    run = tmp_path / "run"
    assert trials.end(trials.start(whole.corpus, run, f"data.cache_dir={disk.path / 'cache'}")) == 0, trials.said(run)


def wait_for(out: Path, words: str) -> None:
    until = time.monotonic() + 60
    while not out.exists() or words not in out.read_text():
        assert time.monotonic() < until, out.read_text()
        time.sleep(0.002)


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Suspend the process inside the block."""
    os.kill(pid, signal.SIGSTOP)
    yield
    os.kill(pid, signal.SIGCONT)


LONG = ["training.steps=160", "training.eval_every_steps=40", "training.checkpoint_every_steps=20"]
CONTINUE = "training.on_write_error=continue"


@mounts
def test_a_run_that_may_continue_does_so_while_the_disk_is_full_and_loses_no_row(
    whole: Whole, tmp_path: Path, disk: Disk
) -> None:
    run, out, undisturbed = disk.path / "run", tmp_path / "out", tmp_path / "undisturbed"
    assert trials.end(trials.start(whole.corpus, undisturbed, whole.cache, *LONG)) == 0
    pid = trials.start(whole.corpus, run, whole.cache, *LONG, CONTINUE, out=out)
    wait_for(out, "step 40/160")
    with stopped(pid):
        filler = disk.fill()
    wait_for(out, "training continues without a checkpoint of step")
    wait_for(out, "metrics.jsonl: No space left on device: free some space or name another folder; its rows wait")
    with stopped(pid):
        said, newest = out.read_text(), list_checkpoints(run / "checkpoints")[0]
        check_checkpoint(newest, run_id=read_record(RunFolder(run)).run_id)
        filler.unlink()
    assert trials.end(pid) == 0, out.read_text()
    assert said.count("metrics.jsonl: No space left on device") == 1, "waiting rows are reported once"
    assert "Traceback" not in said and "Logging error" not in said
    difference = trials.first_difference(trials.ending(run), trials.ending(undisturbed))
    assert not difference, difference
    last = read_json(list_checkpoints(run / "checkpoints")[0] / "state.json")
    assert last["metrics_sha256"] == sha256_of(run / "metrics.jsonl")


@slow
@mounts
def test_the_last_checkpoint_is_required_even_if_the_run_may_continue(whole: Whole, tmp_path: Path, disk: Disk) -> None:
    disk.resize(600)
    run, out = disk.path / "run", tmp_path / "out"
    assert trials.end(trials.start(whole.corpus, run, whole.cache, CONTINUE, out=out)) == 5
    check_refused(out.read_text())
    assert "step-00000040" in out.read_text().splitlines()[-1] and out.read_text().count("continues without") > 5
    assert [path.name for path in list_checkpoints(run / "checkpoints")] == ["step-00000004"]
    assert read_status(RunFolder(run)) in (Status.FAILED, Status.INTERRUPTED)
    disk.resize(64_000)
    check_resumes(whole, run, CONTINUE, out=out)


@slow
@mounts
def test_the_checkpoint_of_a_requested_stop_is_required_even_if_the_run_may_continue(
    whole: Whole, tmp_path: Path, disk: Disk
) -> None:
    disk.resize(600)
    run, out = disk.path / "run", tmp_path / "out"
    ask = trials.at_call("tinystories_lm.training.loop.learning_rate", trials.send(signal.SIGTERM), count=14)
    assert trials.end(trials.start(whole.corpus, run, whole.cache, CONTINUE, out=out, first=ask)) == 5
    assert "step-00000013" in out.read_text().splitlines()[-1]


def test_half_a_line_of_metrics_is_cut_away_when_the_run_resumes(whole: Whole, tmp_path: Path) -> None:
    run = tmp_path / "run"
    ask = trials.at_call("tinystories_lm.training.loop.learning_rate", trials.send(signal.SIGKILL), count=14)
    assert trials.end(trials.start(whole.corpus, run, whole.cache, first=ask)) == -9
    for name in ("metrics.jsonl", "samples.jsonl"):
        with (run / name).open("a") as file:
            file.write('{"progress/step": 13, "val/lo')
    check_resumes(whole, run)


@slow
@mounts
def test_a_full_disk_under_the_output_of_a_run_ends_nothing(whole: Whole, tmp_path: Path, disk: Disk) -> None:
    disk.resize(4)
    run = tmp_path / "run"
    assert trials.end(trials.start(whole.corpus, run, whole.cache, out=disk.path / "out")) == 0
    assert not (difference := trials.first_difference(trials.ending(run), whole.ending)), difference


@slow
def test_a_folder_that_is_deleted_under_a_run_is_one_line(whole: Whole, tmp_path: Path) -> None:
    run = tmp_path / "run"
    strike = lambda: shutil.rmtree(run)  # noqa: E731
    delete = trials.at_call("tinystories_lm.training.loop.learning_rate", strike, count=14)
    assert trials.end(trials.start(whole.corpus, run, whole.cache, first=delete)) == 5, trials.said(run)
    check_refused(trials.said(run))


def test_an_export_that_does_not_fit_leaves_nothing(whole: Whole, tmp_path: Path) -> None:
    lower = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))  # noqa: E731
    out, folder = tmp_path / "out", tmp_path / "exported"
    assert trials.end(trials.begin(["export", str(whole.run), str(folder)], tmp_path, out=out, first=lower)) == 5
    check_refused(out.read_text())
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
