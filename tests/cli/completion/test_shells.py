"""What a person types and completes in a real bash, zsh or fish is the command that runs."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.completion.shells import INSTALL, START, Terminal, make_program

RUNS = (
    "smoke/2026-01-01_00-00-00_0123abcd",
    "my runs/2026-01-01_00-00-00_0123abcd",
    "it's/one",
    "a$(touch pwned)b`touch pwned`;touch pwned/one",
    "evil\n;touch pwned\n/one",
    "red\x1b[2J/one",
    "sweeps/wide/aaaa",
)
DANGEROUS = "a$(touch pwned)b`touch pwned`;touch pwned"
LINES = {
    "tinystories-lm tra\t": ["train"],
    "tinystories-lm train model=gpt_28\t": ["train", "model=gpt_28m"],
    "tinystories-lm train model=tiny,gpt_28\t": ["train", "model=tiny,gpt_28m"],
    "tinystories-lm train data.decode\ts\t": ["train", "data.decode_errors=strict"],
    "tinystories-lm train trai\tst\t5": ["train", "training.steps=5"],
    "tinystories-lm train -m +sw\tse\t": ["train", "-m", "+sweep=seeds"],
    "tinystories-lm sweep lear\t--dr\t": ["sweep", "learning_rate", "--dry-run"],
    "tinystories-lm runs --sort=a\t": ["runs", "--sort=age"],
    "tinystories-lm show smoke/\t": ["show", "smoke/0123abcd"],
    "tinystories-lm show my\t": ["show", "my runs"],
    "tinystories-lm show my\\ runs/\t": ["show", "my runs/0123abcd"],
    "tinystories-lm show 'my r\t'": ["show", "my runs"],
    'tinystories-lm show "my r\t"': ["show", "my runs"],
    "tinystories-lm show it\t": ["show", "it's"],
    "tinystories-lm show a\t": ["show", DANGEROUS],
    "tinystories-lm show 'a$\t'": ["show", DANGEROUS],
    "tinystories-lm show evi\t": ["show", "evi"],  # its name has a line break: nobody can type it
    "tinystories-lm show red\t": ["show", "red"],
    "tinystories-lm train data.path=my\t": ["train", "data.path=my texts/"],
    "tinystories-lm train data.path='my\t": ["train", "data.path=my texts/"],  # bash and zsh close the quote
    "tinystories-lm train data.path=~/my\t": ["train", "data.path=~/my texts/"],
    "tinystories-lm train --config-dir my\t": ["train", "--config-dir", "my texts/"],
    "tinystories-lm export smoke my\t": ["export", "smoke", "my texts/"],
}
each_shell = pytest.mark.parametrize(
    "shell", ["bash", *(pytest.param(shell, marks=pytest.mark.slow) for shell in START if shell != "bash")]
)


def needs(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    if shutil.which("setsid") is None:
        pytest.skip("setsid is not installed")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Make a folder with runs, whose names are hostile, and the program."""
    for name in RUNS:
        (tmp_path / "outputs" / name).mkdir(parents=True)
        (tmp_path / "outputs" / name / "config.yaml").touch()
    (tmp_path / "my texts").mkdir()
    make_program(tmp_path / "bin")
    return tmp_path


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


@each_shell
def test_a_completed_line_runs_what_was_meant(shell: str, place: Path, terminals: list[Terminal]) -> None:
    needs(shell)
    terminals.append(Terminal(shell, place, install=INSTALL[shell]))
    for line, meant in LINES.items():
        closing = "'" if shell == "fish" and line.endswith("'my\t") else ""
        assert terminals[0].run(line + closing) == meant, line
    assert not [*place.rglob("pwned")]


@each_shell
def test_hydras_own_form_installs_it_too(shell: str, place: Path, terminals: list[Terminal]) -> None:
    needs(shell)
    form = f"tinystories-lm train -sc install={shell}"
    terminals.append(Terminal(shell, place, install=f"{form} | source" if shell == "fish" else f'eval "$({form})"'))
    assert terminals[0].run("tinystories-lm train experiment=smo\t") == ["train", "experiment=smoke"]


@pytest.mark.slow
def test_hydras_line_for_bash_works_in_zsh_as_hydra_documents_it(place: Path, terminals: list[Terminal]) -> None:
    needs("zsh")
    hydras = (
        'autoload -Uz compinit bashcompinit; compinit -i; bashcompinit; eval "$(tinystories-lm train -sc install=bash)"'
    )
    terminals.append(Terminal("zsh", place, install=hydras))
    assert terminals[0].run("tinystories-lm train experiment=smo\t") == ["train", "experiment=smoke"]


@each_shell
def test_uninstall_removes_what_install_made(shell: str, place: Path) -> None:
    needs(shell)
    known = {
        "bash": "complete -p tinystories-lm",
        "zsh": "echo $_comps[tinystories-lm]",
        "fish": "complete -c tinystories-lm",
    }[shell]

    def shown(*lines: str) -> str:
        environment = {"PATH": f"{place / 'bin'}:/usr/bin:/bin", "HOME": str(place)}
        done = subprocess.run(
            [*START[shell][:-1], "-c", "\n".join(lines)], env=environment, capture_output=True, text=True, timeout=120
        )
        return done.stdout

    install = INSTALL[shell]
    assert "tinystories_lm" in shown(install, known)
    assert "tinystories" not in shown(install, install.replace("completion", "completion --uninstall"), known)
    hydras = install.replace("completion ", "train -sc uninstall=")
    assert "tinystories" not in shown(install, hydras, known)
