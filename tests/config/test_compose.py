"""What a person may type, and what they are told when it is wrong: one line, with what to type instead."""

import dataclasses
from pathlib import Path

import pytest
import yaml

from tinystories_lm.config.choices import Boundary, DecayShape, Source
from tinystories_lm.config.compose import Composed, compose_config, expand_sweep, register
from tinystories_lm.config.fingerprint import config_hash
from tinystories_lm.config.presets import conf_folder
from tinystories_lm.config.schema import Config, settings
from tinystories_lm.model.flops import count_parameters
from tinystories_lm.planning.estimate import Speed, estimate
from tinystories_lm.planning.preflight import ResolvedJob, check_what_is_left
from tinystories_lm.runs.status import Status, write_status
from tinystories_lm.system.errors import UsageError

PRESETS = sorted(path.stem for path in (conf_folder() / "experiment").glob("*.yaml"))


def composed(*overrides: str) -> Composed:
    register()
    return compose_config(overrides)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_composes_and_is_named_as_its_file(preset: str) -> None:
    assert composed(f"experiment={preset}").config.name == preset


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_says_in_its_head_what_to_type_and_holds_no_hydra_keys(preset: str) -> None:
    text = (conf_folder() / "experiment" / f"{preset}.yaml").read_text(encoding="utf-8")
    assert text.startswith("# @package _global_\n")
    assert f"tinystories-lm train experiment={preset}" in text
    assert "\nhydra:" not in text
    assert len([line for line in text.splitlines() if line and not line.startswith("#")]) <= 15


@pytest.mark.parametrize("group", ["model", "data", "optimizer", "schedule", "hardware", "tracking", "sampling"])
def test_every_choice_of_every_group_composes(group: str) -> None:
    for choice in (conf_folder() / group).glob("*.yaml"):
        composed(f"{group}={choice.stem}")


@pytest.mark.parametrize("group", ["model", "schedule", "hardware"])
def test_a_choice_repeats_no_default(group: str) -> None:
    defaults = yaml.safe_load((conf_folder() / "config.yaml").read_text(encoding="utf-8"))[group]
    for choice in (conf_folder() / group).glob("*.yaml"):
        given = yaml.safe_load(choice.read_text(encoding="utf-8"))
        assert not {key for key, value in given.items() if key in defaults and defaults[key] == value}, choice


@pytest.mark.parametrize(
    ("preset", "model", "steps", "corpus"),
    [("round2", (8, 512, 8), 15_000, "tinystories"), ("round3", (8, 512, 8), 50_000, "tinystories"),
     ("round4", (12, 768, 12), 30_000, "tinystories")],
)  # fmt: skip
def test_the_rounds_carry_the_published_settings(
    preset: str, model: tuple[int, int, int], steps: int, corpus: str
) -> None:
    config = composed(f"experiment={preset}").config
    assert (config.model.n_layers, config.model.d_model, config.model.n_heads) == model
    assert (config.training.steps, config.training.batch_size, config.model.context_tokens) == (steps, 64, 512)
    assert (config.data.name, config.data.vocab_size, config.hardware.name) == (corpus, 4096, "auto")


def test_round1_is_the_28m_model_on_wikitext2() -> None:
    config = composed("experiment=round1").config
    assert (config.model.n_layers, config.model.d_model, config.model.context_tokens) == (8, 512, 512)
    assert (config.data.name, config.data.boundary) == ("wikitext2", Boundary.wikitext)


@pytest.mark.parametrize(("model", "millions"), [("gpt_28m", 28), ("gpt_91m", 91)])
def test_the_models_are_within_five_percent_of_their_names(model: str, millions: int) -> None:
    config = composed(f"model={model}").config
    assert count_parameters(config.model, vocab_size=4096).total == pytest.approx(millions * 1e6, rel=0.05)


def test_a_command_line_override_wins_over_a_preset() -> None:
    config = composed("experiment=round2", "training.steps=77", "schedule=wsd", "data=stories").config
    assert (config.training.steps, config.schedule.decay_shape) == (77, DecayShape.linear)
    assert (config.data.source, config.training.batch_size) == (Source.grammar, 64)
    assert config.training.warmup_steps == 3, "a share of the steps, unless it is given"


