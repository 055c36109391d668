"""Diagnose a run: what limited it, with the evidence, and what to do next.

The rules use slopes and gaps first, and tokens per parameter only where those are inconclusive. The first that applies
gives the verdict:

1. diverged: the run ended in divergence, or its last validation loss is more than `diverged_rise_nats` above its best.
2. too early: fewer than `least_evaluations` evaluations after step 0, or a loss that has fallen by less than
   `least_fall_nats` since step 0.
3. data-bound: the model does not generalise from its training text. After at least one epoch the training loss is
   `gap_nats` below the validation loss, or the validation loss rose by `rise_nats` while the training loss fell.
4. undertrained: over the last third the validation loss fell by `steep_nats` or more per doubling of tokens.
5. capacity-bound: the loss fell by less than `flat_nats` per doubling, after `sated_tokens_per_parameter` or more; or
   by less than `steep_nats`, after `glutted_tokens_per_parameter` or more.
6. healthy: none of these.

A decoder loop is a separate finding, made in the last samples: its cause is the sampling settings, not the weights.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from tinystories_lm.config.schema import Config, VerdictConfig
from tinystories_lm.evaluation.story_metrics import strongest_loop
from tinystories_lm.evaluation.text import words
from tinystories_lm.runs.folder import RunFolder, read_config
from tinystories_lm.runs.records import is_imported, read_metrics, read_record, read_samples, read_summary
from tinystories_lm.runs.schemas import MetricsRow, SampleRow, Summary
from tinystories_lm.runs.tolerant_reader import TolerantReader
from tinystories_lm.system.console import amount, counted
from tinystories_lm.system.errors import UsageError

SPIKE_NATS = 0.5  # rise of a row's training loss over the median of the SPIKE_ROWS rows before it
SPIKE_ROWS = 10
LARGEST_NUMBER = 1e100  # larger numbers in a row are ignored, because their square would overflow
TRAINING_SHARE = 0.1  # share of the run, at its end, over which the training loss is averaged


class Finding(StrEnum):
    """What limited a run."""

    DIVERGED = "diverged"
    TOO_EARLY = "too early"
    DATA_BOUND = "data-bound"
    UNDERTRAINED = "undertrained"
    CAPACITY_BOUND = "capacity-bound"
    HEALTHY = "healthy"


class Point(NamedTuple):
    """One value of a loss curve."""

    tokens: float
    loss: float  # mean nats per token


@dataclass(frozen=True)
class Evidence:
    """The numbers that a verdict is based on; None where the curve does not determine them."""

    evaluations: int  # number of evaluations after step 0
    validation_loss: float | None
    best_validation_loss: float | None
    fall_nats: float | None  # fall of the validation loss from its first value to its best
    nats_per_doubling: float | None  # slope of the validation loss over the last third; negative where the loss falls
    training_loss: float | None  # mean over the last tenth of the run
    gap_nats: float | None  # last validation loss minus the training loss
    training_fell: bool  # whether the training loss fell after the best validation loss
    epochs: float | None
    tokens_per_parameter: float
    final_lr_share: float | None  # final learning rate divided by the peak learning rate
    looping_samples: int
    samples: int
    spikes: tuple[Point, ...] = ()  # spikes of the training loss; their `loss` is the rise
    skipped_steps: int = 0  # number of steps whose loss or gradient was not finite


@dataclass(frozen=True)
class Verdict:
    finding: Finding
    decoder_loop: bool
    because: list[str]
    next: list[str]
    evidence: Evidence

    @property
    def name(self) -> str:
        """Return the finding, followed by "decoder loop" where the samples repeat themselves."""
        return f"{self.finding}, decoder loop" if self.decoder_loop else str(self.finding)


def decide_verdict(evidence: Evidence, rules: VerdictConfig, *, diverged: bool = False) -> Verdict:
    finding = _finding(evidence, rules, diverged=diverged)
    loops = evidence.looping_samples > rules.looping_share * evidence.samples and evidence.samples > 0
    because, advice = _reasons(finding, evidence, rules), _advice(finding, evidence, rules)
    if loops:
        because.append(f"{evidence.looping_samples} of the last {evidence.samples} samples repeat a phrase in a loop")
        advice.append("sample with --repetition-penalty 1.3 --top-p 0.95; `sample RUN --grid` measures what that costs")
    return Verdict(finding, loops, because, advice, evidence)


def _finding(evidence: Evidence, rules: VerdictConfig, *, diverged: bool) -> Finding:
    last, best, slope = evidence.validation_loss, evidence.best_validation_loss, evidence.nats_per_doubling
    if diverged or (last is not None and best is not None and last - best > rules.diverged_rise_nats):
        return Finding.DIVERGED
    if last is None or best is None or slope is None or evidence.evaluations < rules.least_evaluations:
        return Finding.TOO_EARLY
    if evidence.fall_nats is not None and evidence.fall_nats < rules.least_fall_nats:
        return Finding.TOO_EARLY
    rose = last - best >= rules.rise_nats and evidence.training_fell
    gap_is_large = evidence.gap_nats is not None and evidence.gap_nats >= rules.gap_nats
    if (evidence.epochs or 0.0) >= 1.0 and (rose or gap_is_large):
        return Finding.DATA_BOUND
    if -slope >= rules.steep_nats:
        return Finding.UNDERTRAINED
    enough = rules.sated_tokens_per_parameter if -slope < rules.flat_nats else rules.glutted_tokens_per_parameter
    if evidence.tokens_per_parameter >= enough:
        return Finding.CAPACITY_BOUND
    return Finding.HEALTHY


def _reasons(finding: Finding, evidence: Evidence, rules: VerdictConfig) -> list[str]:
    if finding is Finding.TOO_EARLY and evidence.evaluations >= rules.least_evaluations:
        return [f"the validation loss has fallen by only {evidence.fall_nats:.2f} nats since step 0"]
    if finding is Finding.TOO_EARLY:
        return [f"{counted(evidence.evaluations, 'evaluation')} after step 0: too few to separate a slope from noise"]
    reasons = []
    if evidence.validation_loss is not None and evidence.best_validation_loss is not None:
        rise = evidence.validation_loss - evidence.best_validation_loss
        above = f", {rise:.3f} above its best" if rise > 0.0005 else ""
        reasons.append(f"validation loss {evidence.validation_loss:.3f}{above}")
    if evidence.nats_per_doubling is not None:
        lr = evidence.final_lr_share
        falling = "" if lr is None or lr > 0.5 else f", while the learning rate went down to {lr:.0%} of its peak"
        reasons.append(f"over the last third {evidence.nats_per_doubling:+.3f} nats per doubling of tokens{falling}")
    if evidence.gap_nats is not None:
        reasons.append(f"validation loss {evidence.gap_nats:+.3f} nats from the training loss")
    epochs = "" if evidence.epochs is None else f"{evidence.epochs:.2f} epochs, "
    reasons.append(f"{epochs}{amount(evidence.tokens_per_parameter)} tokens per parameter (Chinchilla: 20)")
    if evidence.spikes:
        worst = max(evidence.spikes, key=lambda spike: spike.loss)
        reasons.append(
            f"spikes of the training loss: {len(evidence.spikes)}, the worst by {worst.loss:.2f} nats "
            f"after {amount(worst.tokens)} tokens"
        )
    if evidence.skipped_steps:
        reasons.append(f"{evidence.skipped_steps:,} steps without a finite loss and gradient were skipped")
    return reasons


def _advice(finding: Finding, evidence: Evidence, rules: VerdictConfig) -> list[str]:
    gain = -(evidence.nats_per_doubling or 0.0)
    match finding:
        case Finding.DIVERGED:
            return ["lower optimizer.lr or raise training.warmup_steps; the last good checkpoint is kept"]
        case Finding.TOO_EARLY:
            if evidence.evaluations >= rules.least_evaluations:
                return ["train for more steps, or raise optimizer.lr"]
            return ["train for more steps, or lower training.eval_every_steps"]
        case Finding.DATA_BOUND:
            return ["use more text of the same kind, or a smaller model; more steps on this text only memorise it"]
        case Finding.UNDERTRAINED:
            advice = [
                f"train 2x longer: up to {-gain:.2f} nats, which multiplies the perplexity by {math.exp(-gain):.2f}"
            ]
            if evidence.epochs is not None and evidence.epochs > 2:
                advice.append(f"add more text too: training twice as long would take {2 * evidence.epochs:.1f} epochs")
            return advice
        case Finding.CAPACITY_BOUND:
            return [
                f"use a larger model: training 2x longer would give {-gain:.2f} nats at most, and this size has read "
                f"{evidence.tokens_per_parameter / 20:.1f} times Chinchilla's 20 tokens per parameter"
            ]
        case Finding.HEALTHY:
            return [
                f"train 2x longer: up to {-gain:.2f} nats; for more, use a larger model and more tokens together "
                "(`tinystories-lm scaling` on a sweep gives the proportion)"
            ]


def collect_evidence(
    config: Config,
    rows: Sequence[MetricsRow],
    samples: Sequence[SampleRow],
    *,
    parameters: int,
    corpus_tokens: int | None,
) -> Evidence:
    """Extract the evidence from a run's rows and its last samples."""
    validation, training = _curve(rows, "val/loss"), _curve(rows, "train/loss")
    later = [point for point in validation if point.tokens > 0]
    tokens = max((point.tokens for point in (*training, *validation)), default=0.0)
    last = validation[-1].loss if validation else None
    recent = [point.loss for point in training if point.tokens > (1 - TRAINING_SHARE) * tokens]
    training_loss = math.fsum(recent) / len(recent) if recent else None
    best = min(validation, key=lambda point: point.loss, default=None)
    before_best = [point.loss for point in training if best is not None and point.tokens <= best.tokens]
    rates = [row["optimizer/lr"] for row in rows if "optimizer/lr" in row]
    newest = [sample for sample in samples if sample.step == samples[-1].step]
    return Evidence(
        evaluations=len(later),
        validation_loss=last,
        best_validation_loss=best.loss if best else None,
        fall_nats=validation[0].loss - best.loss if best else None,
        nats_per_doubling=slope(later),
        training_loss=training_loss,
        gap_nats=last - training_loss if last is not None and training_loss is not None else None,
        training_fell=training_loss is not None and bool(before_best) and training_loss < before_best[-1],
        epochs=tokens / corpus_tokens if corpus_tokens else None,
        tokens_per_parameter=tokens / parameters,
        final_lr_share=rates[-1] / config.optimizer.peak_lr(config.model.d_model) if rates else None,
        looping_samples=sum(
            strongest_loop(words(sample.text.removeprefix(sample.prompt))) is not None for sample in newest
        ),
        samples=len(newest),
        spikes=spikes(training),
        skipped_steps=max((int(row.get("progress/skipped_steps", 0)) for row in rows), default=0),
    )


