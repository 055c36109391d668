"""Batches depend neither on where a run is cut, nor on what changes before it resumes, nor on other random draws."""

import random
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.faults import trials
from tests.faults.conftest import Whole
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.status import Status, read_status
from tinystories_lm.system.json_files import read_json
from tinystories_lm.training import loop

slow = pytest.mark.slow
US = "tinystories_lm"
STEP = f"{US}.training.loop.learning_rate"  # called once before each step
PART = f"{US}.jobs.workspace.mean_loss"  # called for each micro-batch of a step, or of an evaluation
PARTS = ["training.micro_batch_size=1", "training.batch_size=4"]
EPOCHS = ["training.batch_size=12", "training.micro_batch_size=12"]  # of 227 rows: the 19th step reads of two epochs
SPARSE = ["training.eval_every_steps=6", "training.checkpoint_every_steps=10"]  # best and last are not the same
# The settings, the function and the number of its call at which the run is asked to stop, and the step it stops at.
CUTS = {
    "after the first step": ([], STEP, 2, 1),
    "at a checkpoint": ([], STEP, 13, 12),
    "at a checkpoint and an evaluation": ([], STEP, 17, 16),
    "before the last step": ([], STEP, 40, 39),
    "after the last step, before its evaluation": ([], f"{US}.jobs.workspace.validate", 6, 40),
    "between two micro-batches": (PARTS, PART, 16 + 4 * 5 + 2, 5),  # after the evaluation's 16 and 5 steps of 4
    "after an accumulated step": (PARTS, STEP, 6, 5),
    "before the step that reads of two epochs": (EPOCHS, STEP, 19, 18),
    "after the step that read of two epochs": (EPOCHS, STEP, 20, 19),
    "after an evaluation without a checkpoint": (SPARSE, STEP, 13, 12),
    "in an evaluation without a checkpoint": (SPARSE, f"{US}.jobs.workspace.validate", 3, 12),
}
QUICK = ("between two micro-batches",)


def last(found: dict[str, dict[str, str]]) -> dict[str, object]:
    """Return an ending with the weights of the last step alone: the checkpoint of a stop replaces an older one."""
    return {**found, "weights": {name: sha for name, sha in found["weights"].items() if "step-00000040" in name}}


@pytest.mark.parametrize("cut", [cut if cut in QUICK else pytest.param(cut, marks=slow) for cut in CUTS])
def test_a_run_resumes_bit_for_bit_from_any_boundary(whole: Whole, tmp_path: Path, cut: str) -> None:
    more, function, count, step = CUTS[cut]
    run, undisturbed = tmp_path / "run", tmp_path / "undisturbed"
    ask = trials.at_call(function, trials.send(signal.SIGTERM), count=count)
    assert trials.end(trials.start(whole.corpus, run, whole.cache, *more, first=ask)) == 75, trials.said(run)
    assert read_json(run / "status.json")["step"] == step
    state = read_json(run / f"checkpoints/step-{step:08d}/state.json")
    assert state["best_step"] in {0, 40, *range(0, 40, 6 if more is SPARSE else 4)}, "a stop makes no step the best"
    assert trials.end(trials.start(whole.corpus, run, whole.cache, *more)) == 0, trials.said(run)
    assert trials.end(trials.start(whole.corpus, undisturbed, whole.cache, *more)) == 0
    difference = trials.first_difference(last(trials.ending(run)), last(trials.ending(undisturbed)))
    assert not difference, difference


@slow
def test_a_run_with_raised_steps_reads_the_batches_of_the_longer_run(whole: Whole, tmp_path: Path) -> None:
    """Under a schedule that does not know its end the two runs are the same, bit for bit."""
    constant = ["training.warmup_steps=0", "schedule.final_lr_fraction=1"]
    run, longer = tmp_path / "run", tmp_path / "longer"
    for place, steps in ((run, 24), (run, 40), (longer, 40)):
        words = [whole.cache, *constant, f"training.steps={steps}"]
        assert trials.end(trials.start(whole.corpus, place, *words)) == 0, trials.said(place)
    found, expected = last(trials.ending(run)), last(trials.ending(longer))
    assert found["weights"] == expected["weights"] and found["rows"] == expected["rows"]


