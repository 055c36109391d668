"""Hydra's newest candidate: every form does what its row says there, too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

NEXT = ("hydra-core>=1.4.0rc1,<1.5", "omegaconf>=2.4.1rc1,<2.5")


@pytest.mark.slow
def test_the_forms_work_with_the_next_version_of_hydra(tmp_path: Path) -> None:
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--pre", "--no-deps", "--target", str(tmp_path)]
    installed = subprocess.run([*install, *NEXT], capture_output=True, text=True)
    if installed.returncode:
        pytest.skip(f"no package index offers {NEXT[0]}")
    path = os.pathsep.join([str(tmp_path), str(REPOSITORY)])
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/cli/test_hydra_forms.py"]
    done = subprocess.run(words, cwd=REPOSITORY, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    shown = subprocess.run(
        [sys.executable, "-m", "tinystories_lm", "train", "--hydra-help"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True,
    )  # fmt: skip
    assert shown.stdout.startswith("Hydra 1.4") and not shown.stderr, "no warning of a deprecated call"
