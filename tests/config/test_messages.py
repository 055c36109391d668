"""A mistake in what was typed, or in a file, is one line that names the setting and what to type instead."""

from pathlib import Path

import pytest

from tinystories_lm.config.compose import compose_config, compose_sweep, register
from tinystories_lm.system.errors import UsageError


def refusal(*overrides: str, config_dir: Path | None = None) -> str:
    register()
    with pytest.raises(UsageError) as refused:
        compose_config(overrides, config_dir=str(config_dir) if config_dir else None)
    assert "\n" not in str(refused.value)
    return str(refused.value)


MISTAKES = [
    (["+sweep=a\0b"], "a NUL character"),
    (["hydra.job.chdir=true"], "hydra.job.chdir=true is not supported"),
    (["sampling.prompts=[é]"], "sampling.prompts=['text','text']"),
    (["tracking.project=team/stories"], "tracking.project=team/stories has '/'"),
    (["tracking.project=" + "x" * 129], "must have at most 128 characters"),
    (["tracking.entity=a:b"], "tracking.entity=a:b has ':'"),
    (["tracking.tags=['']"], "a tag of W&B has 1 to 64 characters"),
    (["tracking.tags=[" + "x" * 65 + "]"], "a tag of W&B has 1 to 64 characters"),
    (["experiment=rond1"], "did you mean round1"),
    (["experiment=xyzzy"], "choose one of round1"),
    (["model=gpt28"], "did you mean gpt_28m"),
    (["hardware=tpu"], "no such hardware"),
    (["training.stepz=5"], "did you mean training.steps"),
    (["training.step=5"], "did you mean training.steps"),
    (["steps=5"], "did you mean training.steps"),
    (["modle=tiny"], "did you mean model?"),
    (["experimnt=smoke"], "did you mean experiment?"),
    (["foo.bar=1"], "there is no such setting"),
    (["+training.foo=1"], "training.foo: there is no such setting"),
    (["+foo=1"], "foo: there is no such setting"),
    (["~training.steps"], "training.steps"),
    (["training.steps"], "training.steps"),
    (["training.steps=1e3"], "training.steps: Value '1000.0'"),
    (["training.steps=1.5"], "training.steps: Value '1.5'"),
    (["training.steps=abc"], "training.steps: Value 'abc'"),
    (["training.steps=null"], "training.steps"),
    (["training.steps=0"], "training.steps=0 must be at least 1"),
    (["training.steps=-5"], "training.steps=-5 must be at least 1"),
    (["training.batch_size=0"], "training.batch_size=0 must be at least 1"),
    (
        ["training.batch_size=6", "training.micro_batch_size=4"],
        "is not a multiple of training.micro_batch_size=4; use 2",
    ),
    (["training.steps=5", "training.warmup_steps=6"], "training.warmup_steps=6 must lie in 0 to training.steps=5"),
    (["training.steps=5", "training.steps=0"], "training.steps=0 must be at least 1"),
    (["training.fresh=2"], "training.fresh is either true or false"),
    (["training.fresh=maybe"], "training.fresh"),
    (["training=5"], "training"),
    (["model.n_heads=7"], "model.d_model=192 is not a multiple of 2 × model.n_heads=7; use 182 or 196"),
    (["model.n_layers=0"], "model.n_layers=0"),
    (["model.norm_eps=0"], "model.norm_eps=0.0 must lie"),
    (["optimizer.eps=1e-300"], "optimizer.eps=1e-300 must lie in [1e-30, 1)"),
    (
        ["optimizer.tuned_at_width=1000000000000"],
        "gives a learning rate of 72.2 at model.d_model=192, which must lie in (0, 10)",
    ),
    (["hardware.threads=100000"], "hardware.threads=100000 must lie in 0 (all cores) to 1024"),
    (["optimizer.lr=inf"], "optimizer.lr=inf must lie in (0, 10)"),
    (["optimizer.lr=nan"], "optimizer.lr=nan must lie in (0, 10)"),
    (["optimizer.lr=0"], "optimizer.lr=0.0 must lie in (0, 10)"),
    (["optimizer.lr=-1"], "optimizer.lr=-1.0 must lie in (0, 10)"),
    (["optimizer.beta2=1"], "optimizer.beta2=1.0 must lie in [0, 1)"),
    (["data.vocab_size=70000"], "data.vocab_size=70000 must lie in 257"),
    (["data.boundary=page"], "data.boundary: Invalid value 'page', expected one of [endoftext, wikitext]"),
    (["data.path=''"], "data.path is empty"),
    (["sampling.top_p=0"], "sampling.top_p=0.0 must lie in (0, 1]"),
    (["model=tiny,gpt_28m"], "several values make a sweep: add -m"),
    (["hydra.launcher._target_=os.system"], "hydra.launcher._target_=os.system is refused"),
    (["+x={_target_:os.system}"], "_target_ is refused"),
    (["hydra.foo=1"], "hydra.foo: there is no such setting"),
    (["name=../../etc"], "must be a plain folder name"),
    (["training.steps=[1"], "training.steps"),
]


