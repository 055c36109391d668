"""Runs of the command line beside a W&B that fails: no step is lost, one printed command completes the copy."""

import contextlib
import hashlib
import json
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import SMALL_RUN, WarmProcess
from tests.tracking.wandb_server import WandbServer

KEY = "a1b2c3d4e5" * 4
START_SECONDS, END_SECONDS = 10, 30  # what the documentation promises with the default timeouts
SHORT = ["tracking.init_timeout_seconds=2", "tracking.finish_timeout_seconds=2"]
ROWS_BEFORE = 20  # of a fault in the middle
LEFT_SECONDS = 6  # for Python itself to exit on a busy machine; without W&B it takes one to three
REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass
class Trial:
    """A run and a server, in a folder of its own."""

    folder: Path
    server: WandbServer
    environment: dict[str, str]
    stopped: list[int] = field(default_factory=list)  # processes that nobody else will end

    @property
    def run(self) -> Path:
        return self.folder / "run"

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(words, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=120)

    def rows(self) -> list[int]:
        return [json.loads(line)["progress/step"] for line in (self.run / "metrics.jsonl").read_text().splitlines()]

    def arrived(self) -> list[int]:
        """Return the steps of the newest run's rows at the server, in their order."""
        newest = [*self.server.runs.values()][-1]
        return [row["progress/step"] for row in newest.rows if "progress/step" in row]

    def service(self, child: int) -> int:
        """Return the process of W&B's service below the run's."""
        for _ in range(200):
            listed = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(child)], capture_output=True, text=True)
            for line in listed.stdout.splitlines():
                if "wandb-core" in line:
                    return int(line.split()[0])
            time.sleep(0.05)
        raise AssertionError("W&B's service was not started")


Fault = Callable[[Trial, int], object]


def refuse(status: int, what: str = "") -> Fault:
    def fail(trial: Trial, _: int) -> None:
        trial.server.status, trial.server.refused = status, what

    return fail


def late(trial: Trial, _: int) -> None:
    trial.server.delay_seconds = 5


def reset(trial: Trial, _: int) -> None:
    trial.server.resets = True


def at(url: str) -> Fault:
    return lambda trial, _: trial.environment.update(WANDB_BASE_URL=url)


def shadowed(module: str, text: str) -> Fault:
    """Put another module of this name before the real one."""

    def fail(trial: Trial, _: int) -> None:
        file = trial.folder / "shadow" / module
        file.parent.mkdir(parents=True)
        file.write_text(text)
        trial.environment["PYTHONPATH"] = f"{trial.folder / 'shadow'}{os.pathsep}{REPOSITORY}"

    return fail


def signalled(number: signal.Signals) -> Fault:
    def fail(trial: Trial, child: int) -> None:
        trial.stopped.append(trial.service(child))
        os.kill(trial.stopped[0], number)

    return fail


def full(trial: Trial, child: int) -> None:
    """Stop the service from writing, as on a full disk; the run itself still can."""
    if not hasattr(resource, "prlimit"):
        pytest.skip("another process's limits are Linux's")
    resource.prlimit(trial.service(child), resource.RLIMIT_FSIZE, (8000, 8000))


START: dict[str, Fault] = {
    "unreachable": lambda trial, _: trial.server.die(),
    "401": refuse(401),
    "500": refuse(500),
    "answering never": lambda trial, _: trial.server.hang(),
    "slow": late,
    "reset": reset,
    "no key": lambda trial, _: trial.environment.pop("WANDB_API_KEY"),
    "no such host": at("http://no-such-host.invalid"),
    "no url": at("nowhere"),
    "missing": shadowed("sitecustomize.py", "import sys; sys.modules['wandb'] = None"),
    "version clash": shadowed("wandb/__init__.py", "from pydantic import no_such_name"),
    "refusing tables": refuse(500, "Artifact|storage|CreateRunFiles"),
    "forbidding tables": refuse(403, "Artifact|storage|CreateRunFiles"),
}
MIDDLE: dict[str, Fault] = {
    "dying": START["unreachable"],
    "401 later": refuse(401),
    "500 later": refuse(500),
    "hanging later": START["answering never"],
    "slow later": late,
    "reset later": reset,
    "service killed": signalled(signal.SIGKILL),
    "service stopped": signalled(signal.SIGSTOP),
    "disk full": full,
}
KEPT_OFFLINE = {"unreachable", "401", "500", "answering never", "slow", "reset", "no key", "no such host"}  # whole


