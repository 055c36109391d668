"""After a power failure, or once a disk has turned read-only, the data on the disk is enough to resume a run."""

import contextlib
import fcntl
import os
import random
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults import trials
from tests.faults.conftest import Whole
from tests.faults.test_disk import CAN_MOUNT, check_refused
from tinystories_lm.runs.checkpoint import check_checkpoint, list_checkpoints
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.records import read_record

SLOW = pytest.mark.slow
SHUTDOWN, WITHOUT_ITS_JOURNAL = 0x8004587D, struct.pack("I", 2)  # ioctl EXT4_IOC_SHUTDOWN, EXT4_GOING_FLAGS_NOLOGFLUSH
STEP = "tinystories_lm.training.loop.learning_rate"


class Disk:
    """An ext4 file system that writes to its device only when asked to, for minutes."""

    def __init__(self, path: Path) -> None:
        self.path, self.image = path, path.with_suffix(".img")
        path.mkdir()
        with self.image.open("wb") as file:
            file.truncate(64 << 20)
        self._run("mkfs.ext4", "-q", self.image)
        self.mount()

    def _run(self, *command: str | Path) -> None:
        subprocess.run(command, check=True, capture_output=True)

    def mount(self) -> None:
        self._run("mount", "-o", "loop,noauto_da_alloc,commit=300", self.image, self.path)

    def unmount(self) -> None:
        for _ in range(100):  # until the killed process has released its files
            with contextlib.suppress(subprocess.CalledProcessError):
                return self._run("umount", self.path)
            time.sleep(0.02)
        self._run("umount", "--lazy", self.path)

    def turn_read_only(self) -> None:
        """Do what the system does after an error of the device."""
        self._run("mount", "-o", "remount,abort", self.path)

    def cut_the_power(self) -> None:
        """Keep everything from the device from now on, and lose what has not reached it yet."""
        descriptor = os.open(self.path, os.O_RDONLY)
        fcntl.ioctl(descriptor, SHUTDOWN, WITHOUT_ITS_JOURNAL)
        os.close(descriptor)

    def start_again(self) -> None:
        """Mount what is on the device."""
        self.unmount()
        subprocess.run(["fsck.ext4", "-fy", self.image], capture_output=True)  # it exits with 1 after a repair
        self.mount()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if not CAN_MOUNT:
        pytest.skip("mounts a file system of its own, for which it must be root on Linux")
    try:
        made = Disk(tmp_path / "disk")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no ext4 file system in a file here: {error}")
    yield made
    made.unmount()


def check_ends_with_the_same_bits(whole: Whole, run: Path, cache: str, out: Path) -> None:
    out.unlink(missing_ok=True)
    code = trials.end(trials.start(whole.corpus, run, cache, out=out))
    assert code == 0, out.read_text()
    assert not (difference := trials.first_difference(trials.ending(run), whole.ending)), difference


@pytest.mark.parametrize("numbers", [range(1), pytest.param(range(1, 100), marks=SLOW)], ids=["1", "99 more"])
def test_power_that_fails_at_random_moments_moves_no_bit(
    whole: Whole, tmp_path: Path, disk: Disk, numbers: range
) -> None:
    """The corpus is prepared on that disk too in every second trial."""
    out, killed = tmp_path / "out", 0
    for number in numbers:
        choose = random.Random(number)
        run = disk.path / f"run{number}"
        cache = whole.cache if number % 2 else f"data.cache_dir={disk.path / f'cache{number}'}"
        for _ in range(choose.choice([1, 1, 2, 4])):
            pid = trials.start(whole.corpus, run, cache, out=out)
            time.sleep(choose.uniform(0, 1.3 * whole.seconds))
            disk.cut_the_power()
            os.kill(pid, signal.SIGKILL)
            killed += trials.end(pid) < 0
            disk.start_again()
        check_ends_with_the_same_bits(whole, run, cache, out)
        for folder in disk.path.glob("*[0-9]"):
            shutil.rmtree(folder)
    assert len(numbers) == 1 or killed > len(numbers) / 2


def lose_power_at_write(disk: Disk, run: Path, notes: Path, count: int) -> Callable[[], None]:
    """Cut the power at a run's count-th failpoint, and note elsewhere which checkpoints it had by then."""

    def strike() -> None:
        notes.write_text("\n".join(path.name for path in list_checkpoints(run / "checkpoints")))
        disk.cut_the_power()
        os.kill(os.getpid(), signal.SIGKILL)

    return trials.at_call("tinystories_lm.system.failpoints.hit", strike, count=count)


WRITES = range(1, 1000)  # more than a run has


@pytest.mark.parametrize("first", [None, *(pytest.param(first, marks=SLOW) for first in range(12))])
def test_power_that_fails_within_a_write_loses_no_checkpoint_before(
    whole: Whole, tmp_path: Path, disk: Disk, first: int | None
) -> None:
    """The power fails at each failpoint of a run."""
    out, notes = tmp_path / "out", tmp_path / "notes"
    for count in [40] if first is None else WRITES[first::12]:
        run = disk.path / f"run{count}"
        lose = lose_power_at_write(disk, run, notes, count)
        if (code := trials.end(trials.start(whole.corpus, run, whole.cache, out=out, first=lose))) == 0:
            return
        assert code == -signal.SIGKILL, out.read_text()
        disk.start_again()
        for name in notes.read_text().split()[1:]:  # the newest may have been on its way
            check_checkpoint(run / "checkpoints" / name, run_id=read_record(RunFolder(run)).run_id)
        check_ends_with_the_same_bits(whole, run, whole.cache, out)


@pytest.mark.parametrize("count", [14, *(pytest.param(count, marks=SLOW) for count in (1, 2, 8, 9, 40))])
def test_a_disk_that_turns_read_only_is_one_line(whole: Whole, tmp_path: Path, disk: Disk, count: int) -> None:
    run, out = disk.path / "run", tmp_path / "out"
    turn = trials.at_call(STEP, disk.turn_read_only, count=count)
    assert trials.end(trials.start(whole.corpus, run, whole.cache, out=out, first=turn)) == 5, out.read_text()
    check_refused(out.read_text())
    disk.start_again()
    check_ends_with_the_same_bits(whole, run, whole.cache, out)


@SLOW
def test_a_disk_that_turns_read_only_under_a_run_that_may_continue(whole: Whole, tmp_path: Path, disk: Disk) -> None:
    """It trains to its last step, whose checkpoint needs a disk."""
    run, out = disk.path / "run", tmp_path / "out"
    words, turn = "training.on_write_error=continue", trials.at_call(STEP, disk.turn_read_only, count=14)
    assert trials.end(trials.start(whole.corpus, run, whole.cache, words, out=out, first=turn)) == 5
    check_refused(out.read_text())
    assert "training continues without a checkpoint of step 36" in out.read_text()
    disk.start_again()
    check_ends_with_the_same_bits(whole, run, whole.cache, out)
