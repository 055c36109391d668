"""Upload a run to W&B from the run's own files, whatever happened to the SDK's files."""

import dataclasses
import uuid

import msgspec

from tinystories_lm.config.choices import TrackingMode
from tinystories_lm.runs.folder import RunFolder, locked, read_config, refuse_links
from tinystories_lm.runs.lookup import find_run
from tinystories_lm.runs.records import read_metrics, read_record, read_samples, read_summary
from tinystories_lm.runs.resume import best_checkpoint
from tinystories_lm.runs.schemas import Summary
from tinystories_lm.runs.status import Status, read_status
from tinystories_lm.system.errors import CommandError, ExitCode, RunFolderInUseError, UsageError
from tinystories_lm.system.json_files import read_json
from tinystories_lm.tracking.wandb_tracker import WandbTracker, evaluation_metrics, start_tracker

EXIT_CODES = {Status.DONE: ExitCode.DONE, Status.INTERRUPTED: ExitCode.INTERRUPTED}
INIT_SECONDS, FINISH_SECONDS = 30, 600  # longer than a run's: nothing else waits here


def upload(name: str, *, as_new_run: bool = False) -> str:
    """Send the rows after W&B's last one, the table of samples and the final figures; return the run's page.

    as_new_run: send all rows, as a new run beside the one that W&B has.

    Raises CommandError where W&B does not answer, UsageError for a run without rows, and RunFolderInUseError for a run
    in progress, which sends its rows itself.
    """
    run = find_run(name)
    status = read_status(run)
    if status is Status.RUNNING:
        raise RunFolderInUseError(f"{run.path} is still running and sends its rows itself")
    with locked(run.path):
        refuse_links(run)
        rows = read_metrics(run) if run.metrics.is_file() else []
        if not rows:
            raise UsageError(f"{run.path} has no rows to send")
        tracker = _send(run, last_step=int(rows[-1]["progress/step"]), as_new_run=as_new_run)
        tracker.finish(exit_code=EXIT_CODES.get(status, ExitCode.FAILED))
    if tracker.mode is not TrackingMode.online or not tracker.is_complete:
        raise CommandError(f"W&B does not have all of {run.path} yet; try again when it answers")
    return tracker.url or ""


def _send(run: RunFolder, *, last_step: int, as_new_run: bool) -> WandbTracker:
    config, record = read_config(run), read_record(run)
    run_id = record.run_id + (f"-{uuid.uuid4().hex[:6]}" if as_new_run else "")
    name = f"{config.name}-{run_id[:6]}"
    patient = dataclasses.replace(
        config.tracking,
        mode=TrackingMode.online,
        init_timeout_seconds=INIT_SECONDS,
        finish_timeout_seconds=FINISH_SECONDS,
    )
    tracker = start_tracker(
        patient,
        run.path,
        run_id=run_id,
        name=name,
        settings=dataclasses.asdict(config) | {"environment": msgspec.to_builtins(record)},
        resumed_at=last_step,
        is_done=True,
    )
    newest = [msgspec.to_builtins(sample) for sample in read_samples(run) if sample.step == last_step]
    if newest:
        tracker.log_samples(last_step, newest)
    summary = read_summary(run) if run.summary.is_file() else Summary()
    evaluation = evaluation_metrics(read_json(run.evaluation)) if run.evaluation.is_file() else {}
    send_results(tracker, run, summary, evaluation, name=name, artifacts=config.tracking.artifacts)
    return tracker


def send_results(
    tracker: WandbTracker,
    run: RunFolder,
    summary: Summary,
    evaluation: dict[str, float],
    *,
    name: str,
    artifacts: bool,
) -> None:
    """Send the final figures and, with `artifacts`, the best checkpoint as the model `name`."""
    figures = msgspec.to_builtins(summary)
    if summary.verdict is not None:
        figures["verdict"] = summary.verdict.name
    tracker.summarize(figures | evaluation)
    if artifacts and summary.best_step is not None:
        best = {"step": summary.best_step, "val/loss": summary.best_val_loss, "parameters": summary.parameters}
        tracker.log_model(best_checkpoint(run), name=name, metadata=best)
