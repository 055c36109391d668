"""Run the `train` command: check the config, lock the run's folder, then start the job through Hydra."""

import argparse
import contextlib
import logging
import multiprocessing
import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import setup_globals
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from tinystories_lm.config.compose import VERSION_BASE, compose_text, hydras_groups, own_presets, register, to_config
from tinystories_lm.config.hydra_flags import describe_flags
from tinystories_lm.config.overrides import as_text, key_of, readable, with_value
from tinystories_lm.config.presets import conf_folder, sweep_name
from tinystories_lm.config.schema import SETTINGS, Config
from tinystories_lm.planning.preflight import (
    Launch,
    Request,
    ResolvedJob,
    check_distinct,
    check_what_is_left,
    compose_jobs,
    resolve,
)
from tinystories_lm.runs.folder import RunFolder, data_version, locked, own_overrides, refuse_links
from tinystories_lm.runs.lookup import find_run, interrupted_run
from tinystories_lm.runs.records import check_text
from tinystories_lm.runs.status import Status, read_status
from tinystories_lm.system.console import counted
from tinystories_lm.system.errors import CommandError, DamagedError, ExitCode, Interrupted, UsageError
from tinystories_lm.system.files import writing
from tinystories_lm.system.redaction import redact, redact_logs

log = logging.getLogger(__name__)
# Hydra's flags that print something and start no job.
SHOW_FLAGS = ("help", "cfg", "info")


def train(arguments: list[str]) -> None:
    """Run one job, or with -m the jobs of a sweep.

    Raises CommandError for every error before the first step or after it.
    """
    options = _parse_arguments(arguments)
    _check_flags(options)
    start_hydra()
    if options.hydra_help:
        print(_hydra_help(options.config_dir))
        return
    typed = options.overrides
    options.overrides = readable(_overrides_of_named_run(typed))
    modes = [override.partition("=")[2].lower() for override in options.overrides if key_of(override) == "hydra.mode"]
    options.multirun |= modes == ["multirun"]
    if options.cfg == "job" and not options.multirun and not options.package:
        sys.stdout.write(compose_text(options.overrides, config_dir=options.config_dir, resolve=options.resolve))
        return
    request = Request(tuple(options.overrides), options.multirun, options.config_dir)
    if any(getattr(options, flag) for flag in SHOW_FLAGS):
        jobs = compose_jobs(request)
        if len(jobs) > 1:  # only hydra.mode=MULTIRUN leads here
            raise UsageError(f"one job is shown at a time, and these are {len(jobs)}: give each setting one value")
        flags = [word for word in arguments if word not in typed]
        logging.getLogger().handlers.clear()  # --info adds a handler of its own: with ours each line would come twice
        _run_hydra([*flags, *options.overrides], _HydraTask([]), Path(), options.config_dir)
        return
    if not options.multirun and any(sweep_name(override) for override in options.overrides):
        raise UsageError("+sweep=NAME stands for several runs: add -m, or type `tinystories-lm sweep NAME`")
    launch = resolve(request)
    if not options.multirun:
        _run_single(launch.jobs[0])
        return
    check_distinct(launch.jobs)
    for job in launch.jobs:
        check_what_is_left(job)
    run_sweep(launch)


def _check_flags(options: argparse.Namespace) -> None:
    """Raise UsageError for Hydra's flags that are not supported, and for those that contradict each other."""
    if options.experimental_rerun:
        raise UsageError("--experimental-rerun is not supported: type `tinystories-lm replay RUN` or `train RUN`")
    if options.config_path or options.config_name:
        raise UsageError("--config-path and --config-name are not supported: add presets with --config-dir")
    flags = {"-r": options.run, "-m": options.multirun, "--cfg": options.cfg, "--info": options.info}
    given = [flag for flag, value in flags.items() if value]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} exclude each other: keep one of them")
    if options.resolve and not (options.cfg or options.help):
        raise UsageError("--resolve changes only what --cfg prints: type --cfg job --resolve, or remove it")
    if options.resolve and options.cfg == "hydra":
        raise UsageError("--cfg hydra --resolve has no settings to refer to: type --cfg all --resolve")
    if options.package and not options.cfg:
        raise UsageError("--package changes only what --cfg prints: type --cfg job --package GROUP, or remove it")


