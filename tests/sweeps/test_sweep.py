"""Sweeps by the command line: planned, run apart, resumed after any fault, compared."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SMALL_RUN, Command
from tests.jobs.test_train import numbers
from tests.tracking.sdk import history, inspect, of_type
from tinystories_lm.runs.folder import RunFolder, read_config
from tinystories_lm.runs.status import Status, read_status
from tinystories_lm.system.json_files import read_json


def small(corpus: Path, *more: str) -> list[str]:
    changed = {override.split("=")[0] for override in more}
    kept = [override for override in SMALL_RUN if override.split("=")[0] not in changed]
    return [*kept, f"data.path={corpus}", *more]


def rows(answer: "subprocess.CompletedProcess[str]") -> list[dict[str, Any]]:
    assert answer.stdout, answer.stderr
    return [json.loads(line) for line in answer.stdout.splitlines()]


def results_in(sweep: Path) -> dict[str, tuple[str, list[dict[str, Any]]]]:
    """Return each member's status and numbers, by its folder's name."""
    return {
        folder.name: (str(read_status(RunFolder(folder))), numbers(folder))
        for folder in sweep.iterdir()
        if (folder / "config.yaml").exists()
    }


def test_one_failure_costs_one_run_and_the_same_command_retries_it(
    command: Command, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    line = ["sweep", "seeds", *small(corpus, "training.seed=0,1", "tracking=offline")]
    planned = command(*line, "--dry-run", "--json")
    assert planned.returncode == 0, planned.stderr
    assert [row["status"] for row in rows(planned)] == ["new"] * 2
    assert not (tmp_path / "outputs" / "sweeps").exists(), "a dry run writes nothing"
    assert "2 runs, 0 done; 2 to go" in planned.stderr

    victim = Path(rows(planned)[0]["run"])
    environment["TSLM_FAULT"] = f"step:7:kill:{victim.name}"
    first = command(*line)
    assert first.returncode == 1
    assert "1 of 2 runs failed" in first.stderr and "Traceback" not in first.stderr
    assert "signal SIGKILL" in first.stdout
    statuses = [read_status(RunFolder(tmp_path / row["run"])) for row in rows(planned)]
    assert statuses == [Status.FAILED, Status.DONE]
    assert "step 4/12" in (tmp_path / victim / "output.log").read_text()

    del environment["TSLM_FAULT"]
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "outputs/sweeps").rglob("summary.json")}
    line = [word for word in line if word != "tracking=offline"]  # which names no other run; one copy is enough
    wider = command(*small_wider(line), "--json")
    assert wider.returncode == 0, wider.stderr
    assert "3 runs, 1 done; 2 to go" in wider.stderr
    assert [row["status"] for row in rows(wider)] == ["done"] * 3
    assert all(path.stat().st_mtime_ns == before for path, before in kept.items()), "what is done is left alone"

    (tmp_path / rows(wider)[2]["run"] / "summary.json").write_text("{}")
    mended = command(*small_wider(line))
    assert mended.returncode == 0 and "3 runs, 2 done; 1 to go" in mended.stderr, mended.stderr
    assert f"{rows(wider)[2]['val/loss']:.4f}" in mended.stdout, "what is damaged is written again"
    assert " ± " in mended.stdout

    together = command("train", "-m", "+sweep=seeds", *small(corpus, "training.seed=0,1,2", "hydra.sweep.dir=plain"))
    assert together.returncode == 0, together.stderr
    apart = results_in(tmp_path / "outputs/sweeps/seeds")
    assert apart == results_in(tmp_path / "plain"), "the same runs as in Hydra's own process, uninterrupted"
    check_tracked_run(tmp_path / rows(wider)[1]["run"])


def small_wider(line: list[str]) -> list[str]:
    return ["training.seed=0,1,2" if word.startswith("training.seed=") else word for word in line]


def check_tracked_run(folder: Path) -> None:
    """Check for one W&B run in the group of the sweep's name, with its own tags and config, and all rows."""
    (segment,) = folder.glob("wandb/offline-run-*")
    records = inspect(segment)
    (run, *_) = of_type(records, "run")
    seed = read_config(RunFolder(folder)).training.seed
    assert run["run_group"] == "seeds"
    assert set(run["tags"]) == {"run", f"training.seed={seed}"}
    assert {row["progress/step"] for row in history(records)} >= {0, 4, 8, 12}


