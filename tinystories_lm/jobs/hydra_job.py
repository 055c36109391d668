"""Run one composed job as Hydra does: with its record in .hydra/, its logging and its callbacks."""

import os
from collections.abc import Callable
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, configure_log, run_job, setup_globals
from hydra.types import RunMode
from omegaconf import DictConfig, read_write

from tinystories_lm.config.compose import register
from tinystories_lm.config.hydra_internals import context_of, error_of
from tinystories_lm.config.hydra_session import CONFIG_NAME, hydra_session, register_resolver
from tinystories_lm.planning.preflight import ResolvedJob
from tinystories_lm.system.files import writing
from tinystories_lm.system.redaction import redact_logs

Task = Callable[[DictConfig], object]


def start_hydra() -> None:
    """Prepare Hydra in this process to compose or run a job."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises errors instead of printing them
    setup_globals()
    register()
    register_resolver("gpus_or_one", _gpus_or_one)


def _gpus_or_one() -> int:
    from tinystories_lm.hardware.detect import visible_gpus

    return max(1, len(visible_gpus()))


def run_single(composed: DictConfig, task: Task, folder: Path, *, config_dir: str | None) -> None:
    """Run the task in this folder as Hydra runs a single job; raises what the task raised.

    Raises CannotWriteError where Hydra cannot write there.
    """
    with read_write(composed):
        composed.hydra.run.dir = str(folder)
        composed.hydra.mode = RunMode.RUN
    with hydra_session(config_dir) as hydra:
        context = context_of(composed, hydra.config_loader)
        configure_log(composed.hydra.hydra_logging, composed.hydra.verbose)
        context.callbacks.on_run_start(config=composed, config_name=CONFIG_NAME)
        with writing(folder):
            returned: JobReturn = run_job(task, composed, "hydra.run.dir", None, context)
        context.callbacks.on_run_end(config=composed, config_name=CONFIG_NAME, job_return=returned)
    if isinstance(error := error_of(returned), Exception):
        raise error


def train_here(job: ResolvedJob) -> None:
    """Train the job that Hydra is running in this process; raises a CommandError for whatever ends it early."""
    from tinystories_lm.jobs.job import run_job

    redact_logs()
    log_file = job.folder / f"{HydraConfig.get().job.name}.log"
    with writing(log_file):  # Hydra's handler, which writes the first line, would raise an OSError
        log_file.touch()
    run_job(job)
