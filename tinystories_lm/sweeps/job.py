"""Train one job of a sweep: the function that every launcher calls, in whichever process it starts the job."""

import contextlib
import logging
import multiprocessing
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from tinystories_lm.config.compose import to_config
from tinystories_lm.hardware.detect import visible_gpus
from tinystories_lm.jobs.hydra_job import train_here
from tinystories_lm.planning.preflight import Request, ResolvedJob, check_what_is_left, find_speeds
from tinystories_lm.runs.folder import locked
from tinystories_lm.runs.records import read_as
from tinystories_lm.sweeps.members import Result
from tinystories_lm.system.errors import CommandError, ExitCode, Interrupted
from tinystories_lm.system.redaction import redact

log = logging.getLogger(__name__)
LOCK_PATIENCE_SECONDS = 40.0  # a job whose sweep was killed saves and leaves within this


@dataclass(frozen=True)
class SweepJob:
    """Hydra's task function for a sweep.

    request: what was typed.
    planned: the jobs by their numbers; None where a sweeper chooses them as it goes.
    deadline_minutes: of a single job; 0 is its training.max_hours.
    """

    request: Request
    planned: Mapping[int, ResolvedJob] | None
    deadline_minutes: float = 0.0

    def __call__(self, settings: DictConfig) -> float:
        """Train the job that Hydra has made current and return its validation loss.

        Raises CommandError, after one line about it, where the job failed; a request to stop ends the whole sweep.
        """
        hydra = HydraConfig.get()
        folder = Path(hydra.runtime.output_dir)
        if hydra.launcher._target_.endswith(".JoblibLauncher"):
            restrict_to_one_gpu(multiprocessing.current_process().name)
        with _reported(folder), locked(folder, wait_seconds=LOCK_PATIENCE_SECONDS):
            job = self.resolve(settings, hydra, folder)
            train_here(replace(job, deadline_seconds=self.deadline_seconds(job)))
            return read_as(job.run.summary, Result).val_loss

    def deadline_seconds(self, job: ResolvedJob) -> float:
        return self.deadline_minutes * 60 or job.config.training.max_hours * 3600

    def resolve(self, settings: DictConfig, hydra: HydraConf, folder: Path) -> ResolvedJob:
        """Return the planned job of this number, or the job that the sweeper chose, in its folder.

        settings: as Hydra composed them, with or without its own section.

        Raises UsageError for settings that no job could have, and for a job that is too expensive.
        """
        if self.planned is not None:
            return replace(self.planned[hydra.job.num], folder=folder)
        config, overrides = to_config(settings), tuple(hydra.overrides.task)
        job = ResolvedJob(
            config=config,
            folder=folder,
            speed=find_speeds([config])[config.hardware.name],
            overrides=overrides,
            config_dir=self.request.config_dir,
            swept=dict(one.split("=", 1) for one in overrides if one not in self.request.overrides),
        )
        check_what_is_left(job)
        return job


def restrict_to_one_gpu(worker: str) -> None:
    """Restrict this process to one GPU, chosen by the number in the worker's name.

    worker: the name of a joblib process, such as `LokyProcess-2`.

    Call it before CUDA is initialised. Where only one GPU is visible, nothing changes.
    """
    number, gpus = worker.rpartition("-")[2], visible_gpus()
    if number.isdigit() and len(gpus) > 1:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[(int(number) - 1) % len(gpus)]


@contextlib.contextmanager
def _reported(folder: Path) -> Iterator[None]:
    """Print one line about a failed job, and log its traceback; end the whole sweep on a request to stop."""
    try:
        yield
    except Interrupted as error:
        print(f"tinystories-lm: {folder.name}: {redact(str(error))}", file=sys.stderr)
        raise SystemExit(ExitCode.INTERRUPTED) from error  # the jobs after this one are not started
    except CommandError as error:
        print(f"tinystories-lm: {folder.name}: {redact(str(error))}", file=sys.stderr)
        raise
    except (Exception, SystemExit) as error:
        log.exception("%s failed", folder.name)
        raise CommandError(f"{folder}: {type(error).__name__}: {error}") from error
