"""What an evaluation asks of the device: a token is one recorded graph, and a checkpoint is waited for once."""

import json

from tests.null.conftest import Run

ENTRY_AND_LOGITS = 2  # copies of a step
LAUNCHES = 4  # of a step: the graph, its place, and torch's two of every replay, for random numbers


def test_a_step_of_a_story_is_one_graph_and_waits_once_and_memory_does_not_grow(run_null: Run) -> None:
    done = run_null("probe", "stories")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["captured"] > 50, "the first step after reading is recorded"
    assert found["step"]["launch"] <= LAUNCHES and "captured" not in found["step"]
    assert found["step"]["copy"] == ENTRY_AND_LOGITS
    assert found["step"]["wait"] <= ENTRY_AND_LOGITS, "a copy from or to memory that is not pinned waits"
    assert "malloc" not in found["step"]
    assert len(set(found["reserved"][1:])) == 1, "from the second decoder on, which is built while the first is there"
    assert found["random"], "the state of random numbers is as before"


def test_what_cannot_be_recorded_costs_a_line_and_leaves_memory_and_random_numbers_usable(run_null: Run) -> None:
    done = run_null("probe", "failed_recording")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"recorded": [None, None], "kept": 0}
    assert done.stderr.count("without a CUDA graph") == 1


def test_the_copies_of_a_checkpoint_are_waited_for_together(run_null: Run) -> None:
    """The launcher answers whether the weights are finite, which is a wait of its own on a device with values."""
    done = run_null("probe", "snapshot")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["waits"] == ["device"] and found["copies"] == found["tensors"] > 20
