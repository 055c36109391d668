"""The table of commands: what `--help` lists, what a wrong name suggests, and that help stays light."""

import subprocess
import sys
from pathlib import Path

import pytest

from tinystories_lm.cli.main import run
from tinystories_lm.cli.registry import COMMANDS, GROUPS, overview
from tinystories_lm.system.errors import ExitCode, UsageError

HEAVY = {"torch", "hydra", "omegaconf", "msgspec", "wandb", "datasets", "numpy"}


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
    assert run([name]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"tinystories-lm: {name} is not a command; {hint}") and error.count("\n") == 1


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "train"])
def test_a_flag_that_a_command_has_not_is_one_line_and_exit_code_2(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([name, "--no-such-flag"]) == 2
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
        "from tinystories_lm.cli.main import run\n"
        "from tinystories_lm.cli.registry import COMMANDS\n"
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
