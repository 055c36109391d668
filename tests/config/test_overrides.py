"""What a person types reaches the config as typed, whatever characters it has."""

import logging
from pathlib import Path

import pytest

from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.config.overrides import as_text, readable

STRANGE = [
    "josé",
    "presets (copy)",
    "it's",
    "a=b",
    "[1]",
    "a,b",
    "100%",
    "物語",
    "a{b}",
    "x:y",
    "$HOME",
    "back\\slash",
    "?*",
]


@pytest.mark.parametrize("name", STRANGE)
def test_a_path_that_exists_is_taken_as_it_stands(tmp_path: Path, name: str) -> None:
    register()
    (tmp_path / name).mkdir()
    for typed in (f"data.path={tmp_path / name}", f"data.path={as_text(str(tmp_path / name))}"):
        assert compose_config([typed]).config.data.path == str(tmp_path / name)
    composed = compose_config([f"hydra.run.dir={tmp_path / name}"])
    assert composed.output_folder == tmp_path / name


def test_text_outside_ascii_needs_no_quotes() -> None:
    register()
    assert compose_config(["name=schöner_name"]).config.name == "schöner_name"


def test_the_home_folder_is_expanded_and_named(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert readable(["data.path=~/stories"]) == [f"data.path={Path.home()}/stories"]
    assert f"~ is the home folder, {Path.home()}" in caplog.text


def test_what_hydra_reads_is_left_alone() -> None:
    typed = ["training.seed=range(3)", "experiment=glob(round*)", "data.path=a.txt,b.txt", "+sweep=seeds", "~tracking",
             "sampling.prompts=['One day','Mia (7)']", "training.lr=choice(1,2)"]  # fmt: skip
    assert readable(typed) == typed
    assert readable(readable(["data.path=josé"])) == ["data.path='josé'"]


def test_of_a_setting_given_twice_the_last_value_is_used_and_a_line_says_so(caplog: pytest.LogCaptureFixture) -> None:
    register()
    typed = [
        "training.steps=5",
        "model=gpt_2m",
        "++training.seed=1",
        "training.steps=7",
        "model=tiny",
        "training.seed=1",
    ]
    with caplog.at_level(logging.WARNING):
        job = compose_config(typed)
    assert (job.config.training.steps, job.config.training.seed) == (7, 1)
    assert job.config.model == compose_config(["model=tiny"]).config.model
    assert list(job.overrides) == typed[3:]
    assert caplog.messages.count("training.steps is given twice: training.steps=7, the last one, is used") == 1
    assert "model is given twice: model=tiny, the last one, is used" in caplog.messages
