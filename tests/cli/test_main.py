"""The command line: its table of commands; output that nobody reads, does not fit or would move a cursor; errors."""

import errno
import gc
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.data import trials
from tests.interop.test_export import make_run
from tinystories_lm.cli import main
from tinystories_lm.cli.main import COMMANDS, GROUPS, overview
from tinystories_lm.system.errors import CommandError, DamagedError, ExitCode, UsageError
from tinystories_lm.system.json_files import read_json
from tinystories_lm.system.stdio import SanitizedTerminal

HEAVY = {"torch", "hydra", "omegaconf", "msgspec", "wandb", "datasets", "numpy"}
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


def test_a_command_ends_without_a_look_at_every_object_of_its_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "run", lambda words: 3)

    def program() -> int:
        with pytest.raises(SystemExit) as ending:
            main.main()
        assert ending.value.code == 3
        return gc.get_freeze_count()

    ended = trials.run(program)
    assert ended.code == 0 and int(ended.said) > 10_000, ended.said


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


def test_the_overview_lists_each_command_once_and_fits_a_terminal() -> None:
    lines = overview().splitlines()
    names = [line.split()[0] for line in lines if line.startswith("  ")][: len(COMMANDS)]
    assert names == list(COMMANDS) and len(COMMANDS) == sum(map(len, GROUPS.values()))
    assert max(map(len, lines)) <= 100
    assert all(f"  {code:>2}  {code.meaning}" in lines for code in ExitCode)


@pytest.mark.parametrize(
    ("name", "hint"), [("trian", "did you mean `train`?"), ("xyzzy", "see `tinystories-lm --help`"), ("", "see ")]
)
def test_an_unknown_command_is_one_line_with_the_nearest_name(
    name: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run([name]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"tinystories-lm: {name} is not a command; {hint}") and error.count("\n") == 1


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "train"])
def test_a_flag_that_a_command_has_not_is_one_line_and_exit_code_2(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run([name, "--no-such-flag"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"tinystories-lm: {name}: ") and error.count("\n") == 1
    assert error.endswith(f"; see `tinystories-lm {name} --help`\n")


@pytest.mark.parametrize("name", ["prepare", "plan", "sweep"])
def test_flags_and_overrides_may_be_mixed(name: str) -> None:
    words = ["a=1", "--config-dir", "folder", "b=2"]
    options = COMMANDS[name].parse(["seeds", *words] if name == "sweep" else words)
    assert options.overrides == ["a=1", "b=2"] and options.config_dir == "folder"


def test_positional_arguments_that_are_missing_are_named() -> None:
    with pytest.raises(UsageError, match="export: the following arguments are required: RUN, DIR;"):
        COMMANDS["export"].parse([])
    with pytest.raises(UsageError, match="sweep: the following arguments are required: NAME;"):
        COMMANDS["sweep"].parse([])
    assert COMMANDS["plan"].parse([]).overrides == []


def test_the_help_of_a_command_imports_neither_torch_nor_hydra(tmp_path: Path, environment: dict[str, str]) -> None:
    """All in one process: whichever command imports one of them, it is there at the end."""
    program = (
        "import sys\n"
        "from tinystories_lm.cli.main import COMMANDS, run\n"
        "assert run(['--help']) == run(['--version']) == 0\n"
        "for name in COMMANDS.keys() - {'train'}:  # its help is Hydra's\n"
        "    try: run([name, '--help'])\n"
        "    except SystemExit as end: assert not end.code\n"
        f"    assert not {HEAVY!r} & set(sys.modules), name"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("usage: tinystories-lm") == len(COMMANDS) - 1


def test_a_value_that_begins_with_a_dash_is_shown_with_an_equals_sign(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["sample", "latest", "--stop", "---"]) == 2
    assert "a value that begins with a dash is written as --stop=VALUE" in capsys.readouterr().err
    assert COMMANDS["sample"].parse(["latest", "--stop=---"]).stop == ["---"]


def test_an_output_of_few_characters_gets_similar_ones_or_escapes_and_json_is_json(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    make_run(tmp_path / "outputs" / "small" / "物")
    environment["PYTHONIOENCODING"] = "ascii"

    def shown(*words: str) -> str:
        done = subprocess.run([*PROGRAM, *words], cwd=tmp_path, env=environment, capture_output=True, check=True)
        return done.stdout.decode("ascii")

    _, rule, row = shown("runs").splitlines()
    assert set(rule) == {"-", " "} and r"outputs/small/\u7269" in row
    assert json.loads(shown("runs", "--json"))["run"] == "outputs/small/物"