@pytest.fixture
def trial(tmp_path: Path, environment: dict[str, str]) -> Iterator[Trial]:
    with WandbServer() as server:
        mine = {"HOME": str(tmp_path / "home"), "WANDB_API_KEY": KEY, "WANDB_BASE_URL": server.url}
        paths = {"PYTHONPATH": str(REPOSITORY), "WANDB_X_DISABLE_STATS": "true"}
        trial = Trial(tmp_path, server, environment | mine | paths)
        yield trial
    for process in trial.stopped:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def settings(corpus: Path, *words: str) -> list[str]:
    """Return the settings of a small run, changed by `words`."""
    given = [*SMALL_RUN, f"data.path={corpus}", "hydra.run.dir=run", *words]
    return list({word.partition("=")[0]: word for word in given}.values())


def train(trial: Trial, words: list[str], middle: Fault | None = None) -> tuple[dict[str, float], str]:
    """Train, with a fault in the middle if given; return the seconds that tracking took, and standard error."""
    before, figures = dict(trial.environment), trial.folder / "figures.json"
    command = [sys.executable, "-m", "tests.jobs.timed_run", str(figures), "train", *words]
    with subprocess.Popen(command, cwd=trial.folder, env=before, stderr=subprocess.PIPE, text=True) as process:
        if middle is not None:
            while process.poll() is None and not has_rows(trial.run / "metrics.jsonl"):
                time.sleep(0.01)
            middle(trial, process.pid)
        _, errors = process.communicate(timeout=150)
        ended = time.time()
    assert process.returncode == 0, errors
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    assert f"port-{process.pid}.txt" not in listed, "the service is gone with its run"
    seconds = json.loads(figures.read_text())
    return seconds | {"left": ended - seconds["left"]}, errors


def has_rows(file: Path) -> bool:
    with contextlib.suppress(OSError):
        return file.read_bytes().count(b"\n") >= ROWS_BEFORE
    return False


def complete_copy(trial: Trial, errors: str) -> str:
    """Run the last command that the run printed, now that the server works; return its program."""
    words = shlex.split(re.findall(r"`((?:wandb sync|tinystories-lm upload) [^`]*)`", errors)[-1])
    trial.server.recover()
    trial.environment |= {"WANDB_BASE_URL": trial.server.url, "WANDB_API_KEY": KEY, "PYTHONPATH": str(REPOSITORY)}
    module = {"wandb": ["wandb", "sync", "--yes", *words[2:]], "tinystories-lm": ["tinystories_lm", *words[1:]]}
    done = trial.command(sys.executable, "-m", *module[words[0]])
    assert done.returncode == 0, done.stderr
    return words[0]


def weights(run: Path) -> str:
    newest = max((run / "checkpoints").glob("step-*"))
    return hashlib.sha256((newest / "model.safetensors").read_bytes()).hexdigest()


def test_without_the_package_a_run_is_complete_and_upload_sends_it_from_elsewhere(
    trial: Trial, corpus: Path, warm_process: WarmProcess
) -> None:
    START["missing"](trial, 0)
    _, errors = train(trial, settings(corpus, "tracking=wandb"))
    assert errors.count("W&B: the package is not installed") == 1
    assert errors.count("`tinystories-lm upload run` sends the rest") == 1
    (trial.run / "evaluation.json").write_text('{"val/loss": 1.25, "name": "run", "samples": []}')
    assert complete_copy(trial, errors) == "tinystories-lm"
    assert trial.arrived() == sorted(set(trial.rows()))
    (run,) = trial.server.runs.values()
    assert run.exit_code == 0 and run.summary["parameters"] > 0 and run.summary["evaluation/val/loss"] == 1.25
    assert run.config["training"]["steps"] == 12
    assert b"One day" in trial.server.files["artifact/samples.table.json"]
    again = warm_process.run(["upload", "run"], trial.folder, trial.environment, timeout=60)
    assert again.returncode == 0, again.stderr
    assert trial.arrived() == sorted(set(trial.rows()))
    trial.server.die()
    refused = warm_process.run(["upload", "nothing"], trial.folder, trial.environment, timeout=60)
    assert refused.returncode == 2 and "tinystories-lm: nothing: " in refused.stderr