@pytest.mark.parametrize(("overrides", "words"), MISTAKES, ids=[" ".join(mistake[0]) for mistake in MISTAKES])
def test_a_mistake_is_one_line_that_names_it_and_the_fix(overrides: list[str], words: str) -> None:
    assert words in refusal(*overrides)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "training:\n  stepz: 3",
            "training.stepz: there is no such setting; did you mean training.steps?",
        ),
        (
            "training:\n  steps: many",
            "training.steps: Value 'many' of type 'str' could not be converted to Integer",
        ),
        ("steps: 3", "steps: there is no such setting; did you mean training.steps?"),
    ],
)
def test_a_mistake_in_a_preset_is_one_line_that_names_the_file(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{text}\n")
    assert refusal("experiment=mine", config_dir=tmp_path) == f"{message} (in experiment/mine)"


def test_a_file_that_is_not_yaml_is_one_line(tmp_path: Path) -> None:
    assert "nowhere is not a folder" in refusal(config_dir=tmp_path / "nowhere")
    for group, text in (("experiment", "name: café\n".encode("latin-1")), ("sweep", b"hydra: [1\n")):
        (tmp_path / group).mkdir()
        (tmp_path / group / "mine.yaml").write_bytes(b"# @package _global_\n" + text)
    refusal("experiment=mine", config_dir=tmp_path)
    with pytest.raises(UsageError) as refused:
        compose_sweep(["+sweep=mine"], config_dir=str(tmp_path))
    assert "\n" not in str(refused.value)


def test_a_file_name_that_is_not_unicode_is_refused_before_it_is_stored() -> None:
    """No config.yaml that holds it could be read again."""
    message = refusal("data.path='/data/caf\udce9'", "hardware=cpu")
    assert message.startswith("data.path=/data/caf\\udce9 is not valid Unicode")


def test_a_value_that_refers_to_another_setting_is_refused_if_composing_leaves_it() -> None:
    assert "contains ${" in refusal(r"sampling.prompts=['\${name}']")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("training:\n  steps: 3\n", "experiment/mine.yaml: its settings are not where they belong"),
        ("# @package _global_\ntraining:\n\tsteps: 3\n", "experiment/mine.yaml, line 3: this is not YAML"),
        ("# @package _global_\ntraining: {stepps: 3}\n", "training.stepps: there is no such setting; did you mean"),
        ("# @package _global_\ntraining: {steps: abc}\n", "training.steps: Value 'abc' of type 'str'"),
    ],
)
def test_a_mistake_in_an_own_preset_names_the_file_and_the_key(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(text)
    refused = refusal("experiment=mine", config_dir=tmp_path)
    assert said in refused and "experiment/mine" in refused
