"""The command line: output that nobody reads, that does not fit or that would move a cursor; errors and exit codes."""

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.interop.test_export import make_run
from tinystories_lm.cli import main
from tinystories_lm.system.errors import CommandError, DamagedError, UsageError
from tinystories_lm.system.json_files import read_json
from tinystories_lm.system.stdio import SanitizedTerminal

PROGRAM = [sys.executable, "-m", "tinystories_lm"]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_left_is_not_a_failure(unbuffered: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run([*PROGRAM, "--help"], stdout=writing, stderr=subprocess.PIPE, env=environment)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a disk that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [["--help"], ["sample", "--help"]])
def test_output_that_does_not_fit_is_one_line_and_exit_code_5(words: list[str], unbuffered: str) -> None:
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "w") as full:
        done = subprocess.run([*PROGRAM, *words], stdout=full, stderr=subprocess.PIPE, text=True, env=environment)
    assert done.returncode == 5 and done.stderr == "tinystories-lm: cannot write the output: No space left on device\n"


class PanicException(BaseException):  # named as that of pyo3, which wraps Rust's panics
    pass


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (CommandError("it failed"), 1, "it failed"),
        (UsageError("a wrong flag"), 2, "a wrong flag"),
        (DamagedError("a damaged file"), 3, "a damaged file"),
        (CommandError("two\nlines and \x1b[2J"), 1, "two lines and \ufffd[2J"),
        (KeyboardInterrupt(), 75, "stopped; run the same command again to resume"),
        (OSError(errno.ENOSPC, "No space left"), 5, "cannot write the output: No space left"),
        (PanicException("in Rust"), 1, "a library failed: in Rust"),
    ],
)
def test_every_expected_error_is_one_line_and_its_exit_code(
    error: BaseException, code: int, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(name: str, words: list[str]) -> None:
        raise error

    monkeypatch.setattr(main, "_dispatch", fail)
    monkeypatch.setattr(main, "_discard_output", lambda: None)  # it would close this process's output
    assert main.run(["train"]) == code
    assert capsys.readouterr() == ("", f"tinystories-lm: {line}\n")


@pytest.mark.parametrize("error", [ValueError("ours"), OSError(errno.ENOSPC, "full", "a file"), SystemExit(3)])
def test_any_other_error_is_raised_as_it_is(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug has a traceback; a file that could not be written is reported by whoever wrote it."""

    def fail(name: str, words: list[str]) -> None:
        raise error

    monkeypatch.setattr(main, "_dispatch", fail)
    with pytest.raises(type(error)):
        main.run(["train"])


def test_only_a_resumable_command_that_was_stopped_is_to_be_run_again() -> None:
    assert main._stopped("sweep").message == "stopped; run the same command again to resume"
    assert main._stopped("replay").message == "stopped"


def test_a_terminal_is_coloured_and_nothing_else() -> None:
    written = io.StringIO()
    print("\x1b[32mdone\x1b[0m \x1b[2J\x1b]0;title\x07 \x9b2J caf\xe9\n", file=SanitizedTerminal(written), end="")
    assert written.getvalue() == "\x1b[32mdone\x1b[0m \ufffd[2J\ufffd]0;title\ufffd \ufffd2J caf\xe9\n"


def test_the_warnings_of_every_command_move_no_cursor(tmp_path: Path, command: Command) -> None:
    run = make_run(tmp_path / "outputs" / "small" / "a\x1b[2Jb")
    run.metrics.write_text("nothing\n" * 3)
    run.summary.write_text('{"parameters": 5}')
    for words in (["diagnose", "latest"], ["sample", "latest", "--max-tokens", "1"], ["runs"]):
        done = command(*words)
        assert "\x1b" not in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert "3 damaged rows" in command("diagnose", "latest").stderr


def test_a_folder_name_that_is_not_text_hides_no_other_run(tmp_path: Path, command: Command) -> None:
    run = make_run(tmp_path / "outputs" / "small" / "one")
    other = make_run(tmp_path / "outputs" / "small" / "cafe")
    other.path.rename(other.path.with_name(os.fsdecode(b"caf\xe9")))
    summary = read_json(run.summary) if run.summary.is_file() else {}
    run.summary.write_text(json.dumps(summary | {"verdict": {"name": "a\ud800", "because": [], "next": []}}))
    for words in (["runs"], ["runs", "--json"]):
        shown = command(*words)
        assert shown.returncode == 0 and len(shown.stdout.splitlines()) >= 2, shown.stderr
