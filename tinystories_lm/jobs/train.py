"""Train a single run: in the folder that was asked for, in that of the run it resumes, or in a new one."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig

from tinystories_lm.config.compose import compose_config
from tinystories_lm.config.overrides import key_of, with_value
from tinystories_lm.config.schema import Config
from tinystories_lm.jobs.hydra_job import run_single, train_here
from tinystories_lm.planning.preflight import Launch, ResolvedJob, check_what_is_left
from tinystories_lm.runs.folder import RunFolder, data_version, locked, refuse_links
from tinystories_lm.runs.lookup import interrupted_run
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.files import writing


def train_single(launch: Launch) -> None:
    """Run the launch's one job; raises CommandError for every error before the first step or after it."""
    (job,), (composed,) = launch.jobs, launch.composed
    if "${" in str(job.folder):  # Hydra would interpolate it, and use another folder
        raise UsageError(
            f"hydra.run.dir={job.folder}: a folder's name cannot contain ${{, because Hydra interpolates it; "
            "choose another name"
        )
    folder = _interrupted_folder(job)
    check_what_is_left(replace(job, folder=folder or job.folder))
    if folder is None:
        with writing(job.folder):
            folder = _new_folder(job.folder)
    with writing(folder):  # the name may be too long, or that of a file or of another user's folder
        is_new = not folder.exists() or not any(folder.iterdir())
    try:
        train_in_folder(replace(job, folder=folder), composed.composed)
    except UsageError:
        if is_new:  # a job that failed its checks leaves no folder
            shutil.rmtree(folder, ignore_errors=True)
        raise


def train_in_folder(job: ResolvedJob, composed: DictConfig, *, wait_seconds: float = 0.0) -> None:
    """Start or resume the job in its folder; raises CommandError for whatever ends it early.

    wait_seconds: how long to wait until another process unlocks the folder.
    """
    with locked(job.folder, wait_seconds=wait_seconds):
        refuse_links(job.run)
        if data_version(job.run) == 1 and job.config.data.version != 1:
            print(f"{job.folder} began under data.version=1, which it keeps", file=sys.stderr)
            older = compose_config(with_value(job.overrides, "data.version", 1), config_dir=job.config_dir)
            job, composed = replace(job, config=older.config, overrides=older.overrides), older.composed
        _check_resumable(job.run, job.config)
        run_single(composed, lambda _: train_here(job), job.folder, config_dir=job.config_dir)


def _check_resumable(run: RunFolder, config: Config) -> None:
    """Raise UsageError for a changed setting, before Hydra overwrites the config that it stored at the first start."""
    if not run.config.is_file():
        return
    if config.training.fresh:
        raise UsageError(
            f"{run.path} already holds a run, and training.fresh=true starts a new one: "
            "remove hydra.run.dir, or name another folder"
        )
    from tinystories_lm.runs.resume import compare_settings

    compare_settings(run, config)


def _interrupted_folder(job: ResolvedJob) -> Path | None:
    """Return the requested folder, else that of the newest interrupted run of this config; None for a new run."""
    if any(key_of(override) == "hydra.run.dir" for override in job.overrides):
        return job.folder
    if not job.config.training.fresh and (run := interrupted_run(job.config)) is not None:
        print(f"resuming the interrupted run in {run.path} (training.fresh=true starts a new one)", file=sys.stderr)
        return run.path
    return None


def _new_folder(wanted: Path) -> Path:
    """Make the folder, or one beside it where two runs start within a second; returns its path."""
    wanted.parent.mkdir(parents=True, exist_ok=True)
    folder, number = wanted, 1
    while True:
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            number += 1
            folder = wanted.with_name(f"{wanted.name}-{number}")