def perturbed() -> None:
    """Draw from every global generator before each step, and seed it with another number."""
    real = loop.train_step

    def step(*arguments: object, **named: object) -> loop.StepResult:
        seed = random.SystemRandom().randrange(2**31)
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        torch.rand(3)
        return real(*arguments, **named)  # type: ignore[arg-type]

    loop.train_step = step


def test_no_generator_that_others_draw_from_decides_anything(whole: Whole, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert trials.end(trials.start(whole.corpus, run, whole.cache, first=perturbed)) == 0, trials.said(run)
    assert not (difference := trials.first_difference(trials.ending(run), whole.ending)), difference


REFUSED = [
    "training.seed=1",
    "training.batch_size=8",
    "model.d_ff=96",
    "model.n_layers=1",
    "model.context_tokens=16",
    "data.vocab_size=290",
    "optimizer.lr=2e-3",
    "optimizer=muon",
    "schedule.final_lr_fraction=0.5",
    "training.eval_tokens=256",
    "training.steps=39",
]
CHANGES_ROUNDING = [
    "training.micro_batch_size=2",
    "hardware.precision=bfloat16",
    "hardware.attention=math",
]
CHANGES_NOTHING = ["training.keep_checkpoints=3", "training.max_hours=3", "hardware.dollars_per_hour=2",
                 "training.on_write_error=continue", "training.max_skipped_steps=3"]  # fmt: skip


@pytest.fixture
def stopped_run(whole: Whole, tmp_path: Path) -> Path:
    """Return a run that was stopped after its 13th step."""
    run, ask = tmp_path / "run", trials.at_call(STEP, trials.send(signal.SIGTERM), count=14)
    assert trials.end(trials.start(whole.corpus, run, whole.cache, first=ask)) == 75, trials.said(run)
    return run


@slow
def test_a_setting_that_changes_results_is_refused_with_both_values(whole: Whole, stopped_run: Path) -> None:
    before = {path: path.read_bytes() for path in stopped_run.rglob("*") if path.is_file() and path.name != ".lock"}
    for number, setting in enumerate(REFUSED):
        out = stopped_run.parent / f"{number}.out"
        assert trials.end(trials.start(whole.corpus, stopped_run, whole.cache, setting, out=out)) == 2, setting
        said = out.read_text()
        key, _, value = setting.partition("=")
        assert len(said.splitlines()) == 1 and key in said and (value in said or "2e-3" in value), said
    assert before == {path: path.read_bytes() for path in before}, "a refusal changes nothing"
    assert read_status(RunFolder(stopped_run)) is Status.INTERRUPTED


@slow
@pytest.mark.parametrize("setting", CHANGES_ROUNDING)
def test_a_setting_that_changes_rounding_is_accepted_and_noted_whatever_comes_between(
    whole: Whole, stopped_run: Path, setting: str
) -> None:
    """It is noted as well where the process that changed it is killed before it has saved anything."""
    kill = trials.at_call(STEP, trials.send(signal.SIGKILL), count=2)
    assert trials.end(trials.start(whole.corpus, stopped_run, whole.cache, setting, first=kill)) == -9
    assert trials.end(trials.start(whole.corpus, stopped_run, whole.cache, setting)) == 0, trials.said(stopped_run)
    assert trials.said(stopped_run).count("rounds differently") == 1
    assert trials.ending(stopped_run)["summary"]["exact"] is False


@slow
def test_a_setting_that_changes_nothing_may_change_without_a_word(whole: Whole, stopped_run: Path) -> None:
    out = stopped_run.parent / "again"
    assert trials.end(trials.start(whole.corpus, stopped_run, whole.cache, *CHANGES_NOTHING, out=out)) == 0, (
        out.read_text()
    )
    assert not any(setting.partition("=")[0] in line for setting in CHANGES_NOTHING for line in words_of(out))
    found = last(trials.ending(stopped_run))
    assert not (difference := trials.first_difference(found, last(whole.ending))), difference


def words_of(out: Path) -> list[str]:
    """Return the output without the suggested commands."""
    return [line for line in out.read_text().splitlines() if not line.startswith("  tinystories-lm")]
