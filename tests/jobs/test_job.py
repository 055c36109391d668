"""What a run's folder says of an end that was not its own."""

import os
from pathlib import Path

import pytest

from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.jobs.outcome import update_status
from tinystories_lm.jobs.train import restrict_to_one_gpu
from tinystories_lm.runs.checkpoint import Progress
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.system.errors import DivergedError
from tinystories_lm.system.json_files import read_json

register()
CONFIG = compose_config(["hardware=cpu"]).config


def test_a_diverged_run_says_at_which_step(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    with pytest.raises(DivergedError), update_status(run, CONFIG, Progress(step=4)):
        raise DivergedError("diverged at step 5: the training loss is nan")
    assert read_json(run.status)["reason"] == "diverged at step 5: the training loss is nan"


def seen() -> str:
    import multiprocessing

    restrict_to_one_gpu(multiprocessing.current_process().name)
    return os.environ["CUDA_VISIBLE_DEVICES"]


def test_each_worker_of_joblib_sees_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    joblib = pytest.importorskip("joblib")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    found = joblib.Parallel(n_jobs=2, backend="loky")(joblib.delayed(seen)() for _ in range(8))
    assert set(found) == {"4", "7"}
