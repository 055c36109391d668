"""Record that a process starts or resumes a run, and announce its plan."""

import logging

import msgspec

from tinystories_lm.config.fingerprint import config_hash
from tinystories_lm.data.corpus import Split
from tinystories_lm.data.token_cache import TokenCache
from tinystories_lm.hardware.machine import Machine
from tinystories_lm.jobs.initial_state import find_initial_weights
from tinystories_lm.jobs.provenance import describe_corpus, describe_machine, describe_segment
from tinystories_lm.jobs.reproducibility import CompiledOrNot, rounds_alike
from tinystories_lm.planning.estimate import Estimate, estimate
from tinystories_lm.planning.plan import Plan, as_record, make_plan
from tinystories_lm.planning.preflight import ResolvedJob
from tinystories_lm.runs.checkpoint import Progress
from tinystories_lm.runs.folder import RunFolder, write_config
from tinystories_lm.runs.records import write_record
from tinystories_lm.runs.resume import ResumedRun, check_corpus
from tinystories_lm.runs.schemas import CorpusRecord, InitialWeights, PlanRecord, RunRecord, Segment
from tinystories_lm.system.console import amount, duration
from tinystories_lm.system.files import write_text

log = logging.getLogger(__name__)


def record_start(job: ResolvedJob, resumed: ResumedRun, machine: Machine, cache: TokenCache) -> RunRecord:
    """Write the tokenizer, environment.json and config.yaml for this process; returns the content of environment.json.

    Raises DamagedError where the run was started on another corpus.
    """
    run, before, progress = job.run, resumed.record, resumed.start.progress
    corpus = describe_corpus(cache)
    if before.corpus is not None:
        check_corpus(run, before.corpus, corpus)
    write_text(run.tokenizer, (cache.folder / "tokenizer.json").read_text(encoding="utf-8"))
    initial_weights = _initial_weights(job, resumed, corpus)
    segment = describe_segment(machine, first_step=progress.step)
    _update_exactness(progress, before, segment)
    corpus_tokens = int(cache.splits[Split.TRAIN].tokens.size)
    plan = make_plan(job.config, corpus_tokens=corpus_tokens, vocab_size=cache.vocab_size)
    left = estimate(job.config, job.speed, start_step=progress.step, vocab_size=cache.vocab_size)
    record = msgspec.structs.replace(
        before,
        segments=(*before.segments, segment),
        init_from=initial_weights,
        config_hash=config_hash(job.config),
        corpus=corpus,
        exact=progress.exact,
        plan=before.plan  # of the whole run, for comparison with what it took
        or PlanRecord(**as_record(plan), expected_seconds=left.seconds, expected_dollars=left.dollars),
    )
    write_record(run, record)
    write_config(run, job.config)
    progress.segments = len(record.segments)
    _announce(plan, left, machine, resumed_at=None if resumed.start.checkpoint is None else progress.step)
    return record


def record_compilation(run: RunFolder, record: RunRecord, progress: Progress, compiled: CompiledOrNot) -> RunRecord:
    """Write to environment.json whether the loss is compiled, and how long that took."""
    *before, segment = record.segments
    if not compiled.machine.compile:
        progress.exact &= not any(earlier.machine.compile for earlier in before)
    segment = msgspec.structs.replace(
        segment, machine=describe_machine(compiled.machine), compile_seconds=compiled.seconds
    )
    record = msgspec.structs.replace(record, segments=(*before, segment), exact=progress.exact)
    write_record(run, record)
    return record


def _initial_weights(job: ResolvedJob, resumed: ResumedRun, corpus: CorpusRecord) -> InitialWeights | None:
    """Return the weights of another run that this one starts with; on resuming, those that are recorded."""
    recorded, name = resumed.record.init_from, job.config.training.init_from
    if name is None or resumed.start.checkpoint is not None:
        return recorded
    return find_initial_weights(name, job.run, recorded, tokenizer_sha256=corpus.tokenizer_sha256)


def _update_exactness(progress: Progress, before: RunRecord, segment: Segment) -> None:
    """Note where the resumed run will not have the bits of one uninterrupted process."""
    progress.exact &= before.exact is not False  # a process that was killed before its first checkpoint left it there
    if not before.segments:
        return
    progress.exact &= rounds_alike(before.segments[-1], segment)
    if not progress.exact:
        log.warning("this run resumes under other conditions: its numbers are not bit for bit those of one process")


def _announce(plan: Plan, left: Estimate, machine: Machine, *, resumed_at: int | None) -> None:
    """Log the plan in three lines, and its warnings."""
    log.info("%s: %s", plan.name, plan.parameters)
    log.info(
        "corpus %s: %s tokens; this run reads %s (%.2f epochs), %.3g tokens a parameter",
        plan.corpus,
        amount(plan.corpus_tokens),
        amount(plan.tokens),
        plan.epochs or 0.0,
        plan.tokens_per_parameter,
    )
    log.info(
        "%s on %s%s, about %s and $%.2f",
        str(machine.dtype).removeprefix("torch."),
        machine.name,
        ", compiled" if machine.compile else "",
        duration(left.seconds),
        left.dollars,
    )
    for warning in plan.warnings:
        log.info("warning: %s", warning)
    if resumed_at is not None:
        log.info("resuming from step %s", f"{resumed_at:,}")
