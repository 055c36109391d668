"""One training run in its folder, from its config to its summary."""

import contextlib
import dataclasses
import gc
import logging
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from tinystories_lm.analysis import published
from tinystories_lm.analysis.diagnose import as_record, describe, diagnose
from tinystories_lm.config.fingerprint import config_hash
from tinystories_lm.config.schema import Config
from tinystories_lm.data.batches import fits, token_tensor, validation_batches
from tinystories_lm.data.corpus import Split
from tinystories_lm.data.token_cache import TokenCache, prepare
from tinystories_lm.data.tokenizer import load_tokenizer, token_byte_lengths
from tinystories_lm.generation.generate import encode_prompt, write_texts
from tinystories_lm.generation.text import Sample
from tinystories_lm.hardware.machine import Machine
from tinystories_lm.hardware.setup import open_machine
from tinystories_lm.jobs.finish import say_done, summarize
from tinystories_lm.jobs.initial_state import _batches, _begin, _source
from tinystories_lm.jobs.outcome import _exit_code, _status_kept
from tinystories_lm.jobs.provenance import corpus_record, piece_record
from tinystories_lm.jobs.recorder import RunRecorder
from tinystories_lm.jobs.reproducibility import as_begun, begun_here, compare_machines, compile_or_not, compile_pays
from tinystories_lm.model.flops import count_parameters, flops_per_token
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.planning import plan as planning
from tinystories_lm.planning.estimate import Estimate, estimate
from tinystories_lm.planning.plan import Plan, make_plan
from tinystories_lm.planning.preflight import ResolvedJob
from tinystories_lm.runs.checkpoint import delete_superseded
from tinystories_lm.runs.folder import RunFolder, read_summary, refuse_links, write_config
from tinystories_lm.runs.resume import StartPoint, best_checkpoint, check_corpus, is_done, prepare_resume
from tinystories_lm.system.console import amount, duration
from tinystories_lm.system.errors import Interrupted
from tinystories_lm.system.files import sweep_leftovers, write_text, writing
from tinystories_lm.system.json_files import write_sealed
from tinystories_lm.system.signals import stop_on_signals
from tinystories_lm.tracking.wandb_tracker import start_tracker
from tinystories_lm.training.loop import ValidationLoss, micro_batches, train, until_stopped, validate
from tinystories_lm.training.loss import LossOf, mean_loss
from tinystories_lm.training.nonfinite import origin
from tinystories_lm.training.profiling import profiled

log = logging.getLogger(__name__)
FINAL_STORIES = 3


def run_job(job: ResolvedJob) -> None:
    """Train in the job's folder, whose lock the caller holds: start a new run, or resume the one that is there.

    Raises a CommandError for whatever ends it before its last step; status.json then says so too.
    """
    run, config, peak_flops_per_second = job.run, job.config, job.speed.peak_flops_per_second
    refuse_links(run)
    if is_done(run, config):
        say_done(run, read_summary(run))
        return
    sweep_leftovers(run.path)
    with writing(run.checkpoints):
        run.checkpoints.mkdir(parents=True, exist_ok=True)
    sweep_leftovers(run.checkpoints)
    record, start = prepare_resume(run, config)
    with _status_kept(run, config, start.progress):
        if not run.config.is_file():
            write_config(run, config)
        machine = open_machine(
            as_begun(config.hardware, record["pieces"]),
            peak_flops_per_second=peak_flops_per_second,
            compile_pays=compile_pays(config, record["pieces"], peak_flops_per_second),
            deterministic=config.training.deterministic,
            attention_shape=None if begun_here(config.hardware, record["pieces"]) else config.attention_shape,
        )
        cache = prepare(config.data)
        corpus = corpus_record(cache)
        if "corpus" in record:
            check_corpus(run, record["corpus"], corpus)
        write_text(run.tokenizer, (cache.folder / "tokenizer.json").read_text(encoding="utf-8"))
        source = None if start.checkpoint is not None else _source(config, run, record, corpus["tokenizer_sha256"])
        piece = piece_record(machine, first_step=start.progress.step)
        start.progress.exact &= record.get("exact", True)  # no checkpoint knows of a piece that was killed before one
        compare_machines(record["pieces"], piece, start.progress)
        corpus_tokens = int(cache.splits[Split.TRAIN].tokens.size)
        plan = make_plan(config, corpus_tokens=corpus_tokens, vocab_size=cache.vocab_size)
        record |= {"config_hash": config_hash(config), "corpus": corpus, "pieces": [*record["pieces"], piece]}
        record["exact"] = start.progress.exact
        left = estimate(config, job.speed, start_step=start.progress.step, vocab_size=cache.vocab_size)
        expected = {"expected_seconds": left.seconds, "expected_dollars": left.dollars}
        record.setdefault(
            "plan", planning.as_record(plan) | expected
        )  # of the whole run, to be compared with what came
        write_sealed(run.environment, record)
        write_config(run, config)
        start.progress.pieces = len(record["pieces"])
        _introduce(plan, left, machine, start)
        _train(config, run, cache, machine, start, source, record, job.swept)


