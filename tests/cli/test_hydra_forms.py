"""Every row of "Hydra's flags and forms" in docs/configuration.md happens as the row says."""

import importlib.util
import re
import shlex
from pathlib import Path
from typing import NamedTuple

import hydra
import pytest
from hydra._internal.utils import get_args_parser

from tests.config.test_compose import expanded
from tests.conftest import REPOSITORY, SMALL_RUN, Command
from tinystories_lm import __version__

CALLBACK = "hydra.experimental.callbacks.LogJobReturnCallback"


class Seen(NamedTuple):
    """What the command does.

    says: text on standard output after success, or on standard error after a refusal.
    more: words that are added, so that the form trains nothing.
    """

    code: int
    says: str
    more: str = "--cfg job"


def refused(says: str) -> Seen:
    return Seen(2, says, "")


ROWS = {
    "--help": Seen(0, "experiment", ""),
    "--hydra-help": Seen(0, "hydra/job_logging: default", ""),
    "--shell-completion install=bash": Seen(0, "complete -o nospace -F _tinystories_lm tinystories-lm", ""),
    "-sc uninstall=bash": Seen(0, "complete -r tinystories-lm", ""),
    "-sc install=tcsh": refused("install=SHELL or uninstall=SHELL, with bash, zsh, fish"),
    "--version": Seen(0, __version__, ""),
    "--cfg job": Seen(0, "micro_batch_size: ${training.batch_size}", ""),
    "--cfg job --resolve": Seen(0, "micro_batch_size: 32", "training.batch_size=32"),
    "--cfg job --package model": Seen(0, "n_layers: 4", ""),
    "--cfg hydra": Seen(0, "hydra:\n  run:", ""),
    "--cfg hydra --resolve": refused("type --cfg all --resolve"),
    "--info defaults": Seen(0, "Defaults List", ""),
    "--resolve": refused("type --cfg job --resolve"),
    "--package model": refused("type --cfg job --package"),
    "-m --cfg job": refused("-m and --cfg exclude each other: keep one"),
    "-m --info defaults": refused("-m and --info exclude each other: keep one"),
    "-r -m": refused("-r and -m exclude each other: keep one"),
    "-m hydra/sweeper=NAME": refused("hydra/sweeper=NAME"),
    "-m optimizer.lr=interval(1e-4,1e-2)": refused("type `tinystories-lm sweep NAME --search N`"),
    "training.seed=0,1": refused("several values make a sweep: add -m, or use key=[a,b] for a list"),
    "hydra.mode=MULTIRUN": refused("these are 2: give each setting one value")._replace(
        more="--cfg job training.seed=0,1"
    ),
    "-m hydra.mode=RUN": refused("contradict each other: remove one"),
    "training.steps=5 training.steps=7": Seen(0, "steps: 7\n"),
    "++training.steps=7": Seen(0, "steps: 7\n"),
    "+training.steps=7": refused("training.steps"),
    "+training.foo=7": refused("training.foo: there is no such setting"),
    "~tracking": refused("tracking"),
    "--config-dir mine experiment=own": Seen(0, "name: own"),
    "hydra.searchpath=[mine] experiment=own": Seen(0, "name: own", "--config-dir other --cfg job"),
    "--config-path mine": refused("--config-dir"),
    "--config-name own": refused("--config-dir"),
    "--experimental-rerun job.pickle": refused("replay RUN"),
    "hydra.run.dir=here": Seen(0, "dir: here", "--cfg hydra"),
    "hydra.output_subdir=null": Seen(0, "output_subdir: null", "--cfg hydra"),
    "hydra.job.chdir=true": refused("hydra.job.chdir=true is not supported"),
    "hydra/job_logging=default": Seen(0, "ext://sys.stdout", "--cfg hydra"),
    "hydra/job_logging=colorlog": Seen(0, "colorlog.ColoredFormatter", "--cfg hydra"),
    "--config-dir mine hydra/callbacks=log": Seen(0, CALLBACK, "--cfg hydra"),
    f"+hydra.callbacks.log._target_={CALLBACK}": Seen(0, CALLBACK, "--cfg hydra"),
    "+hydra.callbacks.log._target_=mine.Callback": refused("settings choose values, not code"),
}
# Tests below, of compose_sweep, and of tests/sweeps.
SWEPT = (
    "-m training.seed=0,1",
    "hydra.sweep.subdir='${hydra.job.num}'",
    "--config-dir mine -m experiment=swept",
    "-m hydra/launcher=processes",
)