def spikes(training: Sequence[Point]) -> tuple[Point, ...]:
    """Find the rises of the training loss by SPIKE_NATS or more over the median of the rows before.

    Of several spikes in neighbouring rows only the highest is kept.
    """
    found: list[Point] = []
    for index in range(SPIKE_ROWS, len(training)):
        point = training[index]
        rise = point.loss - statistics.median(before.loss for before in training[index - SPIKE_ROWS : index])
        if rise < SPIKE_NATS:
            continue
        if found and point.tokens - found[-1].tokens <= SPIKE_ROWS * (point.tokens - training[index - 1].tokens):
            found[-1] = max(found[-1], Point(point.tokens, rise), key=lambda spike: spike.loss)
        else:
            found.append(Point(point.tokens, rise))
    return tuple(found)


def slope(points: Sequence[Point]) -> float | None:
    """Fit the slope of the last third of a curve by least squares, in nats per doubling of tokens.

    Where the last third has fewer than two points, the last two are used; None for fewer than two.
    """
    last_third = [point for point in points if point.tokens >= 2 / 3 * points[-1].tokens]
    chosen = last_third if len(last_third) >= 2 else points[-2:]
    doublings = [math.log2(point.tokens) for point in chosen]
    if len(set(doublings)) < 2:
        return None
    return statistics.linear_regression(doublings, [point.loss for point in chosen]).slope


