"""The `upload` command: a run into W&B from the run's own files, whatever became of the SDK's own meanwhile."""

import dataclasses
import uuid

import msgspec

from tinystories_lm.config.choices import TrackingMode
from tinystories_lm.runs.folder import RunFolder, locked, read_config, refuse_links
from tinystories_lm.runs.lookup import find_run
from tinystories_lm.runs.records import read_metrics, read_record, read_samples, read_summary
from tinystories_lm.runs.resume import best_checkpoint
from tinystories_lm.runs.status import Status, read_status
from tinystories_lm.system.errors import CommandError, ExitCode, RunFolderInUseError, UsageError
from tinystories_lm.system.json_files import read_json
from tinystories_lm.tracking.wandb_tracker import evaluation_metrics, start_tracker

EXIT_CODES = {Status.DONE: ExitCode.DONE, Status.INTERRUPTED: ExitCode.INTERRUPTED}
INIT_SECONDS, FINISH_SECONDS = 30, 600  # longer than a run's: here nothing else waits


def upload(name: str, *, anew: bool = False) -> str:
    """Send the rows of after W&B's last, the table of samples and the final figures; returns the run's page.

    anew: all rows, as a run of its own beside what W&B has.

    Raises CommandError where W&B does not answer, UsageError for a run that has no row, and RunFolderInUseError for
    one that is going on: it sends its rows itself.
    """
    run = find_run(name)
    status = read_status(run)
    if status is Status.RUNNING:
        raise RunFolderInUseError(f"{run.path} is still running and sends its rows itself")
    with locked(run.path):
        refuse_links(run)
        return _upload(run, status, anew=anew)


def _upload(run: RunFolder, status: Status, *, anew: bool) -> str:
    config = read_config(run)
    rows = read_metrics(run) if run.metrics.is_file() else []
    if not rows:
        raise UsageError(f"{run.path} has no rows to send")
    record = read_record(run)
    run_id = record.run_id + (f"-{uuid.uuid4().hex[:6]}" if anew else "")
    last = int(rows[-1]["progress/step"])
    tracker = start_tracker(
        dataclasses.replace(
            config.tracking,
            mode=TrackingMode.online,
            init_timeout_seconds=INIT_SECONDS,
            finish_timeout_seconds=FINISH_SECONDS,
        ),
        run.path,
        run_id=run_id,
        name=f"{config.name}-{run_id[:6]}",
        settings=dataclasses.asdict(config) | {"environment": msgspec.to_builtins(record)},
        resumed_at=last,
        is_done=True,
    )
    newest = [msgspec.to_builtins(sample) for sample in read_samples(run) if sample.step == last]
    if newest:
        tracker.log_samples(last, newest)
    figures = _figures(run)
    tracker.summarize(figures)
    if config.tracking.artifacts and "best/step" in figures:
        best = {"step": figures["best/step"], "val/loss": figures["best/val_loss"], "parameters": figures["parameters"]}
        tracker.log_model(best_checkpoint(run), name=f"{config.name}-{run_id[:6]}", metadata=best)
    tracker.finish(exit_code=EXIT_CODES.get(status, ExitCode.FAILED))
    if tracker.mode is not TrackingMode.online or not tracker.is_whole:
        raise CommandError(f"{run.path} is not all in W&B yet: try again when it answers")
    return tracker.url or ""


def _figures(run: RunFolder) -> dict[str, object]:
    """As the run itself, and `evaluate` after it, would have sent them."""
    figures: dict[str, object] = msgspec.to_builtins(read_summary(run)) if run.summary.is_file() else {}
    if isinstance(verdict := figures.get("verdict"), dict):
        figures["verdict"] = verdict["name"]
    return figures | (evaluation_metrics(read_json(run.evaluation)) if run.evaluation.is_file() else {})
