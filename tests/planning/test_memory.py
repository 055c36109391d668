"""Memory: what there is, what a step takes, and what is said where that does not fit."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.faults import trials
from tests.hardware.test_memory import limit_memory, needs_a_limit
from tests.jobs.test_train import numbers
from tests.model.test_transformer import build
from tests.training.test_loop import MACHINE, batch
from tinystories_lm.config.choices import Device
from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.config.schema import Config
from tinystories_lm.hardware.memory import USABLE_SHARE, Available, available_memory, is_out_of_memory
from tinystories_lm.hardware.processor import multiplies_bfloat16
from tinystories_lm.jobs.outcome import update_status
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.planning.memory import fitting_micro_batch, step_memory, what_would_fit
from tinystories_lm.planning.plan import describe, make_plan
from tinystories_lm.planning.preflight import Request, _fit_memory, compose_jobs
from tinystories_lm.runs.checkpoint import Progress, take_snapshot
from tinystories_lm.runs.folder import RunFolder, read_config
from tinystories_lm.runs.status import Status
from tinystories_lm.system.errors import CommandError
from tinystories_lm.system.json_files import read_json
from tinystories_lm.training.compile import compile_loss
from tinystories_lm.training.optimizer import build_optimizer

# A batch takes about 1.1 GB at once, and a sequence 9 MB.
LARGE = ["model.d_model=64", "model.d_ff=256", "model.context_tokens=256", "training.batch_size=128",
         "training.steps=1", "training.eval_every_steps=1", "hardware.precision=float32"]  # fmt: skip
MEGABYTES = 1000  # that the limited ones get; libraries map a good part of it


def config(*more: str) -> Config:
    register()
    return compose_config([*more, "hardware=cpu", "hardware.threads=1"]).config  # more would not outlive a fork


def needed_bytes(asked: Config, micro_batch_size: int) -> float:
    return step_memory(asked, micro_batch_size=micro_batch_size).total


native = pytest.mark.skipif(not multiplies_bfloat16(Device.cpu), reason="bfloat16 is emulated here, in float32")


def test_the_micro_batch_is_the_largest_divisor_of_every_batch_that_fits() -> None:
    one, other = config("training.batch_size=24"), config("training.batch_size=36", "model.n_layers=2")
    for usable in (needed_bytes(one, n) for n in (1, 4, 6, 12)):
        sizes = [n for n in (12, 6, 4, 3, 2, 1) if needed_bytes(one, n) <= usable and needed_bytes(other, n) <= usable]
        assert fitting_micro_batch([one, other], usable, most=24) == max(sizes)
    assert fitting_micro_batch([one], needed_bytes(one, 1) - 1, most=24) == 0


@pytest.mark.parametrize("more", [["training.micro_batch_size=4"], ["optimizer=muon"], ["hardware.precision=bfloat16"]])
def test_the_memory_that_plan_shows_is_the_one_that_decides(more: list[str]) -> None:
    asked = config("training.batch_size=16", *more)
    shown = make_plan(asked).memory.total
    assert fitting_micro_batch([asked], shown, most=16) == asked.training.micro_batch_size
    assert fitting_micro_batch([asked], shown - 1, most=16) < asked.training.micro_batch_size


def test_a_batch_without_end_takes_no_time_to_divide() -> None:
    """A slip of the finger is refused for what it would cost, not searched through."""
    wide = config("training.batch_size=1000000000000")
    began = time.process_time()  # not the clock's: other processes may have the core
    assert fitting_micro_batch([wide], needed_bytes(wide, 100), most=10**12) == 100
    assert time.process_time() - began < 2


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_checkpoint_beside_the_steps_takes_memory_of_the_cpu_and_none_of_a_gpu(optimizer: str) -> None:
    asked = config("model=tiny", f"optimizer={optimizer}")
    model = Transformer(asked.model, vocab_size=asked.data.vocab_size)
    adapts = build_optimizer(model, asked.optimizer, device=torch.device("cpu"))
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight)
    adapts.step()
    snapshot = take_snapshot(model, adapts, Progress())
    held = sum(tensor.nbytes for tensors in (snapshot.weights, snapshot.optimizer) for tensor in tensors.values())
    assert step_memory(asked).checkpoint == pytest.approx(held, rel=0.01)
    assert "a checkpoint that is written" in describe(make_plan(asked))
    assert step_memory(compose_config(["model=tiny", "hardware=h100"]).config).checkpoint == 0


def test_members_of_a_sweep_at_a_time_share_the_memory() -> None:
    overrides = ("hardware=cpu", "training.batch_size=64", "training.micro_batch_size=64")
    alone = tuple(word for word in overrides if "micro" not in word)
    jobs = compose_jobs(Request(alone)).jobs
    here = available_memory(Device.cpu).usable / step_memory(jobs[0].config).total
    assert _fit_memory(alone, jobs, 1) == alone
    (_, _, fitted) = _fit_memory(alone, jobs, int(4 * here))
    assert fitted.startswith("training.micro_batch_size=") and int(fitted.partition("=")[2]) < 64


def peak_of_steps(overrides: list[str]) -> float:
    """Bytes that real training steps take at most, in a process that has had no others."""
    words = [sys.executable, "-m", "tests.planning.step_peak", *overrides]
    return float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


@needs_a_limit
@pytest.mark.parametrize(
    "shape",
    [
        ["model.n_layers=6", "training.batch_size=6"],
        ["model.n_layers=2", "training.batch_size=8", "data.vocab_size=4096"],
        pytest.param(
            ["model.n_layers=2", "training.batch_size=16", "model.context_tokens=600"], marks=pytest.mark.slow
        ),
        pytest.param(["hardware.precision=bfloat16", "training.batch_size=64"], marks=[pytest.mark.slow, native]),
    ],
    ids=["deep", "many logits", "long", "bfloat16"],
)
def test_what_a_step_needs_is_what_it_takes_at_its_peak(shape: list[str]) -> None:
    small = ["model.d_model=64", "model.n_heads=4", "model.d_ff=256", "model.context_tokens=256", "data.vocab_size=309",
             "hardware.precision=float32"]  # fmt: skip
    overrides = list({word.partition("=")[0]: word for word in [*small, *shape]}.values())
    asked = config(*overrides)
    assert 0.65 < peak_of_steps(overrides) / step_memory(asked).total < 1.15


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nGPU 0 has a total capacity of …"),
        MemoryError(),
        RuntimeError("MPS backend out of memory (MPS allocated: 8.0 GB)"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("std::bad_alloc"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_way_to_run_out_of_memory_is_told_with_what_to_lower(tmp_path: Path, error: Exception) -> None:
    run = RunFolder(tmp_path)
    advice = r"^out of memory: .*; the peak was .*; training\.micro_batch_size=16 needs about .*: type training\."
    with pytest.raises(CommandError, match=advice), update_status(run, config(), Progress(step=7)):
        raise error
    status = read_json(run.status)
    assert status["status"] == Status.FAILED and status["step"] == 7
    assert status["reason"].startswith("oom: ") and "\n" not in status["reason"]


def test_no_memory_for_the_compiled_step_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not as a missing compiler, which nobody could mend."""

    def full(*_: object) -> None:
        raise RuntimeError("backend failed") from RuntimeError(
            "[enforce fail] DefaultCPUAllocator: can't allocate memory"
        )

    monkeypatch.setattr(torch, "compile", lambda *_, **__: full)
    with pytest.raises(RuntimeError, match="backend failed") as raised:
        compile_loss(build(wide=1.0), batch(), MACHINE)
    assert is_out_of_memory(raised.value)


