"""The device under test: a GPU of this machine, or with TEST_GPU_DEVICE=cpu the CPU, to try the tests themselves."""

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.conftest import SMALL_RUN, clean_environment
from tests.training.test_loop import MACHINE
from tinystories_lm.hardware.machine import Machine

DEVICE = torch.device(os.environ.get("TEST_GPU_DEVICE", "cuda"))
PROGRAM = os.environ.get("TEST_GPU_PROGRAM", "tinystories_lm")  # tests.null.launcher tries the tests on the null device

if (
    PROGRAM != "tinystories_lm"
):  # torch shows a tensor by selecting values, and a device that computes nothing miscounts
    torch.Tensor.__repr__ = lambda tensor: f"tensor of {tuple(tensor.shape)}"  # type: ignore[assignment,method-assign]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if DEVICE.type == "cuda" and not torch.cuda.is_available():
        reason = f"torch {torch.__version__} sees no GPU here; TEST_GPU_DEVICE=cpu tries these tests on the CPU"
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def device() -> torch.device:
    return DEVICE


@pytest.fixture
def machine(device: torch.device) -> Machine:
    """The device in float32, with products of full precision, eager."""
    return dataclasses.replace(MACHINE, name=device.type, device=device)


@pytest.fixture(autouse=True)
def torch_as_before() -> Iterator[None]:
    """Full precision in float32, as a reference needs it, and what a test sets in torch is taken back after it."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_float32_matmul_precision(before)


def small_run(corpus: Path, *more: str) -> list[str]:
    """Return the settings of a small run on the device, with these in the place of its own."""
    hardware = ["hardware=auto", "training.max_dollars=1000"] if DEVICE.type == "cuda" else ["hardware=cpu"]
    words = [*SMALL_RUN, *hardware, "hardware.compile=off", f"data.path={corpus}", *more]
    return list({word.partition("=")[0]: word for word in words}.values())


def run_program(
    *words: str, folder: Path, command: tuple[str, ...] = ("-m", PROGRAM), **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run the program in a new process: one that is forked from a process that has asked for CUDA cannot use it."""
    environment = clean_environment() | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | variables
    return subprocess.run(
        [sys.executable, *command, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=240
    )
