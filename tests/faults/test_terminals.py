"""Terminals that close, readers that go away, and Ctrl-C: what a person does to a run by hand."""

import fcntl
import os
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.faults import trials
from tests.faults.conftest import Whole
from tests.sweeps.test_sweep import small
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.status import Status, read_status

US = "tinystories_lm"
slow = pytest.mark.slow


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


@pytest.mark.parametrize(
    "moment", ["learning", *(pytest.param(moment, marks=pytest.mark.slow) for moment in ("encoding", "step"))]
)
def test_a_run_continues_to_its_end_when_its_terminal_is_closed(whole: Whole, tmp_path: Path, moment: str) -> None:
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


def test_a_run_continues_to_its_end_when_nobody_reads_its_output(whole: Whole, tmp_path: Path) -> None:
    """As after `2>&1 | head -1`."""
    run = tmp_path / "run"
    reader, writer = os.pipe()
    pid = trials.start(
        whole.corpus,
        run,
        whole.cache,
        out=Path(f"/dev/fd/{writer}"),
        first=lambda: (os.close(reader), os.close(writer)),
    )
    os.close(writer)
    assert os.read(reader, 1)
    os.close(reader)
    assert trials.end(pid) == 0, (run / "train.log").read_text()
    assert not (difference := trials.first_difference(trials.ending(run), whole.ending)), difference


@slow
def test_a_run_without_standard_streams_leaves_its_files_alone(
    whole: Whole, tmp_path: Path, environment: dict[str, str]
) -> None:
    """A file that is opened in their place would get what is printed."""
    words = trials.settings(f"data.path={whole.corpus}", "hydra.run.dir=run", whole.cache)
    shell = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "-", sys.executable, "-m", US, "train", *words]
    assert subprocess.run(shell, cwd=tmp_path, env=environment).returncode == 0
    run = tmp_path / "run"
    assert not (difference := trials.first_difference(trials.ending(run), whole.ending)), difference


def left_of(mark: str) -> list[int]:
    """The processes that were started with this in their environment and are still there, zombies too."""
    psutil = pytest.importorskip("psutil")
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TRIAL") == mark:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


@slow
def test_ctrl_c_ends_a_sweep_with_its_running_member_saved_and_no_process_left(
    whole: Whole, tmp_path: Path, environment: dict[str, str]
) -> None:
    terminal, mark = Terminal(), str(tmp_path)
    long = ["training.steps=4000", "training.eval_every_steps=1000", "training.checkpoint_every_steps=100"]
    line = ["sweep", "seeds", *small(whole.corpus, "training.seed=0,1,2", *long)]
    with terminal.path.open("r+b", buffering=0) as slave:
        sweep = subprocess.Popen(
            [sys.executable, "-m", US, *line], cwd=tmp_path, env=environment | {"TRIAL": mark},
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
    until = time.monotonic() + 90
    while not list(tmp_path.glob("outputs/sweeps/seeds/*/checkpoints/step-*")):
        assert time.monotonic() < until and sweep.poll() is None
        time.sleep(0.05)
    os.write(terminal.master, b"\x03")
    assert sweep.wait(timeout=60) == 75
    terminal.read_until("stopped with 0 of 3 runs done; run the same command again")
    terminal.close()
    folders = list(tmp_path.glob("outputs/sweeps/seeds/*"))
    started = [RunFolder(path) for path in folders if (path / "status.json").exists()]
    assert len(folders) == 3 and [read_status(run) for run in started] == [Status.INTERRUPTED]
    until = time.monotonic() + 10  # multiprocessing's own two helpers leave when they see their parent gone
    while (left := left_of(mark)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not left


@slow
def test_ctrl_c_in_one_job_of_train_m_begins_no_other(whole: Whole, tmp_path: Path) -> None:
    jobs = ["-m", "training.seed=0,1", f"hydra.sweep.dir={tmp_path / 'sweep'}"]
    ask = trials.at_call(f"{US}.training.loop.learning_rate", trials.send(signal.SIGINT), count=5)
    assert trials.end(trials.start(whole.corpus, tmp_path / "run", whole.cache, *jobs, first=ask)) == 75
    assert [read_status(RunFolder(path.parent)) for path in tmp_path.glob("sweep/*/status.json")] == [
        Status.INTERRUPTED
    ]
    assert "Traceback" not in trials.said(tmp_path / "run")
    assert trials.end(trials.start(whole.corpus, tmp_path / "run", whole.cache, *jobs)) == 0
    first = next(path for path in tmp_path.glob("sweep/*/summary.json") if trials.ending(path.parent) == whole.ending)
    assert first.exists(), "the interrupted one ends as if it had not been"