def _hydra_help(config_dir: str | None) -> str:
    """Return what --hydra-help prints: Hydra's own text advertises flags that are refused here."""
    groups = [f"  {group}: {', '.join(choices)}" for group, choices in hydras_groups(config_dir=config_dir).items()]
    return "\n".join(
        [
            f"Hydra {hydra.__version__} (https://hydra.cc) composes the settings and starts the jobs.\n",
            f"Flags of `tinystories-lm train`:\n\n{describe_flags()}\n",
            "Hydra's own groups (group=choice):\n",
            *groups,
            "\n`tinystories-lm train --cfg hydra` prints Hydra's settings.",
        ]
    )


def _overrides_of_named_run(words: Sequence[str]) -> list[str]:
    """Return the overrides that resume the run which one of the words names, if one does; the others win over its own.

    Raises UsageError for a word that is neither an override nor a run's name.
    """
    names = [word for word in words if re.fullmatch(r"[^=~+][^=]*", word) and word not in SETTINGS]
    if len(names) != 1:
        return list(words)
    run = find_run(names[0])
    typed = [word for word in words if word != names[0]]
    changed = {key_of(override) for override in typed}
    kept = [override for override in own_overrides(run) if key_of(override) not in changed]
    return [*kept, *typed, f"hydra.run.dir={as_text(os.path.relpath(run.path))}"]