@pytest.mark.slow
def test_rows_that_the_service_could_not_write_are_sent_from_the_run_folder(trial: Trial, corpus: Path) -> None:
    words = settings(corpus, "tracking=offline", "training.steps=200", "training.eval_every_steps=100", *SHORT)
    _, errors = train(trial, words, full)
    assert "wandb sync" not in errors
    assert complete_copy(trial, errors) == "tinystories-lm"
    assert trial.arrived() == sorted(set(trial.rows())) == list(range(0, 201, 2))


LONGER = ["training.steps=400", "training.eval_every_steps=100"]
LONGER_STEPS = list(range(0, 401, 2))  # of which it has rows


@pytest.fixture(scope="module")
def untracked(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the weights of the longer run without W&B."""
    folder = tmp_path_factory.mktemp("untracked")
    words = [sys.executable, "-m", "tinystories_lm", "train", *settings(corpus, *LONGER)]
    subprocess.run(words, cwd=folder, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, check=True, capture_output=True)
    return weights(folder / "run")


@pytest.mark.slow
@pytest.mark.parametrize("fault", [*START, *MIDDLE])
def test_with_the_default_timeouts_nothing_is_lost_and_little_time(
    fault: str, trial: Trial, corpus: Path, untracked: str
) -> None:
    mode = "tracking=online" if fault in ("no key", "no url") else "tracking=wandb"
    words = settings(corpus, *LONGER, mode)
    if fault in START:
        START[fault](trial, 0)
    seconds, errors = train(trial, words, MIDDLE.get(fault))
    assert seconds["start"] < START_SECONDS
    assert seconds["end"] + seconds["left"] < END_SECONDS + LEFT_SECONDS and seconds["end"] < END_SECONDS - 3
    assert "Traceback" not in errors
    assert sorted(set(trial.rows())) == LONGER_STEPS
    assert weights(trial.run) == untracked
    assert (complete_copy(trial, errors) == "wandb") == (fault in KEPT_OFFLINE)
    assert trial.arrived() == LONGER_STEPS
    run = [*trial.server.runs.values()][-1]
    assert run.exit_code == 0 and "val/bits_per_byte" in run.summary


@pytest.mark.slow
@pytest.mark.parametrize("fault", [None, "hanging later", "service killed"])
def test_the_tracker_takes_less_than_a_hundredth_of_the_time(fault: str | None, trial: Trial) -> None:
    """Its calls take time of the loop, and its thread of the interpreter; measured in a run of the default model."""
    words = ["training.steps=60", "training.batch_size=4", "training.eval_every_steps=30", "training.log_every_steps=2"]
    small = ["data.vocab_size=512", "training.eval_tokens=4096", "sampling.max_tokens=16", "hydra.run.dir=run"]
    here = ["hardware=cpu", "hardware.threads=1", "tracking.init_timeout_seconds=60"]  # the start counts apart
    seconds, _ = train(trial, [*words, *small, *here], None if fault is None else MIDDLE[fault])
    assert seconds["loop"] + seconds["thread"] < 0.01 * seconds["train"], seconds


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root mounts a small disk")
@pytest.mark.parametrize("size", ["4k", "40k"])
@pytest.mark.parametrize("mode", ["offline", "online"])
def test_a_full_disk_below_wandb_costs_no_row(size: str, mode: str, trial: Trial, corpus: Path) -> None:
    disk = trial.run / "wandb"
    disk.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    try:
        seconds, errors = train(trial, settings(corpus, *LONGER, f"tracking={mode}"))
        assert seconds["start"] < START_SECONDS and seconds["end"] < END_SECONDS - 3
        subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
        complete_copy(trial, errors)
        assert trial.arrived() == sorted(set(trial.rows())) == LONGER_STEPS
    finally:
        subprocess.run(["umount", str(disk)], check=True)
