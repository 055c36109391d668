"""Build the null device, and run the program on it in processes of their own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, SMALL_RUN, clean_environment

BUILD = REPOSITORY / "build" / "null"
SOURCES = Path(__file__).parent / "device"
CACHE = BUILD / "inductor"  # of compiled code, for tests that do not ask about compiling

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session", autouse=True)
def null_device() -> Path:
    """The folder of the null device, which is built once; where it cannot be built, all its tests are skipped."""
    import torch

    if torch.version.cuda is None:
        pytest.skip(f"the null device needs torch's CUDA build; this is torch {torch.__version__}")
    if torch.cuda.is_available():
        pytest.skip("the null device stands in for a GPU, and there is one here: make test-gpu uses it")
    words = [SOURCES / "build.sh", sys.executable, BUILD]
    built = subprocess.run(words, capture_output=True, text=True)
    if built.returncode:
        reason = (built.stderr.strip().splitlines() or ["no reason given"])[-1]
        pytest.skip(f"the null device cannot be built here: {reason}")
    return BUILD


def environment_of(folder: Path, *, sm: int, cudnn: bool, log: Path, cache: Path) -> dict[str, str]:
    """Return the environment of a process that sees the null device.

    sm: its generation: 80 is an A100, 89 an RTX 4090, 90 an H100.
    log: the file to which its calls are written.
    cache: the folder of compiled code.
    """
    kept = {name: text for name, text in clean_environment().items() if not name.startswith(("NULL_", "CUDA_"))}
    return kept | {
        "LD_PRELOAD": str(folder / ("null_cudnn.so" if cudnn else "null.so")),
        "LD_LIBRARY_PATH": str(folder),
        "TRITON_LIBCUDA_PATH": str(folder),
        "NULL_DEVICE_SM": str(sm),
        "NULL_DEVICE_LOG": str(log),
        "TORCHINDUCTOR_CACHE_DIR": str(cache),
        "TRITON_CACHE_DIR": str(cache / "triton"),
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "calls.log"


def runner(folder: Path, work: Path, log: Path) -> Run:
    """Return a function that runs `tests.null.launcher` with the given words in the folder `work`."""

    def run(
        *words: str, sm: int = 90, cudnn: bool = True, cache: Path = CACHE, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        environment = environment_of(folder, sm=sm, cudnn=cudnn, log=log, cache=cache) | variables
        command = [sys.executable, "-m", "tests.null.launcher", *words]
        return subprocess.run(command, env=environment, cwd=work, capture_output=True, text=True)

    return run


@pytest.fixture
def run_null(null_device: Path, tmp_path: Path, log: Path) -> Run:
    return runner(null_device, tmp_path, log)


def small_run(corpus: Path, *more: str) -> list[str]:
    """Return the settings of a small run on the GPU that is there, with these in the place of its own."""
    on_gpu = ["hardware=auto", "hardware.precision=bfloat16", "training.max_dollars=1000"]
    settings = {word.partition("=")[0]: word for word in [*SMALL_RUN, *on_gpu, f"data.path={corpus}", *more]}
    return list(settings.values())
