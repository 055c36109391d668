"""Record what a run is made with when it starts or resumes: versions, commit, machine, corpus, weights and plan."""

import dataclasses
import importlib.metadata
import logging
import os
import platform
import subprocess
import time
from pathlib import Path

import msgspec

from tinystories_lm.config.choices import OPTIMIZERS, Device, OptimizerKind
from tinystories_lm.config.fingerprint import config_hash
from tinystories_lm.config.schema import Config
from tinystories_lm.data.corpus import Split
from tinystories_lm.data.token_cache import TokenCache
from tinystories_lm.hardware.detect import device_name
from tinystories_lm.hardware.machine import Machine
from tinystories_lm.jobs.reproducibility import rounds_alike
from tinystories_lm.planning.estimate import Estimate, estimate
from tinystories_lm.planning.plan import Plan, as_record, make_plan
from tinystories_lm.planning.preflight import ResolvedJob
from tinystories_lm.runs.checkpoint import Progress
from tinystories_lm.runs.folder import RunFolder, read_config, write_config
from tinystories_lm.runs.lookup import find_run
from tinystories_lm.runs.records import read_record, write_record
from tinystories_lm.runs.resume import ResumedRun, check_corpus, with_best_checkpoint
from tinystories_lm.runs.schemas import (
    CorpusRecord,
    InitialWeights,
    MachineRecord,
    PlanRecord,
    RunRecord,
    Segment,
    SplitRecord,
)
from tinystories_lm.system.console import amount, duration
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.files import write_text
from tinystories_lm.system.hashing import sha256_of
from tinystories_lm.training.compile import Compiled

PACKAGES = ("tinystories_lm", "torch", "hydra-core", "omegaconf", "tokenizers", "datasets", "safetensors", "wandb")

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
    initial_weights = find_initial_weights(job, resumed, tokenizer_sha256=corpus.tokenizer_sha256)
    segment = describe_segment(machine, job.config.optimizer.kind, first_step=progress.step)
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


def record_compilation(run: RunFolder, record: RunRecord, progress: Progress, compiled: Compiled) -> RunRecord:
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


def find_initial_weights(job: ResolvedJob, resumed: ResumedRun, *, tokenizer_sha256: str) -> InitialWeights | None:
    """Return the checkpoint of another run with whose weights this one starts, None where it starts with fresh ones.

    A recorded checkpoint stays: the name of its run may mean another one by now.

    Raises UsageError for a run with another tokenizer, and where the recorded weights have changed.
    """
    recorded, name = resumed.record.init_from, job.config.training.init_from
    if name is None or resumed.start.checkpoint is not None:
        return recorded
    if recorded is not None and Path(recorded.checkpoint).is_dir():
        checkpoint = Path(recorded.checkpoint)
    else:
        other = find_run(name, besides=job.run)
        _check_same_model(job.config, read_config(other), other)
        corpus = read_record(other).corpus
        if corpus is None or corpus.tokenizer_sha256 != tokenizer_sha256:
            raise UsageError(f"training.init_from={other.path} has another tokenizer: its token ids mean other text")
        checkpoint = with_best_checkpoint(other, lambda path: path)
    found = InitialWeights(checkpoint=str(checkpoint), sha256=sha256_of(checkpoint / "model.safetensors"))
    if recorded is not None and recorded.sha256 != found.sha256:
        raise UsageError(
            f"training.init_from={name}: {checkpoint} has changed since the run started with its weights: "
            "start a new run with training.fresh=true"
        )
    return found


def _check_same_model(config: Config, other: Config, run: RunFolder) -> None:
    """Raise UsageError where another run's weights mean something else here; their shapes alone may agree."""
    wanted, there = dataclasses.asdict(config.model), dataclasses.asdict(other.model)
    differing = [key for key in wanted if wanted[key] != there[key] and key != "context_tokens"]
    if differing:
        key = differing[0]
        raise UsageError(
            f"training.init_from={run.path} was trained with model.{key}={there[key]}, this run has {wanted[key]}: "
            f"its weights mean another model; set model.{key}={there[key]}"
        )


def _update_exactness(progress: Progress, before: RunRecord, segment: Segment) -> None:
    """Note where the resumed run will not have the bits of one uninterrupted process."""
    progress.exact &= before.exact is not False  # a process that was killed before its first checkpoint left it there
    if not before.segments:
        return
    last = before.segments[-1]
    if last.optimizer_arithmetic != segment.optimizer_arithmetic:
        log.warning("another version of this program took the run's steps so far: its optimizer rounds otherwise")
    progress.exact &= rounds_alike(last, segment)
    if not progress.exact:
        log.warning("this run resumes under other conditions: its numbers are not bit for bit those of one process")


def _announce(plan: Plan, left: Estimate, machine: Machine, *, resumed_at: int | None) -> None:
    log.info("%s: %s", plan.name, plan.parameters)
    log.info(
        "corpus %s: %s tokens; this run reads %s (%.2f epochs), %s tokens a parameter",
        plan.corpus,
        amount(plan.corpus_tokens),
        amount(plan.tokens),
        plan.epochs or 0.0,
        amount(plan.tokens_per_parameter),
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


def describe_segment(machine: Machine, optimizer: OptimizerKind, *, first_step: int) -> Segment:
    """Describe this process, which takes the run's steps after `first_step`."""
    return Segment(
        first_step=first_step,
        started=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        git_commit=git_commit(),
        python=platform.python_version(),
        platform=platform.platform(),
        packages={name: _version(name) for name in PACKAGES},
        machine=describe_machine(machine),
        optimizer_arithmetic=OPTIMIZERS[optimizer].arithmetic,
    )


def describe_machine(machine: Machine) -> MachineRecord:
    """Describe the hardware and how it is used."""
    return MachineRecord(
        hardware=machine.name,
        device=Device(machine.device.type),
        device_name=device_name(machine.device),
        precision=str(machine.dtype).removeprefix("torch."),
        residual=str(machine.residual).removeprefix("torch."),
        compile=machine.compile,
        attention=machine.attention,
        threads=machine.threads,
        cpu_cores=os.cpu_count(),
        peak_flops_per_second=machine.peak_flops_per_second,
        dollars_per_hour=machine.dollars_per_hour,
    )


def describe_corpus(cache: TokenCache) -> CorpusRecord:
    """Describe the text and the tokenizer."""
    splits = {
        str(split): SplitRecord(tokens=int(found.tokens.size), documents=found.documents, bytes=found.bytes)
        for split, found in cache.splits.items()
    }
    return CorpusRecord(
        fingerprint=cache.fingerprint,
        tokenizer_sha256=cache.tokenizer_sha256,
        vocab_size=cache.vocab_size,
        splits=splits,
    )


def git_commit() -> str:
    """Return the checkout's commit, with `+changes` where files differ from it; empty for an installed package."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return ""
    words = ["git", "describe", "--always", "--exclude=*", "--abbrev=40", "--dirty=+changes"]
    try:
        return subprocess.run(words, cwd=root, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
