"""The tests of tests/gpu on a device that computes nothing: what checks no values passes, the rest fails for them."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.null.conftest import CACHE, environment_of

WITHOUT_VALUES = [
    "test_a_killed_run_resumes_from_its_last_checkpoint",
    "test_a_compiled_run_resumes_compiled_with_its_kernel_and_has_the_losses_of_an_eager_one",
    "test_a_run_that_finds_no_memory_names_the_micro_batch_that_fits",
    "test_a_sweep_trains_its_members_on_the_device",
]
# How pytest shows a comparison of values, and the program attention that it believes to see later tokens.
OF_VALUES = ("assert ", "AssertionError: ", "tinystories_lm.system.errors.UsageError: causal attention on this cuda")


def run_tests(folder: Path, work: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    environment = environment_of(folder, sm=90, cudnn=True, log=work / "calls.log", cache=CACHE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--show-capture=no"]
    return subprocess.run(
        [*command, f"--basetemp={work / 'tests'}", *words], cwd=REPOSITORY, capture_output=True, text=True,
        env=environment | {"TEST_GPU_PROGRAM": "tests.null.launcher"},
    )  # fmt: skip


@pytest.mark.parametrize("name", WITHOUT_VALUES)
def test_a_test_that_checks_no_values_passes(null_device: Path, tmp_path: Path, name: str) -> None:
    done = run_tests(null_device, tmp_path, f"tests/gpu/test_runs.py::{name}")
    assert done.returncode == 0 and done.stdout.startswith("."), done.stdout  # neither failed nor skipped


def test_what_fails_of_the_others_fails_for_its_values(null_device: Path, tmp_path: Path) -> None:
    """A step or a kernel that did not run at all would raise something else."""
    report = tmp_path / "report.xml"
    run_tests(null_device, tmp_path, "tests/gpu/test_attention.py", "tests/gpu/test_steps.py", f"--junitxml={report}")
    cases = list(ElementTree.parse(report).iter("testcase"))
    failures = {case.get("name"): failure.get("message", "") for case in cases for failure in case.iter("failure")}
    assert len(failures) > 20 and not any(case.find("error") is not None for case in cases)
    others = {name: message for name, message in failures.items() if not message.startswith(OF_VALUES)}
    assert not others
