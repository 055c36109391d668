"""What completion offers is what the program takes: compared with argparse, Hydra, OmegaConf and the lookup of runs."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hydra._internal.utils import get_args_parser
from omegaconf import DictConfig, OmegaConf

from tests.analysis.report.runs import make_run
from tests.cli.test_main import HEAVY
from tinystories_lm.cli.command import Parser
from tinystories_lm.cli.completion.candidates import find_candidates
from tinystories_lm.cli.completion.overrides import HYDRAS_SETTINGS
from tinystories_lm.cli.main import COMMANDS
from tinystories_lm.config.compose import compose_config, compose_text, hydras_groups, register
from tinystories_lm.config.explanation import explain
from tinystories_lm.config.presets import conf_folder
from tinystories_lm.config.schema import Config
from tinystories_lm.runs.lookup import find_run, find_sweep

REFUSED_OF_HYDRA = {"--config-path", "--config-name", "--experimental-rerun"}  # tests/cli/test_hydra_forms.py


def offered(line: str) -> list[str]:
    """Return what is offered for the last word of a line, which may be empty."""
    *words, word = line.split(" ")
    return [candidate.text for candidate in find_candidates(words, word, COMMANDS)]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("work")
    for place in ("round2/2026-01-01_00-00-00_01234567", "smoke/2026-01-01_00-00-00_89abcdef", "sweeps/wide/aaaa"):
        make_run(work / "outputs" / place, steps=50)
    shutil.copytree(work / "outputs/smoke", work / "outputs/evil\n\x1b[2J")
    (work / "outputs" / "cache" / "0123").mkdir(parents=True)
    for name in ("experiment/mine.yaml", "sweep/rates.yaml", "corpus/own.yaml"):
        (work / "my" / name).parent.mkdir(parents=True)
        (work / "my" / name).write_text("# @package _global_\n# What is mine?\nname: mine\n")
    (work / "text.txt").touch()
    return work


@pytest.fixture
def inside(work: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(work)
    return work


def test_the_first_word_is_a_command() -> None:
    assert offered("") == sorted([*COMMANDS, "help", "--help", "--version"])
    assert offered("help ") == sorted(COMMANDS)
    assert offered("nothing ") == []


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "train"])
def test_the_flags_are_those_of_the_commands_parser(name: str) -> None:
    parser = Parser()
    for argument in COMMANDS[name].arguments:
        argument.add_to(parser)
    long = [flag for action in parser._actions for flag in action.option_strings if flag.startswith("--")]
    assert offered(f"{name} -") == sorted(long)


def test_the_flags_of_train_are_those_of_hydra_that_are_not_refused() -> None:
    actions = [action for action in get_args_parser()._actions if action.option_strings]
    assert offered("train --") == sorted({action.option_strings[0] for action in actions} - REFUSED_OF_HYDRA)
    for action in actions:
        if action.choices:
            assert offered(f"train {action.option_strings[-1]} ") == sorted(action.choices)
        for name in action.option_strings:
            assert (name in offered(f"train {name}")) is (action.option_strings[0] not in REFUSED_OF_HYDRA)


def test_a_flag_is_offered_once_unless_it_may_be_repeated() -> None:
    assert "--seed" not in offered("sample smoke --seed 3 --") and "--seed" in offered("sample smoke --")
    assert "--prompt" in offered("sample smoke --prompt a --")


def test_the_word_after_a_flag_is_its_value() -> None:
    assert offered("sample smoke --device ") == ["auto", "cpu", "cuda", "mps"]
    assert offered("sample smoke --device=c") == ["--device=cpu", "--device=cuda"]
    assert offered("sample smoke --prompt ") == [] == offered("sample smoke --device cpu c")
    assert offered("scaling wide --predict model=tiny experiment=smo") == ["experiment=smoke"]
    assert "--dollars" in offered("scaling wide --predict model=tiny --d")


def test_every_setting_of_the_composed_yaml_is_offered_below_its_section() -> None:
    register()
    composed = OmegaConf.create(compose_text([], resolve=False))
    assert isinstance(composed, DictConfig)
    for section, part in ((str(name), composed[name]) for name in composed):
        if OmegaConf.is_dict(part):
            assert f"{section}." in offered(f"train {section[:3]}")
            assert offered(f"train {section}.") == sorted(f"{section}.{key}=" for key in part)
        else:
            assert f"{section}=" in offered("train ")
    assert offered("train ++training.st") == ["++training.steps="]


def test_every_offered_value_of_a_setting_has_its_type() -> None:
    sections = {field.name: field.type for field in dataclasses.fields(Config) if dataclasses.is_dataclass(field.type)}
    schema = OmegaConf.create({name: OmegaConf.structured(kind) for name, kind in sections.items()})
    values: dict[str, list[str]] = {}
    for section in [name for name in offered("plan ") if name.endswith(".") and name != "hydra."]:
        for key in [key for key in offered(f"plan {section}") if "path" not in key and "init_from" not in key]:
            for override in offered(f"plan {key}"):
                name, _, value = override.partition("=")
                OmegaConf.update(schema, name, None if value == "null" else value)
                values.setdefault(name, []).append(value)
    assert values["training.fresh"] == ["false", "true"]
    assert values["hardware.residual"] == ["bfloat16", "float32"]  # auto is refused
    assert values["hardware.attention"] == ["auto", "blocks", "cudnn", "efficient", "flash", "math"]
    assert "null" in values["tracking.entity"]
    assert offered("train hardware.device=cpu,cu") == ["hardware.device=cpu,cuda"]


def test_the_choices_are_the_files_of_conf_and_of_ones_own_folder(inside: Path) -> None:
    groups = [folder.name for folder in conf_folder().iterdir() if folder.is_dir() and folder.name[0] not in "._"]
    for group in set(groups) - {"hydra", "sweep"}:
        names = sorted(file.stem for file in (conf_folder() / group).glob("*.yaml"))
        assert f"{group}=" in offered("train ")
        assert offered(f"train {group}=") == [f"{group}={name}" for name in names]
    assert offered("train model=tiny,gpt_2") == ["model=tiny,gpt_28m", "model=tiny,gpt_2m"]
    assert "+sweep=seeds" in offered("train -m +sweep=") and "seeds" in offered("sweep ")
    assert "mine" not in str(offered("train experiment="))
    for flag in ("--config-dir my", "--config-dir=my", "-cd my"):
        assert "experiment=mine" in offered(f"train {flag} experiment=")
        assert "corpus=" in offered(f"train {flag} c") and "+sweep=rates" in offered(f"train {flag} +sweep=")
    (mine,) = find_candidates(["train", "-cd", "my"], "experiment=mi", COMMANDS)
    assert mine.help == "What is mine?"


def test_hydras_groups_and_settings_are_hydras() -> None:
    register()
    groups = hydras_groups()
    assert offered("train hydra/") == sorted(f"{group}=" for group in groups)
    for group in groups:
        found = {choice.partition("=")[2] for choice in offered(f"train {group}=")}
        assert found <= set(groups[group]) and found
    for key in HYDRAS_SETTINGS:
        assert f"{key}=" in offered("train hydra.")
    words = ["hydra.mode=RUN", "hydra.verbose=true", "hydra.output_subdir=null", "hydra.run.dir=here"]
    compose_config([*words, "hydra.searchpath=[]", "hydra.sweep.dir=x", "hydra.sweep.subdir=y"])
    for word in words[:3]:
        assert word in offered(f"train {word.partition('=')[0]}=")


@pytest.mark.parametrize("word", ["", "training.", "model=", "+sweep="])
def test_what_is_offered_to_explain_is_explained(word: str) -> None:
    names = [name for name in offered(f"explain {word}") if not name.endswith(".")]
    assert names and all(explain(name) for name in names)
    assert {"model", "model.", "training.", "name", "sweep"} <= set(offered("explain "))


@pytest.mark.parametrize("line", ["show ", "show smoke/", "train smo", "diff smoke ", "sample ", "show wide/"])
def test_every_offered_run_is_found_by_its_name(line: str, inside: Path) -> None:
    names = [name for name in offered(line) if not name.endswith(("/", "=", "."))]
    assert names and all(find_run(name) for name in names)
    assert "smoke" in names or "smoke/89abcdef" in names or "wide/aaaa" in names


def test_runs_are_offered_by_preset_and_one_by_one_after_a_slash(inside: Path) -> None:
    assert offered("show ") == ["latest", "round2", "round2/", "smoke", "smoke/", "wide", "wide/"]
    assert offered("show round2/") == ["round2/01234567"]
    assert all(name.endswith("/") for name in offered("show ../")) and offered("show /nowhere/") == []
    assert offered("show outputs/r") == ["outputs/round2/"]
    assert offered("show smoke ") == []
    assert offered("scaling ") == ["wide"] and find_sweep("wide")
    assert offered("train training.init_from=sm") == ["training.init_from=smoke", "training.init_from=smoke/"]
    assert {"outputs/", "my/"} <= set(offered("export smoke ")) and "text.txt" not in offered("export smoke ")
    assert {"data.path=my/", "data.path=text.txt"} <= set(offered("train data.path="))


def test_without_any_run_nothing_is_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert offered("show ") == []


def test_only_what_a_person_can_type_is_offered(inside: Path) -> None:
    os.mkfifo("a\nb")
    Path(os.fsdecode(b"\xff")).touch()
    assert "evil" not in str(offered("show ")) and "evil" not in str(offered("show evil"))
    assert "text.txt" in offered("report --out ")
    assert not any("\n" in name or "\udcff" in name for name in offered("report --out "))


@pytest.mark.parametrize(
    ("word", "modules"),
    [("experiment=", {"dataclasses", "yaml"}), ("training.", {"yaml"}), ("tracking.mode=", {"yaml"})],
)
def test_an_answer_needs_few_imports(word: str, modules: set[str], tmp_path: Path) -> None:
    program = (
        "import json, sys; from tinystories_lm.cli import main; "
        f"main.run(['--complete', 'zsh', 'train', {word!r}]); print(json.dumps([*sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    *answer, imported = done.stdout.splitlines()
    assert answer and not (HEAVY | modules) & set(json.loads(imported))
