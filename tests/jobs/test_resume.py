"""A run that stopped is resumed: found by its command or its name, with the same numbers."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.faults import trials
from tests.jobs.test_train import arguments, numbers, weights
from tests.warm_process import warm
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.status import Status, read_status, write_status
from tinystories_lm.system.json_files import read_json


@pytest.mark.slow
def test_a_run_killed_twice_ends_with_the_numbers_of_one_that_was_not(
    command: Command, corpus: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    more = ("training.steps=60", "training.batch_size=8", "training.micro_batch_size=4")
    whole = command(*arguments(corpus, "whole", *more))
    assert whole.returncode == 0, whole.stderr
    for stop, code in ((signal.SIGKILL, -9), (signal.SIGTERM, 75)):
        rows_before = len(numbers(tmp_path / "cut")) if (tmp_path / "cut").exists() else 0
        process = subprocess.Popen(
            [sys.executable, "-m", "tinystories_lm", *arguments(corpus, "cut", *more)],
            cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        wait_for_rows(tmp_path / "cut", rows_before + 8)
        process.send_signal(stop)
        _, said = process.communicate(timeout=60)
        assert process.returncode == code, said
        assert read_status(RunFolder(tmp_path / "cut")) is Status.INTERRUPTED
    resumed = command(*arguments(corpus, "cut", *more))
    assert resumed.returncode == 0, resumed.stderr
    assert "resuming from step" in resumed.stderr
    assert numbers(tmp_path / "cut") == numbers(tmp_path / "whole")
    assert weights(tmp_path / "cut") == weights(tmp_path / "whole")
    summary = json.loads((tmp_path / "cut" / "summary.json").read_text())
    assert summary["exact"] and summary["pieces"] == 3


def wait_for_rows(run: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while not (run / "metrics.jsonl").exists() or len(numbers(run)) < count:
        assert time.monotonic() < deadline, "the run wrote nothing"
        time.sleep(0.02)


def test_the_same_command_finds_the_interrupted_run(command: Command, corpus: Path, tmp_path: Path) -> None:
    warm()
    same = [a for a in arguments(corpus, "", "training.steps=40") if not a.startswith("hydra.run.dir")]
    pid = trials.begin(same, tmp_path, out=tmp_path / "out", first=trials.alone)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("outputs/run/*/checkpoints/step-*")):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(pid, signal.SIGSTOP)  # it holds the folder while others ask for it
    in_use = command(*same, f"hydra.run.dir={next(tmp_path.glob('outputs/run/*'))}")
    assert in_use.returncode == 8 and str(pid) in in_use.stderr
    os.kill(pid, signal.SIGKILL)
    assert trials.end(pid) == -signal.SIGKILL
    resumed = command(*same)
    assert resumed.returncode == 0 and "resuming the interrupted run" in resumed.stderr
    assert len(list(tmp_path.glob("outputs/run/*"))) == 1
    fresh = command(*same)
    assert fresh.returncode == 0
    assert len(list(tmp_path.glob("outputs/run/*"))) == 2, "a finished run is not resumed"


def test_a_finished_run_continues_with_more_steps_and_with_no_other_change(
    command: Command, corpus: Path, tmp_path: Path
) -> None:
    assert command(*arguments(corpus, "run")).returncode == 0
    before = (tmp_path / "run" / ".hydra" / "overrides.yaml").read_text()
    refused = command(*arguments(corpus, "run", "optimizer.lr=5e-4"))
    assert refused.returncode == 2
    assert "optimizer.lr=0.001, now it is 0.0005" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    assert (tmp_path / "run" / ".hydra" / "overrides.yaml").read_text() == before, "Hydra's record is the first one's"
    fresh = command(*arguments(corpus, "run", "training.fresh=true"))
    assert fresh.returncode == 2
    longer = command(*arguments(corpus, "run", "training.steps=16"))
    assert longer.returncode == 0, longer.stderr
    assert [row["progress/step"] for row in numbers(tmp_path / "run") if "val/loss" in row] == [0, 4, 8, 12, 16]
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["exact"] is False


def test_an_interrupted_run_of_another_text_is_not_resumed(command: Command, corpus: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(corpus, own)
    base = [a for a in arguments(own, "") if not a.startswith("hydra.run.dir")]
    assert command(*base).returncode == 0
    (first,) = map(RunFolder, tmp_path.glob("outputs/run/*"))
    write_status(first, Status.INTERRUPTED, reason="signal", step=4)
    for file in own.iterdir():
        file.write_text(file.read_text().replace("Tom", "Kim"))
    new = command(*base)
    assert new.returncode == 0 and "this run is not resumed" in new.stderr
    assert len(list(tmp_path.glob("outputs/run/*"))) == 2


def test_a_run_resumes_and_is_replayed_from_the_weights_it_started_with_whatever_their_name_means_now(
    command: Command, corpus: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    folder = tmp_path / "outputs/a"
    assert command(*arguments(corpus, "outputs/a/first")).returncode == 0
    second = arguments(corpus, "outputs/a/second", "training.init_from=latest")
    environment["TSLM_FAULT"] = "step:2:kill"
    assert command(*second).returncode == -9 and not list(folder.glob("second/checkpoints/step-*"))
    del environment["TSLM_FAULT"]
    assert command(*arguments(corpus, "outputs/a/third", "training.seed=3")).returncode == 0
    done = command(*second)
    assert done.returncode == 0, done.stderr
    assert numbers(folder / "second")[0]["val/loss"] == numbers(folder / "first")[-1]["val/loss"]
    replayed = command("replay", "outputs/a/second")
    assert replayed.returncode == 0 and replayed.stdout.startswith("identical"), replayed.stdout + replayed.stderr
    lost = [word.replace("second", "fourth") for word in second]
    environment["TSLM_FAULT"] = "step:2:kill"
    assert command(*lost).returncode == -9
    del environment["TSLM_FAULT"]
    source = tmp_path / read_json(folder / "fourth/environment.json")["init_from"]["checkpoint"]
    weights = source / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    refused = command(*lost)
    assert refused.returncode == 2 and "has changed since the run started with its weights" in refused.stderr


def test_a_run_is_resumed_by_its_name(command: Command, corpus: Path, tmp_path: Path) -> None:
    assert command(*arguments(corpus, "outputs/small/a run", "training.steps=4")).returncode == 0
    longer = command("train", "small", "training.steps=8")
    assert longer.returncode == 0 and "extended from 4 to 8" in longer.stderr, longer.stderr
    run = RunFolder(tmp_path / "outputs" / "small" / "a run")
    assert numbers(run.path)[-1]["progress/step"] == 8
    again = command("train", "latest")
    assert again.returncode == 0 and "story 3" in again.stderr, "the command that extended it is remembered"
    wrong = command("train", "smal", "training.steps=8")
    assert wrong.returncode == 2 and "smal: there is no such run; did you mean small?" in wrong.stderr
