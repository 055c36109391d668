"""Estimates: one formula of time and money, for every command that asks."""

import dataclasses
import json
from pathlib import Path

import pytest

from tests.conftest import SMALL_RUN, Command
from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.config.schema import Config
from tinystories_lm.model.flops import flops_per_token
from tinystories_lm.planning.estimate import (
    ACTIVATION_PASSES,
    SAMPLED_TOKEN_SECONDS,
    Speed,
    calibrated_hardware,
    count_evaluations,
    estimate,
    keep_calibration,
    read_calibration,
)
from tinystories_lm.planning.memory import activation_bytes_per_token
from tinystories_lm.planning.plan import compose_for_plan, make_plan
from tinystories_lm.planning.preflight import ResolvedJob, check_what_is_left
from tinystories_lm.sweeps.members import plan_members
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.json_files import read_json

FAST = Speed(1e15)


def config(folder: Path, *more: str) -> Config:
    register()
    return compose_config(["hardware=cpu", f"data.cache_dir={folder}", *more]).config


def test_a_calibration_reaches_the_plan_the_refusal_and_the_sweeps_table(tmp_path: Path) -> None:
    asked = config(tmp_path)
    job = ResolvedJob(asked, tmp_path / "run", FAST)
    check_what_is_left(job)
    keep_calibration(asked, tokens_per_second=1.0, when="2026-11-27")
    with pytest.raises(UsageError, match=r"run would take about 1,\d\d\d h \d+ min on this cpu"):
        check_what_is_left(job)
    (member,) = plan_members([job])
    here = make_plan(asked).machines[0]
    assert here.seconds == member.expected.seconds > asked.tokens
    assert here.basis == "measured here: 1 tokens/s, 2026-11-27"


def test_a_calibration_is_found_by_every_name_of_the_hardware_and_for_its_own_step_only(tmp_path: Path) -> None:
    asked = config(tmp_path)
    assert calibrated_hardware(asked) is None and read_calibration(asked) is None
    keep_calibration(asked, tokens_per_second=100.0, when="2026-11-27")
    typed = [f"data.cache_dir={tmp_path}", "hardware=auto"]
    assert read_calibration(compose_for_plan(typed)) == read_calibration(asked) is not None
    assert compose_for_plan([*typed, "hardware.threads=1"]).hardware.threads == 1
    for other in ("training.batch_size=8", "model=gpt_2m", "optimizer=muon", "hardware.precision=bfloat16"):
        assert read_calibration(config(tmp_path, other)) is None, other
    for same in ("training.steps=7", "training.eval_every_steps=3", "name=other", "optimizer.lr=1e-4"):
        assert read_calibration(config(tmp_path, same)) is not None, same


@pytest.mark.parametrize("damage", ["{", "[]", '{"KEY": 3}', '{"KEY": {"tokens_per_second": "fast"}}', '{"KEY": null}'])
def test_a_damaged_calibration_is_none(tmp_path: Path, damage: str) -> None:
    asked = config(tmp_path)
    keep_calibration(asked, tokens_per_second=100.0, when="2026-11-27")
    file = tmp_path / "calibration.json"
    (key,) = (key for key in read_json(file) if "/" in key)
    file.write_text(damage.replace("KEY", key))
    assert read_calibration(asked) is None
    keep_calibration(asked, tokens_per_second=100.0, when="2026-11-27")
    assert read_calibration(asked) is not None


def test_an_estimate_counts_evaluations_and_samples(tmp_path: Path) -> None:
    rare, often = (config(tmp_path, f"training.eval_every_steps={every}") for every in (1000, 100))
    keep_calibration(rare, tokens_per_second=1000.0, when="2026-11-27")
    evaluation = rare.training.eval_tokens / 3 / 1000 + rare.sampling.max_tokens * SAMPLED_TOKEN_SECONDS
    assert estimate(rare, FAST).seconds == pytest.approx(rare.tokens / 1000 + 2 * evaluation)
    assert estimate(often, FAST).seconds == pytest.approx(rare.tokens / 1000 + 11 * evaluation)
    assert estimate(rare, FAST).flops == rare.tokens * flops_per_token(rare.model, vocab_size=rare.data.vocab_size)


@pytest.mark.parametrize(("steps", "every"), [(12, 4), (13, 4), (3, 4), (1, 1), (600, 150)])
def test_the_evaluations_that_are_left_are_those_the_loop_makes(tmp_path: Path, steps: int, every: int) -> None:
    training = config(tmp_path, f"training.steps={steps}", f"training.eval_every_steps={every}").training
    due = [step for step in range(steps + 1) if step % every == 0 or step == steps]
    assert count_evaluations(training) == len(due)
    for start in range(1, steps + 2):  # the one at the start was made before it was saved
        assert count_evaluations(training, start) == len([step for step in due if step > start])


def test_a_cpu_takes_time_for_arithmetic_and_for_memory_a_gpu_its_share_of_the_peak(tmp_path: Path) -> None:
    quiet = ["training.eval_tokens=1", "sampling.prompts=[]", "hardware.utilisation=0.5"]
    asked = config(tmp_path, *quiet)
    flops = flops_per_token(asked.model, vocab_size=asked.data.vocab_size)
    moved = ACTIVATION_PASSES * activation_bytes_per_token(asked, vocab_size=asked.data.vocab_size)
    assert estimate(asked, Speed(1e11)).seconds == pytest.approx(asked.tokens * flops / 0.5e11, rel=1e-5)
    both = asked.tokens * (flops / 0.5e11 + moved / 1e10)
    assert estimate(asked, Speed(1e11, 1e10)).seconds == pytest.approx(both, rel=1e-5)
    dear = dataclasses.replace(asked, hardware=dataclasses.replace(asked.hardware, dollars_per_hour=7200.0))
    assert estimate(dear, Speed(1e11)).dollars == 2 * estimate(asked, Speed(1e11)).seconds


def test_a_run_is_planned_with_what_was_measured(command: Command, corpus: Path, tmp_path: Path) -> None:
    line = [*SMALL_RUN, f"data.path={corpus}"]
    planned = json.loads(command("plan", *line, "--calibrate", "--json").stdout)["machines"][0]
    assert planned["basis"].startswith("measured here") and planned["hardware"] == "cpu"
    assert command("train", *line, "hydra.run.dir=run").returncode == 0
    expected = read_json(tmp_path / "run/environment.json")["plan"]["expected_seconds"]
    assert expected == pytest.approx(planned["seconds"])
