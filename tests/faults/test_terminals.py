"""Terminals that close, readers that go away, and Ctrl-C: what a person does to a run by hand."""

import fcntl
import os
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults import trials
from tests.faults.conftest import Whole
from tests.sweep.test_run import small
from tinystories_lm.run_folder import RunFolder, Status, read_status

US = "tinystories_lm"


class Terminal:
    """A pseudo-terminal, and what was written to it."""

    def __init__(self) -> None:
        self.master, self._slave = os.openpty()
        self.path = Path(os.ttyname(self._slave))
        self.said = ""

    def take(self) -> None:
        """Make it this process's terminal, in the child that it is for."""
        os.close(self.master)
        os.close(self._slave)
        os.setsid()
        fcntl.ioctl(2, termios.TIOCSCTTY, 0)

    def read_until(self, text: str) -> None:
        deadline = time.monotonic() + 60
        while text not in self.said:
            assert time.monotonic() < deadline, self.said
            self.said += os.read(self.master, 4096).decode(errors="replace")

    def close(self) -> None:
        os.close(self._slave)
        os.close(self.master)


@pytest.mark.parametrize("moment", ["learning", pytest.param("encoding", marks=pytest.mark.slow), "step"])
def test_a_run_goes_on_to_its_end_when_its_terminal_is_closed(whole: Whole, tmp_path: Path, moment: str) -> None:
    """With it come SIGHUP, and an error for every line and every move of the progress bar after."""
    run, terminal = tmp_path / "run", Terminal()
    word = {"learning": "tokenizer: training", "encoding": "validation: encoding", "step": "step 8/40"}[moment]
    pid = trials.start(
        whole.corpus, run, f"data.cache_dir={tmp_path / 'cache'}", out=terminal.path, first=terminal.take
    )
    terminal.read_until(word)
    terminal.close()
    assert trials.end(pid) == 0, (run / "train.log").read_text()
    assert not (difference := trials.first_difference(trials.ending(run), whole.ending)), difference


def test_a_run_goes_on_to_its_end_when_nobody_reads_it(whole: Whole, tmp_path: Path) -> None:
    """As after `2>&1 | head -1`."""
    run = tmp_path / "run"
    reader, writer = os.pipe()
    pid = trials.start(
        whole.corpus, run, whole.cache, out=Path(f"/dev/fd/{writer}"), first=lambda: (os.close(reader), os.close(writer))
    )
    os.close(writer)
    assert os.read(reader, 1)
    os.close(reader)
    assert trials.end(pid) == 0, (run / "train.log").read_text()
    assert not (difference := trials.first_difference(trials.ending(run), whole.ending)), difference


def test_a_run_without_standard_streams_leaves_its_files_alone(
    whole: Whole, tmp_path: Path, environment: dict[str, str]
) -> None:
    """A file that is opened in their place would get what is printed."""
    words = trials.settings(f"data.path={whole.corpus}", "hydra.run.dir=run", whole.cache)
    shell = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "-", sys.executable, "-m", US, "train", *words]
    assert subprocess.run(shell, cwd=tmp_path, env=environment).returncode == 0
    run = tmp_path / "run"
    assert not (difference := trials.first_difference(trials.ending(run), whole.ending)), difference
