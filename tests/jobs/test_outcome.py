"""The outcome of a run stands in status.json, whatever ended it."""

from pathlib import Path

import pytest

from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.jobs.outcome import exit_code, update_status
from tinystories_lm.runs.checkpoint import Progress
from tinystories_lm.runs.folder import RunFolder, write_config
from tinystories_lm.system.errors import (
    CannotWriteError,
    CommandError,
    DamagedError,
    DivergedError,
    Interrupted,
    UsageError,
)
from tinystories_lm.system.json_files import read_json

register()
CONFIG = compose_config(["hardware=cpu"]).config


def end(run: RunFolder, error: BaseException | None, *, first_step: int = 0, steps: int = 0) -> BaseException | None:
    """Take some steps in the block and end it with an error; returns what is raised."""
    progress = Progress(step=first_step)
    try:
        with update_status(run, CONFIG, progress):
            assert read_json(run.status)["status"] == "running"
            progress.step += steps
            write_config(run, CONFIG)
            run.environment.write_text("{}")
            if error is not None:
                raise error
    except BaseException as raised:
        return raised
    return None


@pytest.mark.parametrize(
    ("error", "raised", "status", "reason"),
    [
        (None, None, "done", ""),
        (Interrupted("stopped at step 3"), Interrupted, "interrupted", "signal"),
        (KeyboardInterrupt(), Interrupted, "interrupted", "signal"),
        (UsageError("a prompt is too long"), UsageError, "failed", "a prompt is too long"),
        (DamagedError("x.json is damaged"), DamagedError, "failed", "x.json is damaged"),
        (DivergedError("diverged at step 3: nan"), DivergedError, "failed", "diverged at step 3: nan"),
        (CannotWriteError("cannot write x"), CannotWriteError, "failed", "CannotWriteError: cannot write x"),
        (RuntimeError("no kernel"), RuntimeError, "failed", "RuntimeError: no kernel"),
        (MemoryError(), CommandError, "failed", "oom: MemoryError; the peak was "),
    ],
)
def test_each_way_to_end_a_run_has_a_status_and_a_reason(
    tmp_path: Path, error: BaseException | None, raised: type[BaseException] | None, status: str, reason: str
) -> None:
    run = RunFolder(tmp_path)
    found = end(run, error, steps=3)
    assert found is None if raised is None else isinstance(found, raised)
    stored = read_json(run.status)
    assert (stored["status"], stored["step"]) == (status, 3) and stored["reason"].startswith(reason)
    assert bool(stored["reason"]) == bool(reason)


def test_a_resumed_run_that_is_refused_before_its_next_step_keeps_its_files(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    end(run, Interrupted("stopped"), steps=3)
    run.environment.unlink()
    before = run.status.read_bytes()
    run.config.write_bytes(old := b"what stood there")
    assert isinstance(end(run, UsageError("a prompt is too long"), first_step=3), UsageError)
    assert run.status.read_bytes() == before and run.config.read_bytes() == old
    assert not run.environment.exists(), "a file that was not there before is removed"
    end(run, UsageError("refused later"), first_step=3, steps=1)
    assert read_json(run.status)["reason"] == "refused later"


def test_the_exit_code_for_the_tracker_is_that_of_the_command() -> None:
    assert [exit_code(error) for error in (None, DivergedError("x"), RuntimeError("x"))] == [0, 6, 1]
