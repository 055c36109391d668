"""Finish a run: its summary, its verdict, what the published runs reached, and what to type next."""

import logging
import math
import os
import shlex

import msgspec

from tinystories_lm.analysis import published
from tinystories_lm.analysis.diagnose import as_record, describe, diagnose
from tinystories_lm.jobs.workspace import Workspace
from tinystories_lm.planning.preflight import ResolvedJob
from tinystories_lm.runs.folder import command_of
from tinystories_lm.runs.schemas import PlanRecord, RowsRecord, Summary, VerdictRecord
from tinystories_lm.system.console import ProgressBar, duration, plain
from tinystories_lm.system.json_files import write_sealed
from tinystories_lm.tracking.upload import send_results
from tinystories_lm.tracking.wandb_tracker import WandbTracker
from tinystories_lm.training.loss import perplexity

FINAL_STORIES = 3
LEAST_COMPARED_SECONDS = 30.0  # a shorter run is mostly start-up, which is not planned

log = logging.getLogger(__name__)


def finish(work: Workspace, tracker: WandbTracker, bar: ProgressBar) -> None:
    """Write summary.json, send its figures to W&B, with the model where that is wanted, and log the results."""
    run, config = work.run, work.config
    summary = summarize(work)
    verdict = diagnose(run, rules=config.verdict)
    stored = msgspec.structs.replace(summary, verdict=VerdictRecord(**as_record(verdict)))
    write_sealed(run.summary, msgspec.to_builtins(stored))
    send_results(tracker, run, stored, {}, name=work.display_name, artifacts=config.tracking.artifacts)
    bar.close()
    show_end(work.job, summary)
    log.info("\n%s", describe(verdict))
    if (comparison := published.compare(run)) is not None:
        log.info("\n%s", published.describe(comparison))


def summarize(work: Workspace) -> Summary:
    """Write the last stories and return the final figures."""
    stories = [sample.text for sample in work.write_samples(FINAL_STORIES)[:FINAL_STORIES]]
    progress, plan = work.state.progress, work.record.plan or PlanRecord(parameters=0, corpus_tokens=0)
    assert progress.val_loss is not None
    return Summary(
        name=work.config.name,
        val_loss=progress.val_loss,
        val_perplexity=perplexity(progress.val_loss),
        val_bits_per_byte=progress.val_bits_per_byte,
        best_val_loss=progress.best_loss,
        best_step=progress.best_step,
        step=progress.step,
        tokens=progress.tokens,
        epochs=progress.tokens / work.recipe.batches.tokens_N.numel(),
        dollars=progress.dollars,
        train_seconds=progress.train_seconds,
        parameters=work.parameters.total,
        parameters_without_embeddings=work.parameters.without_embeddings,
        skipped_steps=progress.skipped_steps,
        segments=progress.segments,
        exact=progress.exact,
        expected_seconds=plan.expected_seconds,
        expected_dollars=plan.expected_dollars,
        stories=stories,
        rows={
            work.run.metrics.name: RowsRecord(bytes=progress.metrics_bytes, sha256=progress.metrics_sha256),
            work.run.samples.name: RowsRecord(bytes=progress.samples_bytes, sha256=progress.samples_sha256),
        },
    )


def show_end(job: ResolvedJob, summary: Summary) -> None:
    """Log what a newcomer wants at the end of a run: figures, stories, the folder, and what to type next."""
    run = job.run
    seconds, steps = summary.train_seconds or 0.0, summary.step or 0
    log.info(
        "\ndone: validation loss %.4f, perplexity %s, %.3f bits per byte, after %s steps, %s and $%.2f",
        summary.val_loss,
        plain(summary.val_perplexity or math.nan),
        summary.val_bits_per_byte,
        f"{steps:,}",
        duration(seconds),
        summary.dollars,
    )
    expected = summary.expected_seconds
    if expected is not None and max(expected, seconds) >= LEAST_COMPARED_SECONDS:
        log.info("planned %s, took %s", duration(expected), duration(seconds))
    for number, story in enumerate(summary.stories or (), start=1):
        log.info("\nstory %d\n%s", number, story)
    folder = os.path.relpath(run.path)
    log.info("\nthe run is in %s; next, try:", folder)
    log.info('  tinystories-lm sample %s --prompt "One day, a cat named Mia"', shlex.quote(folder))
    if (run.path / ".hydra").is_dir():  # a replay was not started by settings on a command line
        log.info("  %s", command_of(run, steps=2 * steps, config_dir=job.config_dir))