MISTAKES = [
    (["experiment=rond1"], "did you mean round1"),
    (["experiment=xyzzy"], "choose one of round1"),
    (["model=gpt28"], "did you mean gpt_28m"),
    (["hardware=tpu"], "no such hardware"),
    (["training.stepz=5"], "did you mean training.steps"),
    (["training.step=5"], "did you mean training.steps"),
    (["steps=5"], "did you mean training.steps"),
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
    (["training.steps=5", "training.steps=6"], "training.steps is given twice"),
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
    (["hydra.launcher._target_=os.system"], "_target_ is refused"),
    (["+x={_target_:os.system}"], "_target_ is refused"),
    (["hydra.foo=1"], "hydra.foo: there is no such setting"),
    (["name=../../etc"], "must be a plain folder name"),
    (["training.steps=[1"], "training.steps"),
]


@pytest.mark.parametrize(("overrides", "words"), MISTAKES, ids=[" ".join(mistake[0]) for mistake in MISTAKES])
def test_a_mistake_is_told_in_one_line_that_names_it(overrides: list[str], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        composed(*overrides)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_config_is_set_once() -> None:
    config = composed().config
    with pytest.raises(AttributeError, match="already set"):
        config.training.steps = 5


def test_every_setting_reaches_the_typed_config() -> None:
    config = composed().config
    for name in settings(config):
        section, _, key = name.rpartition(".")
        assert hasattr(getattr(config, section) if section else config, key)
    sections = [section for section in dataclasses.fields(Config) if section.name != "name"]
    count = sum(len(dataclasses.fields(getattr(config, section.name))) for section in sections)
    assert len(settings(config)) == count + 1


def test_a_sweep_is_the_product_of_its_choices() -> None:
    assert expand_sweep(["experiment=glob(round*)"]) == [[f"experiment=round{number}"] for number in (1, 2, 3, 4)]
    jobs = expand_sweep(["model=tiny,gpt_28m", "training.seed=range(3)", "training.steps=5"])
    assert len(jobs) == 6
    assert jobs[0] == ["model=tiny", "training.seed=0", "training.steps=5"]
    register()
    assert len({config_hash(compose_config(job).config) for job in jobs}) == 6


def test_two_compositions_do_not_touch_each_other() -> None:
    first = composed("model=gpt_28m", "training.seed=3").config
    second = composed().config
    assert (first.model.d_model, first.training.seed) == (512, 3)
    assert (second.model.d_model, second.training.seed) == (192, 0)


def test_a_users_own_preset_folder_is_searched(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# @package _global_\nname: mine\ntraining:\n  steps: 3\n")
    register()
    assert compose_config(["experiment=mine"], config_dir=str(tmp_path)).config.training.steps == 3


def test_a_name_that_is_no_text_is_refused_before_it_is_stored() -> None:
    """A file's name in another encoding: no config.yaml that holds it could be read again."""
    with pytest.raises(UsageError, match=r"data\.path=/data/caf\\udce9: that is no text"):
        compose_config(["data.path='/data/caf\udce9'", "hardware=cpu"])


def test_a_mistake_in_a_folder_of_ones_own_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="config-dir=.*nowhere is no folder"):
        compose_config([], config_dir=str(tmp_path / "nowhere"))
    for group, text in (("experiment", "name: café\n".encode("latin-1")), ("sweep", b"hydra: [1\n")):
        (tmp_path / group).mkdir()
        (tmp_path / group / "mine.yaml").write_bytes(b"# @package _global_\n" + text)
    with pytest.raises(UsageError) as refused:
        compose_config(["experiment=mine"], config_dir=str(tmp_path))
    assert "\n" not in str(refused.value)
    with pytest.raises(UsageError) as refused:
        expand_sweep(["+sweep=mine"], config_dir=str(tmp_path))
    assert "\n" not in str(refused.value)


def test_only_what_is_left_of_a_run_has_to_be_affordable(tmp_path: Path) -> None:
    """A run that goes on, or is over, is not refused for what it would take from its beginning."""
    config = compose_config(["model=tiny", "training.steps=1000", "hardware=cpu"]).config
    whole = estimate(config, Speed(1e6)).seconds / 3600
    config = dataclasses.replace(config, training=dataclasses.replace(config.training, max_hours=whole / 2))
    job = ResolvedJob(config, tmp_path, Speed(1e6))
    with pytest.raises(UsageError, match="would take about"):
        check_what_is_left(job)
    write_status(job.run, Status.INTERRUPTED, reason="signal", step=900)
    check_what_is_left(job)