def _train(
    config: Config,
    run: RunFolder,
    cache: TokenCache,
    machine: Machine,
    start: StartPoint,
    source: Path | None,
    record: dict[str, Any],
    swept: Mapping[str, str],
) -> None:
    tokenizer = load_tokenizer(run.tokenizer)
    model = Transformer(
        config.model, vocab_size=cache.vocab_size, residual=machine.residual, attention_fn=machine.attention_fn
    )
    optimizer = _begin(model, config, machine, start, source)
    progress = start.progress
    delete_superseded(run.checkpoints, progress, keep=config.training.keep_checkpoints)  # what a kill left undeleted
    parameters = count_parameters(config.model, vocab_size=cache.vocab_size)
    streams = {
        split: token_tensor(found.tokens, machine.device if fits(found.tokens, machine.device) else torch.device("cpu"))
        for split, found in cache.splits.items()
    }
    batches = _batches(streams[Split.TRAIN], config)
    token_bytes_V = torch.from_numpy(token_byte_lengths(tokenizer)).to(machine.device)
    loss_of: LossOf = mean_loss
    if machine.compile:
        part = micro_batches(batches.batch(progress.step, device=machine.device), config.training.micro_batch_size)[0]
        loss_of, machine = compile_or_not(model, part, machine, run, record, progress, demanded=config.hardware.compile)
    for prompt in config.sampling.prompts:
        encode_prompt(tokenizer, prompt, context_tokens=config.model.context_tokens)  # refused now, not at the end

    def evaluate(stop_requested: Callable[[], bool]) -> ValidationLoss:
        scored = validation_batches(
            streams[Split.VALIDATION],
            eval_tokens=config.training.eval_tokens,
            context_tokens=config.model.context_tokens,
            batch_size=config.training.micro_batch_size,
            device=machine.device,
        )
        reader = machine.for_inference()
        scored = until_stopped(scored, stop_requested)
        return validate(model, scored, token_bytes_V, reader, loss_of=loss_of if reader.compile else mean_loss)

    def write_samples(count: int = config.sampling.count) -> list[Sample]:
        with machine.for_inference().attending():
            return write_texts(model, tokenizer, config.sampling.prompts, config.sampling, count=count)

    with contextlib.ExitStack() as stack:
        stop_requested = stack.enter_context(stop_on_signals())
        tracker = start_tracker(
            config.tracking,
            run.path,
            run_id=record["run_id"],
            name=f"{config.name}-{record['run_id'][:6]}",
            tags=[f"{key}={value}" for key, value in swept.items()],
            settings=dataclasses.asdict(config)
            | {"environment": record, "parameters": parameters._asdict(), "swept": dict(swept)},
            resumed_at=start.progress.step if start.checkpoint is not None else None,
        )
        stack.push(lambda _, error, __: tracker.finish(exit_code=_exit_code(error)))
        recorder = RunRecorder(
            run,
            model,
            optimizer,
            progress,
            config=config.training,
            machine=machine,
            flops_per_token=flops_per_token(config.model, vocab_size=cache.vocab_size),
            run_id=record["run_id"],
            tracker=tracker,
            write_samples=write_samples,
            stop_requested=stop_requested,
            origin=lambda step: origin(
                model,
                micro_batches(batches.batch(step - 1, device=machine.device), config.training.micro_batch_size),
                machine,
            ),
            step_taken=stack.enter_context(profiled(run.path, config.training.profile_steps, machine.device)),
        )
        stack.callback(recorder.close)
        stack.enter_context(gc_frozen())
        finished = train(
            model,
            optimizer,
            batches,
            progress=progress,
            training=config.training,
            peak_lr=config.optimizer.peak_lr(config.model.d_model),
            clip_grad_norm=config.optimizer.clip_grad_norm,
            schedule=config.schedule,
            machine=machine,
            loss_of=loss_of,
            evaluate=partial(evaluate, stop_requested),
            observer=recorder,
        )
        if not finished:
            raise Interrupted(
                f"stopped at step {progress.step:,} of {config.training.steps:,} with a checkpoint in {run.path}: "
                "run the same command again to go on"
            )
        stories = [sample.text for sample in write_samples(FINAL_STORIES)[:FINAL_STORIES]]
        expected = {
            key: record["plan"][key] for key in ("expected_seconds", "expected_dollars") if key in record["plan"]
        }
        rows = {
            run.metrics.name: {"bytes": progress.metrics_bytes, "sha256": progress.metrics_sha256},
            run.samples.name: {"bytes": progress.samples_bytes, "sha256": progress.samples_sha256},
        }
        summary = summarize(config, progress, parameters, cache) | expected | {"stories": stories, "rows": rows}
        verdict = diagnose(run, rules=config.verdict)
        write_sealed(run.summary, summary | {"verdict": as_record(verdict)})
        tracker.summarize(summary | {"verdict": verdict.name})
        if config.tracking.artifacts:
            best = {"step": progress.best_step, "val/loss": progress.best_loss, "parameters": parameters.total}
            tracker.log_model(best_checkpoint(run), name=f"{config.name}-{record['run_id'][:6]}", metadata=best)
        recorder.bar.close()
        say_done(run, summary)
        log.info("\n%s", describe(verdict))
        if (comparison := published.compare(run)) is not None:
            log.info("\n%s", published.describe(comparison))


@contextlib.contextmanager
def gc_frozen() -> Iterator[None]:
    """What is there when the block begins is left out of garbage collections, which else walk through all of torch."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _introduce(plan: Plan, left: Estimate, machine: Machine, start: StartPoint) -> None:
    """The plan in three lines, before it is carried out, and what speaks against it."""
    log.info("%s: %s", plan.name, plan.parameters)
    log.info(
        "corpus %s: %s tokens; this run reads %s (%.2f epochs), %.3g tokens a parameter",
        plan.corpus,
        amount(plan.corpus_tokens),
        amount(plan.tokens),
        plan.epochs or 0.0,
        plan.tokens_per_parameter,
    )
    precision = str(machine.dtype).removeprefix("torch.")
    log.info(
        "%s on %s%s, about %s and $%.2f",
        precision,
        machine.name,
        ", compiled" if machine.compile else "",
        duration(left.seconds),
        left.dollars,
    )
    for warning in plan.warnings:
        log.info("mind: %s", warning)
    if start.checkpoint is not None:
        log.info("going on from step %s", f"{start.progress.step:,}")