def start_hydra() -> None:
    """Prepare Hydra in this process to compose or run a job."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises errors instead of printing them
    setup_globals()
    register()
    OmegaConf.register_new_resolver("gpus_or_one", _gpus_or_one, replace=True)


def _gpus_or_one() -> int:
    from tinystories_lm.hardware.detect import visible_gpus

    return max(1, len(visible_gpus()))


def _parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = get_args_parser()

    def refuse(message: str) -> NoReturn:
        raise UsageError(f"train: {message}; `tinystories-lm train --help` lists the options")

    parser.error = refuse  # type: ignore[method-assign]
    return parser.parse_intermixed_args(arguments)


def _run_single(job: ResolvedJob) -> None:
    """Run one job in the requested folder, in the folder of the interrupted run that it resumes, or in a new one."""
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
        train_in_folder(replace(job, folder=folder))
    except UsageError:
        if is_new:  # a job that failed its checks leaves no folder
            shutil.rmtree(folder, ignore_errors=True)
        raise


def train_in_folder(job: ResolvedJob, *, wait_seconds: float = 0.0) -> None:
    """Run one job in its folder, under Hydra; raises what the job raised.

    wait_seconds: how long to wait until another process unlocks the folder.
    """
    with locked(job.folder, wait_seconds=wait_seconds):
        refuse_links(job.run)
        job = _with_recorded_data_version(job)
        _check_resumable(job.run, job.config)
        task = _HydraTask([job])
        arguments = with_value(job.overrides, "hydra.run.dir", as_text(str(job.folder)))
        _run_hydra(arguments, task, job.folder, job.config_dir)
    if task.failures:
        raise task.failures[0]


def _with_recorded_data_version(job: ResolvedJob) -> ResolvedJob:
    """Return the job under the data rules with which the run in its folder began, if they are those of older versions.

    Hydra, which composes the config again, gets it as an override.
    """
    if data_version(job.run) != 1 or job.config.data.version == 1:
        return job
    print(f"{job.folder} began under data.version=1, which it keeps", file=sys.stderr)
    return replace(job, config=job.config.with_data_version(1), overrides=with_value(job.overrides, "data.version", 1))


def run_sweep(launch: Launch) -> None:
    """Run the jobs with Hydra's launcher.

    Raises CommandError with the number of unfinished jobs, including those that ran in other processes.
    """
    for job in launch.jobs:
        refuse_links(job.run)
        if _is_done(job.run):
            check_text(job.run, job.config.data)
    start_launcher(launch)
    missing = [job for job in launch.jobs if not _is_done(job.run)]
    if missing:
        done = len(launch.jobs) - len(missing)
        raise CommandError(f"{len(missing)} of {counted(len(launch.jobs), 'job')} failed, {done} done")


def start_launcher(launch: Launch) -> None:
    """Run the jobs with Hydra's launcher; each job's folder then has its outcome."""
    arguments = ["--multirun", *launch.request.overrides]
    _run_hydra(arguments, _HydraTask(launch.jobs), launch.jobs[0].folder.parent, launch.request.config_dir)


def _is_done(run: RunFolder) -> bool:
    with contextlib.suppress(DamagedError):
        return run.status.is_file() and read_status(run) is Status.DONE
    return False


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


@dataclass
class _HydraTask:
    """The function that Hydra calls for each job, in this process or in one that its launcher started."""

    jobs: Sequence[ResolvedJob]
    failures: list[CommandError] = field(default_factory=list)  # errors of the jobs that ran in this process
    called: bool = False  # whether Hydra called it in this process

    def run(self, composed: DictConfig) -> None:
        """Train the job that Hydra composed, in the folder that Hydra made."""
        self.called = True
        from tinystories_lm.jobs.job import run_job

        redact_logs()
        context = HydraConfig.get()
        multirun = context.mode is RunMode.MULTIRUN
        resolved = self.jobs[context.job.num if multirun else 0]
        job = replace(resolved, config=to_config(composed), folder=Path(context.runtime.output_dir))
        if multirun and context.launcher._target_.endswith(".JoblibLauncher"):
            restrict_to_one_gpu(multiprocessing.current_process().name)
        try:
            with contextlib.ExitStack() as stack:
                if multirun:
                    stack.enter_context(_report_sweep_job(job.folder))
                    stack.enter_context(locked(job.folder))
                log_file = job.folder / f"{context.job.name}.log"
                with writing(log_file):  # Hydra's handler, which writes the first line, would raise an OSError
                    log_file.touch()
                run_job(job)
        except CommandError as error:  # Hydra would print its own lines about it
            self.failures.append(error)


def _run_hydra(arguments: Sequence[str], task: _HydraTask, folder: Path, config_dir: str | None) -> None:
    """Start Hydra as a program with these arguments would.

    folder: where Hydra stores the composed config.
    config_dir: the folder of the user's own presets.

    Raises CannotWriteError where Hydra cannot write there.
    """

    def run(composed: DictConfig) -> None:  # Hydra requires a function, whose file it looks up
        task.run(composed)

    own = [] if config_dir is None else [f"--config-dir={config_dir}"]
    before, sys.argv = sys.argv, ["tinystories-lm train", *own, *arguments]
    try:
        with own_presets(config_dir):
            hydra.main(version_base=VERSION_BASE, config_path=str(conf_folder()), config_name="config")(run)()
    except OSError:
        if task.called:
            raise
        with writing(folder):
            raise
    finally:
        sys.argv = before


def restrict_to_one_gpu(worker: str) -> None:
    """Restrict this process to one GPU, chosen by the number in the worker's name.

    worker: the name of a joblib process, such as `LokyProcess-2`.

    Call it before CUDA is initialised. Where only one GPU is visible, nothing changes.
    """
    from tinystories_lm.hardware.detect import visible_gpus

    number, gpus = worker.rpartition("-")[2], visible_gpus()
    if number.isdigit() and len(gpus) > 1:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[(int(number) - 1) % len(gpus)]


@contextlib.contextmanager
def _report_sweep_job(folder: Path) -> Iterator[None]:
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
