"""Searches by the command line: planned, trained, paused, killed, resumed, compared."""

import json
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SMALL_RUN, Command
from tests.jobs.test_train import numbers
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.status import Status, read_status

pytest.importorskip("optuna", reason="optuna is not installed")
RANGES = ["optimizer.lr=tag(log,interval(1e-3,1e-1))", "optimizer.weight_decay=interval(0,0.3)"]


def line(corpus: Path, *more: str) -> list[str]:
    kept = [override for override in SMALL_RUN if override.split("=")[0] != "training.steps"]
    return ["sweep", "seeds", *kept, "training.steps=36", "training.seed=0", f"data.path={corpus}", *RANGES, *more]


def rows(answer: "subprocess.CompletedProcess[str]") -> list[dict[str, Any]]:
    assert answer.returncode == 0, answer.stderr
    return [json.loads(row) for row in answer.stdout.splitlines()]


def test_two_trials_pause_and_the_better_one_finishes(command: Command, corpus: Path, tmp_path: Path) -> None:
    flags = ["training.steps=12", "--search", "2", "--prune", "--json"]
    words = [word for word in line(corpus) if not word.startswith("training.steps")]
    found = rows(command(*words, *flags))
    worse, better = sorted(found, key=lambda row: -row["losses"]["4"])
    assert (worse["status"], better["status"]) == ("paused", "done") and better["val/loss"] < better["losses"]["4"]
    run = RunFolder(tmp_path / worse["run"])
    assert read_status(run) is Status.INTERRUPTED and list(run.checkpoints.glob("step-00000004"))


@pytest.mark.slow
def test_a_search_is_planned_trained_and_the_best_can_be_trained_again(
    command: Command, corpus: Path, tmp_path: Path
) -> None:
    planned = command(*line(corpus, "--search", "3", "--prune", "--dry-run"))
    assert planned.returncode == 0 and "3 trials, 0 over; 3 to go: at most about" in planned.stderr
    assert "step 4 and 12 of 36" in planned.stderr and not (tmp_path / "outputs" / "sweeps").exists()
    answer = command(*line(corpus, "--search", "3", "--prune"))
    assert answer.returncode == 0, answer.stderr
    found = rows(command(*line(corpus, "--search", "3", "--prune", "--json")))
    assert [row["optimizer.lr"] in planned.stderr for row in found] == [True] * 3, "the dry run shows what is drawn"
    best = min((row for row in found if row["status"] == "done"), key=lambda row: row["val/loss"])
    paused = [row for row in found if row["status"] == "paused"]
    assert (
        len(paused) == 2
        and "2 paused" in answer.stdout
        and answer.stdout.splitlines()[2].split()[0] == str(best["trial"])
    )
    for row in paused:
        assert row["losses"]["4"] >= best["losses"]["4"], "at the first rung the best of three continued"
        run = RunFolder(tmp_path / row["run"])
        assert read_status(run) is Status.INTERRUPTED and list(run.checkpoints.glob("step-*"))
    again = next(row for row in answer.stderr.splitlines() if row.startswith("  tinystories-lm train"))
    assert command(*shlex.split(again)[1:], "hydra.run.dir=alone").returncode == 0
    assert numbers(tmp_path / "alone") == numbers(tmp_path / best["run"]), "two pauses have changed no number"
    continued = command("train", paused[0]["run"])
    assert continued.returncode == 0 and read_status(RunFolder(tmp_path / paused[0]["run"])) is Status.DONE


@pytest.mark.slow
@pytest.mark.parametrize("flags", [[], ["--prune"]])
def test_a_search_killed_again_and_again_ends_as_the_undisturbed_one(
    command: Command, corpus: Path, tmp_path: Path, environment: dict[str, str], flags: list[str]
) -> None:
    whole = rows(command(*line(corpus, "--search", "4", *flags, "hydra.sweep.dir=study", "--json"), timeout=300))
    (tmp_path / "study").rename(tmp_path / "whole")
    again, killed, choose = (
        line(corpus, "--search", "4", *flags, "hydra.sweep.dir=study", "--json"),
        0,
        random.Random(0),
    )
    for _ in range(4):
        started = subprocess.Popen(
            [sys.executable, "-m", "tinystories_lm", *again],
            cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(choose.uniform(5, 11))
        killed += started.poll() is None
        os.kill(started.pid, signal.SIGKILL)
        started.wait()
    assert rows(command(*again, timeout=300)) == whole and killed


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["hydra/launcher=slurm"], "starts its own trials"),
        (["--prune", "training.batch_size=2,4"], "after equal tokens"),
        (["training.steps=30,30000000"], "raise training.max_hours"),
        (["model.n_heads=3,5"], "is not a multiple"),
    ],
)
def test_a_search_that_cannot_be_is_one_line_and_starts_nothing(
    command: Command, corpus: Path, tmp_path: Path, more: list[str], message: str
) -> None:
    changed = {word.split("=")[0] for word in more}
    words = [word for word in line(corpus) if word.split("=")[0] not in changed]
    refused = command(*words, "--search", "3", *more)
    assert refused.returncode == 2 and message in refused.stderr.splitlines()[-1], refused.stderr
    assert "Traceback" not in refused.stderr and not (tmp_path / "outputs").exists()
