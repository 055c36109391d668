"""The command line itself: what becomes of output that nobody reads, that does not fit, or that would move a cursor."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.interop.test_export import make_run
from tinystories_lm.system.json_files import read_json
from tinystories_lm.system.stdio import SanitizedTerminal

PROGRAM = [sys.executable, "-m", "tinystories_lm"]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_went_away_is_no_failure(unbuffered: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run([*PROGRAM, "--help"], stdout=writing, stderr=subprocess.PIPE, env=environment)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a disk that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_does_not_fit_is_one_line_and_exit_code_5(unbuffered: str) -> None:
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "w") as full:
        done = subprocess.run([*PROGRAM, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, env=environment)
    assert done.returncode == 5 and done.stderr == "tinystories-lm: cannot write the output: No space left on device\n"


def test_a_terminal_is_coloured_and_nothing_else() -> None:
    written = io.StringIO()
    print("\x1b[32mdone\x1b[0m \x1b[2J\x1b]0;title\x07 \x9b2J caf\xe9\n", file=SanitizedTerminal(written), end="")
    assert written.getvalue() == "\x1b[32mdone\x1b[0m \ufffd[2J\ufffd]0;title\ufffd \ufffd2J caf\xe9\n"


def test_the_warnings_of_every_command_move_no_cursor(tmp_path: Path, command: Command) -> None:
    run = make_run(tmp_path / "outputs" / "small" / "a\x1b[2Jb")
    run.metrics.write_text("nothing\n" * 3)
    run.summary.write_text('{"parameters": 5}')
    for words in (["diagnose", "latest"], ["sample", "latest", "--max-tokens", "1"], ["runs"]):
        said = command(*words)
        assert "\x1b" not in said.stderr and "Traceback" not in said.stderr, said.stderr
    assert "3 damaged rows" in command("diagnose", "latest").stderr


def test_half_a_character_in_one_folder_costs_the_others_nothing(tmp_path: Path, command: Command) -> None:
    run = make_run(tmp_path / "outputs" / "small" / "one")
    other = make_run(tmp_path / "outputs" / "small" / "cafe")
    other.path.rename(other.path.with_name(os.fsdecode(b"caf\xe9")))
    summary = read_json(run.summary) if run.summary.is_file() else {}
    run.summary.write_text(json.dumps(summary | {"verdict": {"name": "a\ud800", "because": [], "next": []}}))
    for words in (["runs"], ["runs", "--json"]):
        shown = command(*words)
        assert shown.returncode == 0 and len(shown.stdout.splitlines()) >= 2, shown.stderr
