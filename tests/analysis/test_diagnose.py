"""Verdicts: the four rounds of the story, each rule on its own, and curves too short to judge."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SMALL_RUN, Command
from tinystories_lm.analysis.diagnose import (
    Finding,
    Point,
    Verdict,
    collect_evidence,
    decide_verdict,
    describe,
    slope,
    spikes,
)
from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.runs.schemas import SampleRow

LOOPING = "Once upon a lotion. Once upon a lotion. Once upon a lotion."
PLAIN = "Once upon a time there was a dog named Cookie. She loved to run in the park. The end."


def verdict_on(
    experiment: str,
    validation: dict[int, float],
    training: dict[int, float],
    *,
    corpus_tokens: float,
    parameters: float = 29.1e6,
    batch_size: int = 64,
    texts: tuple[str, ...] = (PLAIN,) * 4,
    **rules: float,
) -> Verdict:
    """Judge a run by its losses per step, at 512 tokens a row."""
    register()
    more = [f"verdict.{key}={value}" for key, value in rules.items()]
    config = compose_config([f"experiment={experiment}", *more]).config
    rows: list[dict[str, Any]] = [
        {"progress/step": step, "progress/tokens": step * batch_size * 512, key: loss, "optimizer/lr": 1e-4}
        for key, losses in (("train/loss", training), ("val/loss", validation))
        for step, loss in losses.items()
    ]
    samples = [SampleRow(step=1, prompt="Once", text=LOOPING)]
    samples += [SampleRow(step=2, prompt="Once", text=text) for text in texts]
    evidence = collect_evidence(config, rows, samples, parameters=int(parameters), corpus_tokens=int(corpus_tokens))
    return decide_verdict(evidence, config.verdict)


# Round 2's validation losses are the published ones. Of the others one figure each was published, the last perplexity;
# the rest of these curves is ours, drawn to fit it and the comments on the round.
ROUND_1 = {0: 8.4, 200: 6.1, 1000: 5.35, 2000: 5.24, 4000: 5.22, 6000: 5.27}  # e^5.27 = 194
ROUND_1_TRAINING = {200: 6.0, 1000: 5.0, 2000: 4.5, 4000: 3.9, 5900: 3.5}
ROUND_2 = {0: 8.40, 1000: 2.16, 5000: 1.61, 14_999: 1.40}
ROUND_3 = {0: 8.4, 1000: 2.16, 5000: 1.60, 15_000: 1.40, 30_000: 1.305, 35_000: 1.298, 42_000: 1.290, 50_000: 1.286}
ROUND_4 = {0: 8.4, 1000: 2.0, 5000: 1.40, 10_000: 1.19, 20_000: 1.035, 25_000: 1.012, 30_000: 0.993}  # perplexity 2.7


def near(validation: dict[int, float], below: float) -> dict[int, float]:
    return {step: loss - below for step, loss in validation.items() if step}


def test_round_1_is_data_bound() -> None:
    found = verdict_on("round1", ROUND_1, ROUND_1_TRAINING, corpus_tokens=3.1e6, batch_size=8)
    assert found.finding is Finding.DATA_BOUND
    assert found.evidence.gap_nats == pytest.approx(1.77)
    assert "more text" in found.next[0]


def test_round_2_is_undertrained_and_by_how_much() -> None:
    found = verdict_on("round2", ROUND_2, near(ROUND_2, 0.02), corpus_tokens=470e6)
    assert found.finding is Finding.UNDERTRAINED
    assert found.evidence.nats_per_doubling == pytest.approx(-0.21 / 1.585, rel=0.01)
    assert found.next[0].startswith("train 2x longer: up to -0.13 nats")


def test_round_3_is_capacity_bound() -> None:
    found = verdict_on("round3", ROUND_3, near(ROUND_3, 0.03), corpus_tokens=470e6)
    assert found.finding is Finding.CAPACITY_BOUND
    assert "a larger model" in found.next[0]


def test_round_4_is_healthy_though_it_read_fewer_tokens_a_parameter_than_round_2() -> None:
    found = verdict_on("round4", ROUND_4, near(ROUND_4, 0.03), corpus_tokens=470e6, parameters=91.2e6)
    assert found.finding is Finding.HEALTHY
    assert found.evidence.tokens_per_parameter < 15_000 * 64 * 512 / 29.1e6


def test_a_decoder_that_loops_is_named_beside_the_verdict_and_only_by_the_last_samples() -> None:
    found = verdict_on("round2", ROUND_2, near(ROUND_2, 0.02), corpus_tokens=470e6, texts=(LOOPING, LOOPING, PLAIN))
    assert found.name == "undertrained, decoder loop"
    assert "repetition-penalty 1.3" in found.next[-1] and "2 of the last 3 samples" in describe(found)
    assert not verdict_on("round2", ROUND_2, {}, corpus_tokens=470e6).decoder_loop


def test_a_short_curve_is_never_guessed_at() -> None:
    for validation in ({}, {0: 8.4}, {0: 8.4, 100: 5.0}, {0: 8.4, 100: 5.0, 200: 4.0}):
        assert verdict_on("round2", validation, {}, corpus_tokens=470e6).finding is Finding.TOO_EARLY
    hardly_begun = {step: 8.4 - 0.0001 * step for step in range(0, 500, 100)}
    assert verdict_on("round2", hardly_begun, {}, corpus_tokens=470e6).finding is Finding.TOO_EARLY


def test_a_loss_that_went_up_again_is_diverged() -> None:
    curve = {0: 8.4, 100: 4.0, 200: 3.5, 300: 6.9}
    assert verdict_on("round2", curve, near(curve, 0.0), corpus_tokens=470e6).finding is Finding.DIVERGED


def test_within_the_first_epoch_no_run_is_data_bound() -> None:
    """A gap there is chance, or another text: the model has seen no word of its training text twice."""
    found = verdict_on("round2", ROUND_3, near(ROUND_3, 0.5), corpus_tokens=1e12)
    assert found.finding is Finding.CAPACITY_BOUND


def test_a_curve_that_still_falls_a_little_after_far_too_many_tokens_is_capacity_bound() -> None:
    curve = {0: 8.4, 10_000: 2.70, 40_000: 2.53, 60_000: 2.495}  # -0.06 per doubling
    few, many = (verdict_on("round3", curve, {}, corpus_tokens=1e12, parameters=size) for size in (91.2e6, 9e6))
    assert (few.finding, many.finding) == (Finding.HEALTHY, Finding.CAPACITY_BOUND)


def test_thresholds_are_the_configs() -> None:
    found = verdict_on("round2", ROUND_2, {}, corpus_tokens=470e6, steep_nats=0.2)
    assert found.finding is Finding.HEALTHY


def test_the_slope_is_that_of_a_line_in_doublings() -> None:
    line = [Point(2.0**power, 5.0 - 0.25 * power) for power in (3, 9, 9.6, 9.9, 10)]
    assert slope(line) == pytest.approx(-0.25)
    assert slope(line[:2]) == pytest.approx(-0.25)
    assert slope(line[:1]) is None and slope([]) is None
    assert slope([Point(4.0, 1.0), Point(4.0, 2.0)]) is None


def test_a_loss_beyond_what_can_be_squared_is_left_out() -> None:
    losses = ROUND_2 | {9000: 1e308, 9001: -1e308}
    assert verdict_on("round2", losses, {}, corpus_tokens=480e6).name


def test_every_run_ends_with_its_verdict_and_the_command_says_the_same(
    command: Command, corpus: Path, tmp_path: Path
) -> None:
    trained = command("train", *SMALL_RUN, f"data.path={corpus}", "hydra.run.dir=one")
    assert trained.returncode == 0 and "verdict: too early" in trained.stderr
    assert "planned" not in trained.stderr, "a run of seconds is mostly start-up, which no plan counts"
    summary = json.loads((tmp_path / "one/summary.json").read_text())
    said = command("diagnose", "one", "--json")
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout) == summary["verdict"]
    rates = ["optimizer.lr=9.99", "optimizer.weight_decay=9.9", "training.warmup_steps=0", "training.steps=24"]
    kept = [word for word in SMALL_RUN if not word.startswith("training.steps")]
    wild = command("train", *kept, *rates, f"data.path={corpus}", "hydra.run.dir=wild")
    assert wild.returncode == 6 and "verdict: diverged" in wild.stderr
    assert "verdict: diverged" in command("diagnose", "wild").stdout
    (tmp_path / "one/config.yaml").write_text("name: [")
    damaged = command("diagnose", "one")
    assert damaged.returncode == 3 and damaged.stderr.count("\n") == 1


def test_a_spike_of_the_training_loss_is_told_from_noise_and_from_the_beginning() -> None:
    smooth = [Point(100.0 * place, 8.0 - 0.05 * place + 0.1 * (place % 2)) for place in range(60)]
    assert not spikes(smooth) and not spikes([Point(100.0 * place, 9.0 - place) for place in range(9)])
    curve = list(smooth)
    for place, rise in ((30, 0.7), (31, 2.0), (32, 0.9), (50, 1.1)):
        curve[place] = Point(curve[place].tokens, curve[place].loss + rise)
    first, second = spikes(curve)
    assert first.tokens == 3100 and 1.6 < first.loss < 2.0
    assert second.tokens == 5000


def test_spikes_and_skipped_steps_are_among_the_reasons() -> None:
    training = {step: 5.0 - step / 10_000 + (1.5 if step == 12_000 else 0.0) for step in range(0, 15_000, 500)}
    found = verdict_on("round2", ROUND_2, training, corpus_tokens=470e6)
    assert any("spikes of the training loss: 1, the worst by 1." in reason for reason in found.because)
    assert json.loads(json.dumps(found.evidence.spikes))
