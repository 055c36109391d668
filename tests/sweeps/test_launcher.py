"""What a sweep records of a member's process that could not record it itself."""

import signal
from pathlib import Path

import pytest

from tests.sweeps.members import member_in
from tinystories_lm.runs.status import Status, read_status, read_status_file, write_status
from tinystories_lm.sweeps.launcher import LOG, record_end
from tinystories_lm.system.errors import ExitCode
from tinystories_lm.system.locks import lock
from tinystories_lm.system.processes import Ending

KILLED = Ending(-signal.SIGKILL, 5.0, timed_out=False)


def test_a_killed_member_has_failed_with_the_signals_name(tmp_path: Path) -> None:
    member = member_in(tmp_path)
    write_status(member.run, Status.RUNNING, reason="", step=4)
    record_end(member, KILLED)
    found = read_status_file(member.run)
    assert (found.status, found.step) == (Status.FAILED, 4) and "SIGKILL" in found.reason


def test_a_refused_member_has_failed_with_the_last_line_of_its_log(tmp_path: Path) -> None:
    member = member_in(tmp_path)
    (member.run.path / LOG).write_text("first\nthe prompt is too long; shorten it\n\n")
    record_end(member, Ending(ExitCode.USAGE, 1.0, timed_out=False))
    assert read_status_file(member.run).reason == "the prompt is too long; shorten it (exit status 2)"


def test_a_member_that_was_stopped_before_it_had_a_status_is_interrupted(tmp_path: Path) -> None:
    member = member_in(tmp_path)
    record_end(member, Ending(ExitCode.INTERRUPTED, 1.0, timed_out=False))
    assert read_status(member.run) is Status.INTERRUPTED


def test_a_deadline_is_the_reason_unless_the_member_is_done(tmp_path: Path) -> None:
    late = Ending(ExitCode.INTERRUPTED, 61.0, timed_out=True)
    member = member_in(tmp_path / "late")
    write_status(member.run, Status.INTERRUPTED, reason="signal", step=4)
    record_end(member, late)
    assert read_status_file(member.run).reason == "deadline: stopped after 61 s"
    finished = member_in(tmp_path / "finished", done=True)
    record_end(finished, late)
    assert read_status(finished.run) is Status.DONE


@pytest.mark.parametrize("ending", [KILLED, Ending(ExitCode.IN_USE, 1.0, timed_out=False)])
def test_a_run_that_another_process_has_is_left_alone(tmp_path: Path, ending: Ending) -> None:
    member = member_in(tmp_path)
    write_status(member.run, Status.RUNNING, reason="", step=4)
    before = member.run.status.read_bytes()
    with lock(member.run.lock, wait=False):
        record_end(member, ending)
    assert member.run.status.read_bytes() == before