def test_one_sequence_that_does_not_fit_wants_a_smaller_model() -> None:
    assert "take a smaller model" in what_would_fit(config("training.micro_batch_size=1"), Available(1e12, 1e12, 1e12))


@needs_a_limit
def test_a_batch_that_does_not_fit_is_computed_in_parts_with_the_same_numbers(corpus: Path, tmp_path: Path) -> None:
    """With hardware=auto, under a real limit; the parts' gradients add up to the whole batch's."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert trials.end(trials.start(corpus, whole, *LARGE, "hardware=auto")) == 0, trials.said(whole)
    limited = trials.start(corpus, parts, *LARGE, "hardware=auto", first=lambda: limit_memory(MEGABYTES))
    assert trials.end(limited) == 0, trials.said(parts)
    stored = read_config(RunFolder(parts)).training
    assert stored.batch_size == 128 and stored.micro_batch_size < 128
    assert f"training.micro_batch_size={stored.micro_batch_size}; the batch stays" in trials.said(parts)
    for one, other in zip(numbers(whole), numbers(parts), strict=True):
        assert one["progress/tokens"] == other["progress/tokens"]
        for key in ("train/loss", "val/loss"):
            assert one.get(key, 0.0) == pytest.approx(other.get(key, 0.0), rel=1e-4)


@needs_a_limit
@pytest.mark.slow
def test_a_run_that_finds_no_memory_ends_in_one_line_with_what_would_fit(corpus: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    large = [*LARGE, "training.batch_size=256"]  # far over the limit, whatever earlier tests freed
    typed = [*large, "training.micro_batch_size=256"]
    code = trials.end(trials.start(corpus, run, *typed, first=lambda: limit_memory(MEGABYTES)))
    said = trials.said(run).splitlines()
    assert code == 1 and "Traceback" not in trials.said(run)
    assert said[-1].startswith("tinystories-lm: out of memory: ") and "type training.micro_batch_size=" in said[-1]
    fits = said[-1].split("type training.micro_batch_size=")[1].split()[0]
    lower = [*large, f"training.micro_batch_size={fits}"]
    assert trials.end(trials.start(corpus, run, *lower, first=lambda: limit_memory(MEGABYTES))) == 0, trials.said(run)


MEASURED = Path(__file__).parents[2] / "experiments" / "benchmarks" / "memory.json"


ROWS = read_json(MEASURED)["rows"]  # among the quick tests every second one


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, id=row["case"], marks=[pytest.mark.slow] * (place % 2)) for place, row in enumerate(ROWS)],
)
def test_what_a_step_on_cuda_needs_is_what_the_allocator_counted(row: dict[str, Any]) -> None:
    """In the rows that `python benchmarks/memory.py` recorded, and made good by the share that is never used."""
    register()
    predicted = step_memory(compose_config(row["settings"]).config).total
    assert 0.97 < predicted / row["allocated"] < 1.25
    assert row["needed"] < predicted / USABLE_SHARE


def test_plan_names_the_sequences_that_fit_each_gpu() -> None:
    register()
    plan = make_plan(compose_config(["experiment=round4", "training.batch_size=192", "hardware=rtx4090"]).config)
    assert {found.hardware: found.micro_batch_size for found in plan.machines} == {
        "rtx4090": 96, "a100": 192, "h100": 192, "h200": 192,
    }  # fmt: skip
    config = compose_config(["experiment=round4", "training.batch_size=192", "hardware=rtx4090"]).config
    assert needed_bytes(config, 96) < USABLE_SHARE * 24e9 < needed_bytes(config, 192)
    assert "96 of 192" in describe(plan)
    assert make_plan(compose_config(["hardware=cpu"]).config).machines[0].micro_batch_size is None