@pytest.mark.slow
def test_a_sweep_interrupted_and_killed_ends_with_the_same_numbers(
    command: Command, corpus: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    steps = ["training.steps=120", "training.eval_every_steps=30", "training.checkpoint_every_steps=10"]
    line = ["sweep", "seeds", *small(corpus, "training.seed=0,1", *steps)]
    for number, (sent, code) in enumerate(((signal.SIGINT, 75), (signal.SIGKILL, -9))):
        started = subprocess.Popen(
            [sys.executable, "-m", "tinystories_lm", *line],
            cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        wait_until_reached(tmp_path, 30 * (number + 1))
        os.kill(started.pid, sent)
        _, errors = started.communicate(timeout=60)
        assert started.returncode == code, errors
        if sent is signal.SIGINT:
            assert "stopped with 0 of 2 runs done; run the same command again to resume" in errors
            states = [read_status(RunFolder(path)) for path in (tmp_path / "outputs/sweeps/seeds").glob("*/")
                      if (path / "status.json").exists()]  # fmt: skip
            assert states == [Status.INTERRUPTED], "the second was not started"
    last = command(*line, "--json")
    assert last.returncode == 0, last.stderr
    alone = command("train", *small(corpus, "training.seed=0", *steps), "hydra.run.dir=alone")
    assert alone.returncode == 0
    first = rows(last)[0]
    assert numbers(tmp_path / first["run"]) == numbers(tmp_path / "alone")
    assert first["val/loss"] == read_json(tmp_path / "alone/summary.json")["val/loss"]


def wait_until_reached(folder: Path, step: int) -> None:
    until = time.monotonic() + 60
    logs = "outputs/sweeps/seeds/*/output.log"
    while not any(f"step {step}/120" in log.read_text() for log in folder.glob(logs)):
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.slow
def test_a_diverged_run_and_a_refused_one_are_named_in_the_table(
    command: Command, corpus: Path, tmp_path: Path
) -> None:
    rates = ["optimizer.lr=1e-3,9.99", "optimizer.weight_decay=9.9", "training.warmup_steps=0", "training.steps=24"]
    swept = command("sweep", "learning_rate", *small(corpus, *rates, "training.checkpoint_every_steps=2"))
    assert swept.returncode == 1
    diverged = next(line for line in swept.stdout.splitlines() if line.startswith("9.99"))
    assert "failed" in diverged and "diverged at step " in diverged
    (kept,) = [
        run for run in (tmp_path / "outputs/sweeps/learning_rate").glob("*/") if not (run / "summary.json").exists()
    ]
    assert list(kept.glob("checkpoints/step-*")), "the last good checkpoint stays"
    refused = command("sweep", "seeds", *small(corpus, "training.seed=0,1", "model.context_tokens=8",
                                               "sampling.prompts=['One day there was a cat and a dog']"))  # fmt: skip
    assert refused.returncode == 1 and "2 of 2 runs failed" in refused.stderr
    assert refused.stdout.count("shorten it") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sweep", "seed"], "did you mean seeds"),
        (["sweep"], "NAME"),
        (["sweep", "seeds", "training.stepz=1"], "did you mean training.steps"),
        (["sweep", "seeds", "tracking=off,offline"], "the same run"),
        (["sweep", "rounds", "hardware=cpu"], "it was published on an h100"),
        (["sweep", "seeds", "--parallel", "0"], "must be at least 1"),
        (["sweep", "seeds", "--deadline-minutes", "-1"], "must be above 0"),
        (["sweep", "seeds", "hardware=h100", "--dry-run"], "use hardware="),
        (["train", "+sweep=seeds"], "add -m"),
        (["sweep", "seeds", "hydra/launcher=devices", "--parallel", "2"], "name those of hydra/launcher=devices"),
        (
            ["sweep", "seeds", "--zip", "model=tiny,gpt_2m:optimizer.lr=1e-3"],
            "--zip model=tiny,gpt_2m:optimizer.lr=1e-3",
        ),
        (["sweep", "seeds", "--zip", "model=tiny,gpt_2m"], "give two or more settings"),
        (["sweep", "seeds", "--search", "2", "--fail-fast"], "have no effect on a search"),
        (["sweep", "seeds", "hydra/sweeper=basic2"], "did you mean basic"),
        (["sweep", "seeds", "hydra/launcher=slurm"], "such as hardware=h100"),
        (["sweep", "seeds", "hydra/launcher=slurm", "hardware=cuda"], "known peak"),
    ],
)
def test_a_mistake_is_one_line_and_starts_nothing(
    command: Command, tmp_path: Path, arguments: list[str], message: str
) -> None:
    refused = command(*arguments)
    assert refused.returncode == 2
    assert message in refused.stderr.splitlines()[-1] and "Traceback" not in refused.stderr
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    ("launcher", "plugin", "words"),
    [
        pytest.param("devices", "joblib", ["hydra.launcher.n_jobs=2"], marks=pytest.mark.slow),
        pytest.param("slurm_local", "submitit", [], marks=pytest.mark.slow),
        pytest.param(
            "ray_cluster",
            "ray",
            ["hydra.launcher.ray.remote.num_gpus=0", "+hydra.launcher.ray.init.num_cpus=1"],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_hydras_launchers_give_the_same_runs_and_the_same_table(
    command: Command, corpus: Path, tmp_path: Path, launcher: str, plugin: str, words: list[str]
) -> None:
    pytest.importorskip(f"hydra_plugins.hydra_{plugin}_launcher", reason=f"hydra-{plugin}-launcher is not installed")
    line = ["seeds", *small(corpus, "training.seed=0,1"), "--json"]
    apart = rows(command("sweep", *line, "hydra.sweep.dir=apart"))
    launched = command("sweep", *line, f"hydra/launcher={launcher}", *words, "hydra.sweep.dir=launched")
    assert launched.returncode == 0, launched.stderr
    assert [row["val/loss"] for row in rows(launched)] == [row["val/loss"] for row in apart]
    assert [row["status"] for row in rows(launched)] == ["done", "done"]


@pytest.mark.slow
def test_twenty_short_runs_leave_twenty_offline_copies(command: Command, corpus: Path, tmp_path: Path) -> None:
    seeds = ",".join(map(str, range(20)))
    swept = command("sweep", "seeds", *small(corpus, f"training.seed={seeds}", "tracking=offline"), timeout=300)
    assert swept.returncode == 0, swept.stderr
    assert len(list(tmp_path.glob("outputs/sweeps/seeds/*/wandb/offline-run-*/*.wandb"))) == 20
    for folder in tmp_path.glob("outputs/sweeps/seeds/*/"):
        check_tracked_run(folder)


def test_zipped_values_are_pairs_and_after_a_failure_no_other_run_starts(
    command: Command, corpus: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    zipped = ["--zip", "model.d_model=32,16:optimizer.lr=0.001,0.002"]
    line = ["sweep", "seeds", *small(corpus, "training.seed=0,1", "model.d_model=64"), *zipped]
    planned = rows(command(*line, "--dry-run", "--json"))
    swept = [tuple(row[key] for key in ("training.seed", "model.d_model", "optimizer.lr")) for row in planned]
    assert swept == [(seed, *pair) for seed in "01" for pair in (("32", "0.001"), ("16", "0.002"))]
    environment["TSLM_FAULT"] = f"step:7:raise:{Path(planned[0]['run']).name}"
    stopped = command(*line, "--fail-fast")
    assert stopped.returncode == 1 and "1 of 4 runs failed, 3 not started" in stopped.stderr, stopped.stderr
    assert not (tmp_path / planned[1]["run"] / "status.json").exists()
