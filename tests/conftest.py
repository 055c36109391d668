"""What the tests share: a small corpus, and runs of the real command line in a process of their own."""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

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
    """A folder of stories small enough to tokenize in a blink: train.txt and valid.txt."""
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


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment of the tests without W&B's and Hydra's variables, and with nothing to reach a hub by."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB_", "HYDRA_"))}
    return kept | {"HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}


@pytest.fixture
def command(tmp_path: Path, environment: dict[str, str]) -> Command:
    """Run `tinystories-lm` with the given arguments in an empty folder; its output is captured."""

    def run(*arguments: str, timeout: float = 120) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "tinystories_lm", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    return run
