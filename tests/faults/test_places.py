"""Numbers depend neither on where a run lies, nor on others who want the folder, nor on the clock."""

import datetime
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import trials
from tests.faults.conftest import Whole
from tinystories_lm.config.overrides import as_text
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.status import Status, read_status

slow = pytest.mark.slow
STEP = "tinystories_lm.training.loop.learning_rate"


def interrupted(whole: Whole, run: Path, *more: str) -> None:
    """Train until the run is stopped after its 13th step."""
    ask = trials.at_call(STEP, trials.send(signal.SIGTERM), count=14)
    assert trials.end(trials.start(whole.corpus, run, whole.cache, *more, first=ask)) == 75, trials.said(run)


def check_resumes(whole: Whole, run: Path, *more: str, first: Callable[[], object] = lambda: None) -> None:
    assert trials.end(trials.start(whole.corpus, run, whole.cache, *more, first=first)) == 0, trials.said(run)
    assert "resuming from step 13" in trials.said(run)
    assert not (difference := trials.first_difference(trials.ending(run), whole.ending)), difference


def test_a_second_run_in_a_folder_is_refused_at_once_with_the_pid_of_the_first(whole: Whole, tmp_path: Path) -> None:
    run = tmp_path / "run"
    hold = trials.at_call(STEP, trials.send(signal.SIGSTOP), count=5)
    first = trials.start(whole.corpus, run, whole.cache, first=hold)
    os.waitpid(first, os.WUNTRACED)
    began = time.monotonic()
    assert trials.end(trials.start(whole.corpus, run, whole.cache, out=tmp_path / "second")) == 8
    assert time.monotonic() - began < 20
    said = (tmp_path / "second").read_text()
    assert f"is in use by process {first} " in said and len(said.splitlines()) == 1
    os.kill(first, signal.SIGCONT)
    assert trials.end(first) == 0
    assert not (difference := trials.first_difference(trials.ending(run), whole.ending)), difference


@slow
def test_runs_that_are_started_at_once_get_a_folder_each(whole: Whole, tmp_path: Path) -> None:
    words = [word for word in trials.settings(f"data.path={whole.corpus}", whole.cache) if "run.dir" not in word]
    outs = [tmp_path / f"out{number}" for number in range(2)]
    pids = [trials.begin(["train", *words], tmp_path, out=out) for out in outs]
    assert [trials.end(pid) for pid in pids] == [0, 0], [out.read_text() for out in outs]
    runs = list(tmp_path.glob("outputs/run/*"))
    assert [trials.ending(run) for run in runs] == [whole.ending] * 2


@slow
@pytest.mark.parametrize("holder", ["dead", "elsewhere", "reused"])
def test_a_lock_that_was_left_behind_locks_nothing(whole: Whole, tmp_path: Path, holder: str) -> None:
    """The system frees a lock when its holder ends, whatever stands in the file."""
    interrupted(whole, run := tmp_path / "run")
    pid = {"dead": 2**22 - 1, "elsewhere": 1, "reused": os.getpid()}[holder]
    host = "another" if holder == "elsewhere" else socket.gethostname()
    (run / ".lock").write_text(json.dumps({"pid": pid, "host": host, "since": "2020-01-01 00:00:00"}) + " " * 500)
    assert read_status(RunFolder(run)) is Status.INTERRUPTED
    check_resumes(whole, run)