def test_the_table_has_the_rows_that_are_tested() -> None:
    page = (REPOSITORY / "docs" / "configuration.md").read_text(encoding="utf-8")
    section = page.partition("## Hydra's flags and forms\n")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)) == sorted([*ROWS, *SWEPT])


@pytest.mark.parametrize("form", ROWS)
def test_a_form_does_what_its_row_says(command: Command, tmp_path: Path, form: str) -> None:
    if "colorlog" in form and importlib.util.find_spec("hydra_plugins.hydra_colorlog") is None:
        pytest.skip("hydra-colorlog is not installed")
    for folder in ("experiment", "hydra/callbacks"):
        (tmp_path / "mine" / folder).mkdir(parents=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "mine" / "experiment" / "own.yaml").write_text("# @package _global_\nname: own\n")
    (tmp_path / "mine" / "hydra" / "callbacks" / "log.yaml").write_text(f"log: {{_target_: {CALLBACK}}}\n")
    row = ROWS[form]
    done = command("train", *shlex.split(f"{form} {row.more}"))
    assert done.returncode == row.code, done.stderr
    assert row.says in (done.stderr if row.code else done.stdout), done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == (1 if row.code or "steps=5" in form else 0), done.stderr
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize("flag", ["--help", "--hydra-help"])
def test_help_has_the_flags_of_hydra_that_are_not_refused(command: Command, flag: str) -> None:
    shown = command("train", flag).stdout
    refused = {"--config-path", "--config-name", "--experimental-rerun"}
    assert refused <= {form.split()[0] for form, row in ROWS.items() if row.code}
    for action in get_args_parser()._actions:
        for name in action.option_strings[:1]:
            assert (name in shown) is (name not in refused), name


@pytest.mark.parametrize(
    "swept",
    ["training.seed=0,1", "training.seed=choice(0,1)", "training.seed=range(2)", "training.seed=sort(1,0)"],
)
def test_each_form_of_several_values_is_one_job_each(swept: str) -> None:
    assert expanded([swept]) == [["training.seed=0"], ["training.seed=1"]]
    assert sorted(expanded(["training.seed=shuffle(0,1)"])) == [["training.seed=0"], ["training.seed=1"]]
    assert expanded(["optimizer=glob(a*)", swept]) == [["optimizer=adamw", f"training.seed={n}"] for n in (0, 1)]


def test_hydras_mode_numbered_folders_and_callbacks_work_in_one_sweep(
    command: Command, corpus: Path, tmp_path: Path
) -> None:
    short = [*SMALL_RUN, f"data.path={corpus}", "training.steps=1", f"+hydra.callbacks.log._target_={CALLBACK}"]
    words = [*short, "hydra.mode=MULTIRUN", "training.seed=0,1", "hydra.sweep.subdir=${hydra.job.num}"]
    done = command("train", *words, "hydra.sweep.dir=swept")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "swept").iterdir() if path.is_dir()) == ["0", "1"]
    for seed in ("0", "1"):
        config = (tmp_path / "swept" / seed / ".hydra" / "config.yaml").read_text()
        assert f"seed: {seed}\n" in config
    has_effect = hydra.__version__.startswith("1.3")  # later the callback does nothing, and says so
    assert done.stderr.count("Succeeded with return value") == (2 if has_effect else 0)
    assert not (tmp_path / "outputs" / "run").exists()
