"""What a run's folder says of an end that was not its own."""

import os
from pathlib import Path

import pytest
import torch

from tinystories_lm.checkpoint import Progress
from tinystories_lm.entry import see_one_gpu
from tinystories_lm.errors import CommandError, DivergedError
from tinystories_lm.job import _status_kept
from tinystories_lm.records import read_json
from tinystories_lm.run_folder import RunFolder, Status


def take_too_much_memory() -> None:
    torch.empty(10**15)


def take_too_much_of_the_device() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nGPU 0 has a total capacity of …")


@pytest.mark.parametrize("take", [take_too_much_memory, take_too_much_of_the_device])
def test_out_of_memory_is_named_with_what_to_lower(tmp_path: Path, take: object) -> None:
    run = RunFolder(tmp_path)
    assert callable(take)
    advice = r"out of memory .*lower training.micro_batch_size"
    with pytest.raises(CommandError, match=advice), _status_kept(run, Progress(step=7)):
        take()
    status = read_json(run.status)
    assert status["status"] == Status.FAILED and status["step"] == 7
    assert status["reason"].startswith("oom: ") and "\n" not in status["reason"]


def test_a_diverged_run_says_at_which_step(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    with pytest.raises(DivergedError), _status_kept(run, Progress(step=4)):
        raise DivergedError("diverged at step 5: the training loss is nan")
    assert read_json(run.status)["reason"] == "diverged at step 5: the training loss is nan"


def seen() -> str:
    import multiprocessing

    see_one_gpu(multiprocessing.current_process().name)
    return os.environ["CUDA_VISIBLE_DEVICES"]


def test_each_worker_of_joblib_sees_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    joblib = pytest.importorskip("joblib")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    found = joblib.Parallel(n_jobs=2, backend="loky")(joblib.delayed(seen)() for _ in range(8))
    assert set(found) == {"4", "7"}
