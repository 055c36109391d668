"""A sweep's members have the GPU to themselves: neither its command nor the server they are forked from opens it."""

from pathlib import Path

from tests.null.calls import read_calls
from tests.null.conftest import Run, small_run


def test_the_server_of_a_sweep_never_asks_for_the_gpu(run_null: Run, corpus: Path, log: Path) -> None:
    settings = small_run(corpus, "training.seed=0,1", "hardware.compile=off")
    done = run_null("sweep", "seeds", *settings)
    assert done.returncode == 0, done.stderr
    calls = read_calls(log)
    members = {call.process for call in calls if call.kind == "launch"}
    assert len(members) == 2
    (server,) = {call.parent for call in calls if call.process in members}
    others = {call.process: call.kind for call in calls if call.process not in members}
    assert server not in others, "a process that is forked from one that has opened CUDA cannot use it"
    assert set(others.values()) <= {"init"}, "the command asks what the GPU is and takes no memory of it"
