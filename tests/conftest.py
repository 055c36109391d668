"""What the tests share: a small corpus, and runs of the real command line in a process of their own."""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent

# Small and fast, and every part of a run takes place: two evaluations, samples, checkpoints.
SMALL_RUN = [
    "model.n_layers=2",
    "model.d_model=32",
    "model.n_heads=2",
    "model.d_ff=64",
    "model.context_tokens=32",
    "data.vocab_size=300",
    "training.steps=12",
    "training.batch_size=4",
    "training.log_every_steps=2",
    "training.eval_every_steps=4",
    "training.eval_tokens=512",
    "sampling.max_tokens=8",
    "sampling.prompts=['One day']",
    "tracking=off",
    "hardware=cpu",
    "hardware.threads=1",
]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create train.txt and valid.txt, with few enough stories to tokenize instantly."""
    folder = tmp_path_factory.mktemp("corpus")
    choose = random.Random(0).choice
    for name, count in (("train", 400), ("valid", 60)):
        stories = [
            f"One day, {choose(['Tom', 'Mia', 'Ben'])} saw a {choose(['red', 'big', 'old'])} "
            f"{choose(['ball', 'tree', 'cat', 'boat'])} and was {choose(['glad', 'sad'])}. The end."
            for _ in range(count)
        ]
        (folder / f"{name}.txt").write_text("\n<|endoftext|>\n".join(stories) + "\n", encoding="utf-8")
    return folder


Command = Callable[..., "subprocess.CompletedProcess[str]"]


class WarmProcess:
    """`tests.warm_process`, and what to ask of it."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.warm_process"], cwd=REPOSITORY, env=clean_environment(),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(
        self, arguments: Sequence[str], folder: Path, environment: dict[str, str], *, timeout: float
    ) -> "subprocess.CompletedProcess[str]":
        """Run the program with these arguments and return the result as `subprocess.run` does, output captured."""
        assert self.process.stdin is not None and self.process.stdout is not None
        with tempfile.TemporaryDirectory() as said:
            files = {name: os.path.join(said, name) for name in ("stdout", "stderr")}
            wanted = {"arguments": arguments, "folder": str(folder), "environment": environment, **files}
            print(json.dumps(wanted), file=self.process.stdin, flush=True)
            pid = int(self.process.stdout.readline())
            watch = threading.Timer(timeout, os.kill, (pid, signal.SIGKILL))
            watch.start()
            code = int(self.process.stdout.readline())
            watch.cancel()
            stdout, stderr = (Path(file).read_text(encoding="utf-8") for file in files.values())
        return subprocess.CompletedProcess(list(arguments), code, stdout, stderr)


@pytest.fixture(scope="session")
def warm_process() -> Iterator[WarmProcess]:
    made = WarmProcess()
    yield made
    made.process.communicate()  # the end of its input is its own


def clean_environment() -> dict[str, str]:
    """Return the environment of the tests without W&B's and Hydra's variables and with the hub offline."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB_", "HYDRA_"))}
    return kept | {"HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}


@pytest.fixture
def environment() -> dict[str, str]:
    """Return the environment of `command`, which a test may change."""
    return clean_environment()


@pytest.fixture
def command(tmp_path: Path, environment: dict[str, str], warm_process: WarmProcess) -> Command:
    """Run `tinystories-lm` with the given arguments in an empty folder and a process of its own."""

    def run(*arguments: str, timeout: float = 120) -> "subprocess.CompletedProcess[str]":
        return warm_process.run(arguments, tmp_path, environment, timeout=timeout)

    return run
