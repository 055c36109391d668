"""Runs by the command line on the device: stopped, killed, out of memory, beside each other."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.faults import trials
from tests.gpu.conftest import PROGRAM, run_program, small_run
from tinystories_lm.hardware.detect import visible_gpus
from tinystories_lm.hardware.machine import KERNELS
from tinystories_lm.system.files import write_text
from tinystories_lm.system.json_files import read_json
from tinystories_lm.system.processes import Ending, Task, run_apart, share_machine

EXACT = ["training.deterministic=true", "training.steps=20", "training.eval_every_steps=8",
         "training.checkpoint_every_steps=4"]  # fmt: skip
MICRO_BATCH = "training.micro_batch_size"
FREE_BYTES = 4e9  # that the test of memory leaves
# A batch that takes about 20 GB at once.
LARGE = ["model.d_model=64", "model.d_ff=256", "model.context_tokens=256", "training.batch_size=4096",
         "training.steps=1", "training.eval_every_steps=1"]  # fmt: skip
ON_A_FULL_GPU = f"""
import torch
free, _ = torch.cuda.mem_get_info()
taken = torch.empty(int(free - {FREE_BYTES}), dtype=torch.uint8, device="cuda")
from {PROGRAM}{".cli.main" * (PROGRAM == "tinystories_lm")} import main
main()
"""


@pytest.fixture
def train(corpus: Path, tmp_path: Path) -> Any:
    def run(name: str, *more: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        settings = small_run(corpus, f"hydra.run.dir={tmp_path / name}", f"data.cache_dir={tmp_path / 'cache'}", *more)
        return run_program("train", *settings, folder=tmp_path, **variables)

    return run


def test_a_deterministic_run_that_was_stopped_or_killed_ends_with_the_same_bits(train: Any, tmp_path: Path) -> None:
    done = train("whole", *EXACT)
    assert done.returncode == 0, done.stderr
    whole = trials.ending(tmp_path / "whole")
    for name, fault, code in (("stopped", "step:6:terminate", 75), ("killed", "step:7:kill", -9)):
        assert train(name, *EXACT, TSLM_FAULT=fault).returncode == code
        done = train(name, *EXACT)
        assert done.returncode == 0, done.stderr
        assert not (difference := trials.first_difference(trials.ending(tmp_path / name), whole)), difference
        summary = read_json(tmp_path / name / "summary.json")
        assert summary["exact"] and summary["pieces"] == 2


def test_a_killed_run_resumes_from_its_last_checkpoint(train: Any, tmp_path: Path, device: torch.device) -> None:
    settings = ["training.checkpoint_every_steps=4", "optimizer=muon", "hardware.precision=bfloat16"]
    assert train("run", *settings, TSLM_FAULT="step:7:kill").returncode == -9
    done = train("run", *settings)
    assert done.returncode == 0, done.stderr
    assert "resuming from step 4" in done.stderr
    segments = read_json(tmp_path / "run" / "environment.json")["pieces"]
    assert [segment["first_step"] for segment in segments] == [0, 4]
    assert {segment["machine"]["device"] for segment in segments} == {device.type}
    assert len({segment["machine"]["attention"] for segment in segments}) == 1, "the kernel is kept"


def test_a_compiled_run_resumes_compiled_with_its_kernel_and_has_the_losses_of_an_eager_one(
    train: Any, tmp_path: Path, device: torch.device
) -> None:
    if device.type != "cuda":
        pytest.skip("tests/training/test_compile.py compiles on a CPU")
    settings = ["hardware.precision=bfloat16", "training.checkpoint_every_steps=4"]
    done = train("eager", *settings)
    assert done.returncode == 0, done.stderr
    settings += ["hardware.compile=on"]
    cache = {"TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "inductor")}
    assert train("run", *settings, TSLM_FAULT="step:7:kill", **cache).returncode == -9
    done = train("run", *settings, **cache)
    assert done.returncode == 0, done.stderr
    machines = [segment["machine"] for segment in read_json(tmp_path / "run" / "environment.json")["pieces"]]
    assert [machine["compile"] for machine in machines] == [True, True]
    (kernel,) = {machine["attention"] for machine in machines}
    assert kernel in KERNELS
    ours, theirs = (read_json(tmp_path / name / "summary.json") for name in ("run", "eager"))
    assert ours["exact"] and ours["val/loss"] == pytest.approx(theirs["val/loss"], abs=0.02)


def test_a_run_that_finds_no_memory_names_the_micro_batch_that_fits(
    corpus: Path, tmp_path: Path, device: torch.device
) -> None:
    """One that is left to choose takes that micro-batch before it starts."""
    if device.type != "cuda":
        pytest.skip("tests/planning/test_memory.py does this on a CPU")

    def train(name: str, *more: str) -> "subprocess.CompletedProcess[str]":
        settings = small_run(corpus, *LARGE, *more, f"hydra.run.dir={name}")
        return run_program("train", *settings, folder=tmp_path, command=("-c", ON_A_FULL_GPU))

    refused = train("run", f"{MICRO_BATCH}=4096")
    last = refused.stderr.splitlines()[-1]
    assert refused.returncode == 1 and "Traceback" not in refused.stderr
    assert last.startswith("tinystories-lm: out of memory: ") and f"type {MICRO_BATCH}=" in last
    fits = int(last.split(f"type {MICRO_BATCH}=")[1].split()[0])
    done = train("run", f"{MICRO_BATCH}={fits}")
    assert done.returncode == 0, done.stderr
    done = train("fitted")
    assert done.returncode == 0, done.stderr
    assert (
        "4096 sequences at once need about " in done.stderr and f"{MICRO_BATCH}={fits}; the batch stays" in done.stderr
    )


def look_at_gpus(answer: Path) -> None:
    """Compute on the only GPU that this process sees, and write down which it is."""
    total = float(torch.ones(1000, device="cuda").sum())
    visible, count = os.environ["CUDA_VISIBLE_DEVICES"], torch.cuda.device_count()
    write_text(answer, f"{visible} {count} {total:g}")


def test_tasks_beside_each_other_have_a_gpu_each(tmp_path: Path, device: torch.device) -> None:
    if device.type != "cuda":
        pytest.skip("a CPU's cores are shared in tests/system/test_processes.py")
    gpus = visible_gpus()
    tasks = [
        Task(work=look_at_gpus, arguments=(tmp_path / f"{n}.txt",), log=tmp_path / f"{n}.log", deadline_seconds=120)
        for n in range(2 * len(gpus))
    ]
    endings: list[Ending] = []
    run_apart(
        tasks,
        slots=share_machine(len(tasks), gpus=gpus),
        preload=["torch"],
        ended=lambda _, ending: endings.append(ending),
        tick=lambda _: None,
    )
    assert [ending.exit_code for ending in endings] == [0] * len(tasks), (tmp_path / "0.log").read_text()
    answers = sorted((tmp_path / f"{n}.txt").read_text().split() for n in range(len(tasks)))
    assert answers == sorted([gpu, "1", "1000"] for gpu in gpus for _ in range(2))


def test_a_sweep_trains_its_members_on_the_device(corpus: Path, tmp_path: Path, device: torch.device) -> None:
    done = run_program("sweep", "seeds", *small_run(corpus, "training.seed=0,1"), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    members = list((tmp_path / "outputs" / "sweeps" / "seeds").glob("*/environment.json"))
    assert len(members) == 2
    for member in members:
        (segment,) = read_json(member)["pieces"]
        assert segment["machine"]["device"] == device.type
