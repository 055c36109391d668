"""A step of the published size as the device sees it: launches, copies, waits and memory, and one graph for all."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.null.conftest import runner

PARAMETERS = 29_103_616  # model=gpt_28m with 4,096 tokens
STACKED = {"launch": 700, "copy": 150}  # Muon's, with the matrices of one shape computed together


@pytest.fixture(scope="module")
def found(null_device: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    work = tmp_path_factory.mktemp("steps")
    done = runner(null_device, work, work / "calls.log")(
        "probe", "training_steps", "model=gpt_28m", "training.batch_size=64", "hardware.attention=flash"
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_training_and_evaluation_share_one_graph_without_a_break(found: dict[str, Any]) -> None:
    assert found["graphs"] == 1 and not found["breaks"]


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_a_step_waits_for_nothing_and_allocates_nothing(found: dict[str, Any], kind: str) -> None:
    """torch itself was asked to raise at anything that would wait for the device; the device saw none either."""
    assert found[kind]["wait"] == 0
    assert "to the host" not in found[kind]["copies"]
    assert found[kind]["malloc"] == 0, "the allocator has what the first steps left it"


def test_an_evaluation_waits_for_the_device_once(found: dict[str, Any]) -> None:
    assert found["evaluation"]["wait"] == 1


def test_a_step_of_adamw_launches_few_kernels(found: dict[str, Any]) -> None:
    assert found["adamw"]["launch"] < 500 and found["adamw"]["copy"] <= 2, found["adamw"]


def test_a_step_of_muon_launches_few_kernels(found: dict[str, Any]) -> None:
    assert all(found["muon"][name] < most for name, most in STACKED.items()), found["muon"]


@pytest.mark.parametrize(("kind", "moments"), [("adamw", 2), ("muon", 1)])
def test_the_peak_of_a_step_holds_weights_gradients_and_moments_and_is_as_planned(
    found: dict[str, Any], kind: str, moments: int
) -> None:
    peak = found[kind]["peak_bytes"]
    assert 4 * PARAMETERS * (2 + moments) < peak, "all of them are float32"
    assert found[kind]["planned_bytes"] == pytest.approx(peak, rel=0.25)
