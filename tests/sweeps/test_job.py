"""What Hydra's sweepers and callbacks learn of a job: its loss, or that it failed."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.types import RunMode

from tests.conftest import Command
from tests.sweeps.test_sweep import small
from tinystories_lm.config.compose import register
from tinystories_lm.config.hydra_session import hydra_session
from tinystories_lm.runs.folder import RunFolder, read_config
from tinystories_lm.runs.status import Status, read_status
from tinystories_lm.sweeps.sweep import CheckedLoader
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.json_files import read_json

PLUGINS = Path(__file__).parent / "plugins"
SHORT = ("training.steps=4", "sampling.max_tokens=1")


@pytest.mark.parametrize("launcher", ["basic", pytest.param("processes", marks=pytest.mark.slow)])
def test_a_sweeper_that_learns_from_losses_chooses_its_jobs(
    corpus: Path, tmp_path: Path, environment: dict[str, str], launcher: str
) -> None:
    environment["PYTHONPATH"] = os.pathsep.join([str(PLUGINS), *sys.path])
    typed = ["train", "-m", *small(corpus, *SHORT), "hydra/sweeper=halving", f"hydra/launcher={launcher}"]

    def command() -> "subprocess.CompletedProcess[str]":
        words = [sys.executable, "-m", "tinystories_lm", *typed]
        return subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)

    found = command()
    assert found.returncode == 0, found.stderr
    runs = [RunFolder(path.parent) for path in tmp_path.glob("outputs/sweeps/run/*/summary.json")]
    losses = {read_config(run).optimizer.lr: read_json(run.summary)["val/loss"] for run in runs}
    best = min(losses, key=lambda lr: losses[lr])
    assert len(losses) == 4 and {0.005, 0.02} < set(losses)
    assert json.loads(found.stdout.splitlines()[-1]) == {"optimizer.lr": best, "loss": losses[best]}
    again = command()
    assert again.stdout.splitlines()[-1] == found.stdout.splitlines()[-1], "what is done is not trained again"
    assert " 4/4 |" not in again.stderr


def test_a_job_that_failed_has_failed_for_hydra_too(
    command: Command, corpus: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    log = "+hydra.callbacks.log._target_=hydra.experimental.callbacks.LogJobReturnCallback"
    environment["TSLM_FAULT"] = "step:3:raise"
    done = command("train", *small(corpus, *SHORT), log, "hydra.run.dir=run")
    assert done.returncode == 1 and "Succeeded" not in done.stderr
    assert "RuntimeError: a fault on request" in (tmp_path / "run" / "train.log").read_text(), "the callback's line"
    assert read_status(RunFolder(tmp_path / "run")) is Status.FAILED
    del environment["TSLM_FAULT"]
    done = command("train", *small(corpus, *SHORT), log, "hydra.run.dir=run")
    assert done.returncode == 0 and "Succeeded with return value" in done.stderr


def test_a_batch_with_a_failure_keeps_no_other_from_starting(
    command: Command, corpus: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    environment["TSLM_FAULT"] = "step:3:raise"
    swept = command("train", "-m", *small(corpus, *SHORT), "training.seed=0,1", "hydra.sweeper.max_batch_size=1")
    assert swept.returncode == 1 and "1 of 2 jobs failed, 1 done" in swept.stderr.splitlines()[-1]


def test_a_job_that_a_sweeper_chose_names_no_code(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    code = "hydra:\n  job_logging:\n    handlers:\n      console: {(): os.system, command: touch pwned}\n"
    (tmp_path / "experiment" / "evil.yaml").write_text(f"# @package _global_\n{code}")
    register()
    with hydra_session(str(tmp_path)) as hydra:
        master = hydra.compose_config("config", [], run_mode=RunMode.MULTIRUN)
        loader = pickle.loads(pickle.dumps(CheckedLoader(hydra.config_loader)))  # as workers get it
        assert loader.load_sweep_config(master, ["training.steps=7"]).training.steps == 7
        with pytest.raises(UsageError, match="settings choose values, not code"):
            loader.load_sweep_config(master, ["experiment=evil"])