def _curve(rows: Sequence[MetricsRow], key: str) -> list[Point]:
    return [
        Point(float(row["progress/tokens"]), float(row[key]))
        for row in rows
        if key in row and abs(row[key]) < LARGEST_NUMBER
    ]


def diagnose(run: RunFolder, *, rules: VerdictConfig | None = None) -> Verdict:
    """Diagnose the run in a folder, whatever its status.

    rules: thresholds to use instead of those of the run's config.

    Raises DamagedError where its config cannot be read, UsageError for an imported model and for a run
    that has not started training.
    """
    config = read_config(run)
    if is_imported(run):
        raise UsageError(
            f"{run.path} holds an imported model, which has no loss curve to diagnose: name a run that was trained here"
        )
    plan = read_record(run).plan if run.environment.is_file() else None
    planned = (plan.parameters, plan.corpus_tokens) if plan is not None else (0, 0)
    # The record of a run from an older version lacks these counts; its summary may have them.
    summary = read_summary(run) if not all(planned) and run.summary.is_file() else Summary()
    parameters = planned[0] or summary.parameters
    if parameters is None:
        raise UsageError(f"{run.path} has not started training, so there is nothing to diagnose yet: train it first")
    corpus = planned[1] or _corpus_tokens(summary)
    evidence = collect_evidence(
        config, read_metrics(run), read_samples(run), parameters=parameters, corpus_tokens=corpus
    )
    status = TolerantReader(run).status()
    diverged = status is not None and status.reason.startswith("diverged")
    return decide_verdict(evidence, rules or config.verdict, diverged=diverged)


def _corpus_tokens(summary: Summary) -> int | None:
    epochs, tokens = summary.epochs, summary.tokens
    return round(tokens / epochs) if tokens is not None and epochs is not None and epochs > 1e-9 else None


def as_record(verdict: Verdict) -> dict[str, Any]:
    return {"name": verdict.name, **msgspec.to_builtins(verdict)}


def describe(verdict: Verdict) -> str:
    lines = [f"verdict: {verdict.name}", *(f"  {reason}" for reason in verdict.because)]
    return "\n".join([*lines, *(f"  next: {step}" for step in verdict.next)])