def set_back() -> None:
    """Set the clock back by a year, and by another hour now and then."""
    real, calls = time.time, 0

    def late() -> float:
        nonlocal calls
        calls += 1
        return real() - 365 * 86_400 - 3600 * (calls // 20)

    time.time = late
    time.time_ns = lambda: int(late() * 1e9)
    os.environ["TZ"] = "Pacific/Kiritimati"
    time.tzset()


@slow
def test_a_clock_that_is_set_back_and_another_time_zone_move_nothing(whole: Whole, tmp_path: Path) -> None:
    run = tmp_path / "run"
    interrupted(whole, run)
    later = time.time() + 86_400
    for path in (run, *run.rglob("*")):
        os.utime(path, (later, later))
    check_resumes(whole, run, first=set_back)
    seconds = [row["time/train_seconds"] for row in trials.read_rows(run)]
    assert seconds == sorted(seconds) and seconds[0] >= 0


@slow
def test_a_run_that_was_moved_resumes_and_so_does_one_that_is_reached_by_a_link(whole: Whole, tmp_path: Path) -> None:
    interrupted(whole, tmp_path / "before")
    (tmp_path / "else where").mkdir()
    shutil.move(tmp_path / "before", tmp_path / "else where" / "after")
    (tmp_path / "link").symlink_to(tmp_path / "else where" / "after", target_is_directory=True)
    check_resumes(whole, tmp_path / "link")
    assert (tmp_path / "else where" / "after" / "summary.json").exists()


NAMES = [
    "a run, ü",
    'it\'s "one"',
    "a=b,c",
    "[x]{y: z}",
    "$HOME $(x) ~",
    "back\\slash\\",
    "物語 🐈",
    "line\nbreak",
    "#!;&|<>*?",
    " blanks at both ends ",
    "-m",
    "n" * 255,
]


@slow
@pytest.mark.parametrize("name", NAMES)
def test_a_run_and_its_corpus_may_lie_under_any_name(whole: Whole, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    run, corpus = folder / name, folder / "corpus" / name
    shutil.copytree(whole.corpus, corpus)
    places = [f"data.path={as_text(str(corpus))}", f"hydra.run.dir={as_text(str(run))}", whole.cache]
    words, out = trials.settings(*places), tmp_path / "out"
    stop = trials.at_call(STEP, trials.send(signal.SIGTERM), count=14)
    assert trials.end(trials.begin(["train", *words], folder, out=out, first=stop)) == 75, out.read_text()
    assert trials.end(trials.begin(["train", *words], folder, out=out)) == 0, out.read_text()
    assert not (difference := trials.first_difference(trials.ending(run), whole.ending)), difference
    assert sorted(path.name for path in folder.iterdir()) == sorted({"corpus", name})


@slow
def test_the_last_line_of_a_run_is_a_shell_command_that_continues_it(whole: Whole, tmp_path: Path) -> None:
    run, out = tmp_path / "it's a=b, [ü] $x", tmp_path / "out"
    words = trials.settings(f"data.path={whole.corpus}", f"hydra.run.dir={as_text(str(run))}", whole.cache)
    assert trials.end(trials.begin(["train", *words], tmp_path, out=out)) == 0
    line = next(line for line in out.read_text().splitlines() if line.startswith("  tinystories-lm train"))
    python = f"{sys.executable} -m tinystories_lm"
    again = subprocess.run(
        ["sh", "-c", line.replace("tinystories-lm", python, 1) + " --cfg hydra --package hydra.run"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert run.name in again.stdout


@slow
def test_a_path_of_300_characters_works_and_a_name_of_256_is_refused(whole: Whole, tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["n" * 60] * 5)
    deep.mkdir(parents=True)
    interrupted(whole, deep / "run")
    check_resumes(whole, deep / "run")
    for place in (f"hydra.run.dir={tmp_path / ('n' * 256)}", f"data.path={tmp_path / ('n' * 256)}",
                  f"data.cache_dir={tmp_path / ('n' * 256)}", f"hydra.run.dir={tmp_path}/{'n/' * 2500}"):  # fmt: skip
        out = tmp_path / "out"
        code = trials.end(trials.start(whole.corpus, tmp_path / "new", whole.cache, place, out=out))
        assert code in (2, 5) and "Traceback" not in out.read_text(), out.read_text()
        assert out.read_text().splitlines()[-1].startswith("tinystories-lm: ")
        out.unlink()


@pytest.mark.parametrize("setting", ["sampling.prompts=['the \\${oc.env:HOME}']", "hydra.run.dir='\\${oc.env:HOME}'"])
def test_a_text_that_would_be_an_interpolation_is_refused(whole: Whole, tmp_path: Path, setting: str) -> None:
    """A stored config would ask for it when it is read, and Hydra would run in another folder than the one we hold."""
    out = tmp_path / "out"
    assert trials.end(trials.start(whole.corpus, tmp_path / "run", whole.cache, setting, out=out)) == 2
    assert setting.replace("\\", "").replace("dir='", "dir=").rstrip("'") in out.read_text()
    assert len(out.read_text().splitlines()) == 1 and [path.name for path in tmp_path.iterdir()] == ["out"]


@slow
def test_thousands_of_run_folders_do_not_slow_the_start(whole: Whole, tmp_path: Path) -> None:
    """A start looks for an interrupted run, and `runs` reads them all."""
    words = [word for word in trials.settings(f"data.path={whole.corpus}", whole.cache) if "run.dir" not in word]

    def seconds(*arguments: str) -> float:
        began = time.monotonic()
        assert trials.end(trials.begin(list(arguments), tmp_path, out=tmp_path / "out")) == 0
        return time.monotonic() - began

    alone = min(seconds("train", *words, "training.fresh=true") for _ in range(3))
    (one, *_) = tmp_path.glob("outputs/run/*")
    for number in range(2500):
        day = datetime.date(2020, 1, 1) + datetime.timedelta(days=number)
        copy = tmp_path / f"outputs/preset{number % 5}/{day}_12-00-00_{number:08x}"
        shutil.copytree(one, copy, ignore=shutil.ignore_patterns("checkpoints"))
    among = min(seconds("train", *words) for _ in range(3))
    listed = seconds("runs")
    print(f"train: {alone:.2f} s alone, {among:.2f} s among 2,500; runs: {listed:.2f} s")
    assert among < alone + 1.0 and listed < 20
