"""Train one run in its folder, from its config to its summary."""

import contextlib
import dataclasses
import gc
import time
from collections.abc import Iterator
from functools import partial

import msgspec

from tinystories_lm.data.token_cache import prepare
from tinystories_lm.jobs.finish import finish, show_end
from tinystories_lm.jobs.outcome import exit_code, update_status
from tinystories_lm.jobs.provenance import record_start
from tinystories_lm.jobs.recorder import RunRecorder
from tinystories_lm.jobs.reproducibility import open_machine_as_before
from tinystories_lm.jobs.workspace import Workspace, open_workspace
from tinystories_lm.planning.preflight import ResolvedJob
from tinystories_lm.runs.checkpoint import Progress
from tinystories_lm.runs.folder import refuse_links, write_config
from tinystories_lm.runs.records import read_summary
from tinystories_lm.runs.resume import StartPoint, is_done, prepare_resume
from tinystories_lm.system.errors import DeadlineError, Interrupted, Paused
from tinystories_lm.system.files import sweep_leftovers, writing
from tinystories_lm.system.signals import stop_on_signals
from tinystories_lm.tracking.wandb_tracker import WandbTracker, start_tracker
from tinystories_lm.training.loop import train
from tinystories_lm.training.profiling import profiled


def run_job(job: ResolvedJob) -> None:
    """Train in the job's folder, whose lock the caller holds: start a new run, or resume the one that is there.

    Raises a CommandError for whatever ends it before its last step; status.json then has the reason.
    """
    run, config = job.run, job.config
    refuse_links(run)
    if is_done(run, config):
        show_end(job, read_summary(run))
        return
    sweep_leftovers(run.path)
    with writing(run.checkpoints):
        run.checkpoints.mkdir(parents=True, exist_ok=True)
    sweep_leftovers(run.checkpoints)
    resumed = prepare_resume(run, config)
    with update_status(run, config, resumed.start.progress):
        if not run.config.is_file():
            write_config(run, config)
        machine = open_machine_as_before(job, resumed.record.segments)
        cache = prepare(config.data)
        record = record_start(job, resumed, machine, cache)
        work = open_workspace(job, record, resumed.start, machine, cache)
        _train(work, resumed.start)


def _train(work: Workspace, start: StartPoint) -> None:
    """Take the steps that are left, and finish the run.

    Raises Interrupted where a stop was requested before the last step, Paused at the step of the job's pause, and
    DeadlineError where time ran out.
    """
    progress, training, began = work.state.progress, work.config.training, time.monotonic()
    with contextlib.ExitStack() as stack:
        signalled = stack.enter_context(stop_on_signals())
        pause_is_due = partial(_pause_is_due, progress, work.job.pause_at_step)

        def stop_requested() -> bool:
            return signalled() or pause_is_due() or time.monotonic() - began > work.job.deadline_seconds

        tracker = _open_tracker(work, start)
        stack.push(lambda _, error, __: tracker.finish(exit_code=exit_code(error)))
        profile_step = stack.enter_context(profiled(work.run.path, training.profile_steps, work.machine.device))
        recorder = RunRecorder(work, tracker, stop_requested=stop_requested, profile_step=profile_step)
        stack.callback(recorder.close)
        stack.enter_context(_gc_frozen())
        evaluate = partial(work.evaluate, stop_requested)
        if not train(work.state, work.recipe, evaluate=evaluate, observer=recorder):
            if pause_is_due():
                raise Paused(f"paused at step {progress.step:,} of {training.steps:,}, with a checkpoint")
            if not signalled():
                seconds = time.monotonic() - began
                raise DeadlineError(f"deadline: stopped after {seconds:.0f} s at step {progress.step:,}")
            raise Interrupted(
                f"stopped at step {progress.step:,} of {training.steps:,} with a checkpoint in {work.run.path}; "
                "run the same command again to resume"
            )
        finish(work, tracker, recorder.bar)


def _pause_is_due(progress: Progress, step: int) -> bool:
    return 0 < step <= progress.step and progress.val_step == progress.step


def _open_tracker(work: Workspace, start: StartPoint) -> WandbTracker:
    """Start the run's copy in W&B, with its settings and its record as W&B's config."""
    settings = dataclasses.asdict(work.config) | {
        "environment": msgspec.to_builtins(work.record),
        "parameters": work.parameters._asdict(),
        "swept": dict(work.job.swept),
    }
    return start_tracker(
        work.config.tracking,
        work.run.path,
        run_id=work.record.run_id,
        name=work.display_name,
        tags=[f"{key}={value}" for key, value in work.job.swept.items()],
        settings=settings,
        resumed_at=work.state.progress.step if start.checkpoint is not None else None,
    )


@contextlib.contextmanager
def _gc_frozen() -> Iterator[None]:
    """Leave the objects that exist now out of garbage collections, which otherwise walk through all of torch."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
