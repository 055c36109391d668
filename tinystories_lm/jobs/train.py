"""The `train` command: check everything, take the run's folder, and only then let Hydra run the job."""

import argparse
import contextlib
import logging
import multiprocessing
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import setup_globals
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from tinystories_lm.config.compose import (
    VERSION_BASE,
    Composed,
    compose_text,
    conf_folder,
    parse,
    register,
    sweep_name,
    swept_settings,
)
from tinystories_lm.config.schema import Config
from tinystories_lm.planning.preflight import check_what_is_left, compose_jobs, find_peaks, resolve
from tinystories_lm.runs.folder import RunFolder, as_text, locked, refuse_links
from tinystories_lm.runs.lookup import interrupted_run
from tinystories_lm.runs.status import Status, read_status
from tinystories_lm.system.errors import CommandError, ExitCode, Interrupted, UsageError
from tinystories_lm.system.files import writing
from tinystories_lm.system.redaction import redact, redact_logs

log = logging.getLogger(__name__)
ONLY_SHOWS = ("help", "hydra_help", "cfg", "info", "shell_completion")


def train(arguments: list[str]) -> None:
    """Run Hydra's job, or with -m its jobs.

    Raises CommandError for everything that is wrong before the first step or goes wrong after it.
    """
    options = _parse_arguments(arguments)
    if options.experimental_rerun or options.config_path or options.config_name:
        raise UsageError("--experimental-rerun, --config-path and --config-name are not offered: use --config-dir")
    start_hydra()
    if options.cfg == "job" and not options.multirun and not options.package:
        sys.stdout.write(compose_text(options.overrides, config_dir=options.config_dir, resolve=options.resolve))
        return
    if any(getattr(options, flag) for flag in ONLY_SHOWS):
        compose_jobs(options.overrides, options.multirun, options.config_dir)
        _run_hydra(arguments, {}, Path())
        return
    if not options.multirun and any(sweep_name(override) for override in options.overrides):
        raise UsageError("a sweep is many runs: add -m, or type `tinystories-lm sweep NAME`")
    jobs, overrides = resolve(options.overrides, multirun=options.multirun, config_dir=options.config_dir)
    peaks = find_peaks(jobs)
    if options.multirun:
        for job in jobs:
            check_what_is_left(job.config, RunFolder(job.sweep_folder), peaks)
        run_jobs(jobs, overrides, peaks, config_dir=options.config_dir)
    else:
        _run_single(overrides, jobs[0], peaks, config_dir=options.config_dir)


def start_hydra() -> None:
    """What each process needs before it composes or runs a job."""
    setup_globals()
    register()
    OmegaConf.register_new_resolver("gpus_or_one", _gpus_or_one, replace=True)


def _gpus_or_one() -> int:
    from tinystories_lm.hardware.detect import visible_gpus

    return max(1, len(visible_gpus()))


def _parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = get_args_parser()

    def refuse(message: str) -> NoReturn:
        raise UsageError(f"train: {message}; `tinystories-lm train --help` lists what there is")

    parser.error = refuse  # type: ignore[method-assign]
    return parser.parse_intermixed_args(arguments)


def _run_single(overrides: Sequence[str], job: Composed, peaks: dict[str, float], *, config_dir: str | None) -> None:
    if "${" in str(job.output_folder):  # Hydra would read it as another setting, and take another folder
        raise UsageError(f"hydra.run.dir={job.output_folder}: ${{ cannot be a part of a folder's name")
    folder = _begun_folder(job)
    check_what_is_left(job.config, RunFolder(folder or job.output_folder), peaks)
    if folder is None:
        with writing(job.output_folder):
            folder = _new_folder(job.output_folder)
    with writing(folder):  # a name that is too long, a file, another person's
        new = not folder.exists() or not any(folder.iterdir())  # ours to remove, if nothing comes of it
    try:
        train_in(folder, overrides, job.config, peaks, config_dir=config_dir)
    except UsageError:
        if new:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def train_in(
    folder: Path,
    overrides: Sequence[str],
    config: Config,
    peaks: dict[str, float],
    *,
    config_dir: str | None = None,
    swept: Mapping[str, str] = MappingProxyType({}),
    wait_seconds: float = 0.0,
) -> None:
    """Run one job in its folder.

    swept: what sets it apart from the other jobs of its sweep.
    wait_seconds: for another process to leave the folder.
    """
    with locked(folder, wait_seconds=wait_seconds):
        refuse_links(RunFolder(folder))
        _check_resumable(RunFolder(folder), config)
        kept = [override for override in overrides if not override.startswith("hydra.run.dir=")]
        arguments = [*_flags(config_dir), *kept, f"hydra.run.dir={as_text(str(folder))}"]
        failures = _run_hydra(arguments, peaks, folder, [swept])
    if failures:
        raise failures[0]


def run_jobs(
    jobs: Sequence[Composed], overrides: Sequence[str], peaks: dict[str, float], *, config_dir: str | None = None
) -> None:
    """Hand a sweep to Hydra's launcher.

    Raises CommandError with the count of the jobs that did not get done, whichever process they ran in.
    """
    for job in jobs:
        refuse_links(RunFolder(job.sweep_folder))
    launch(jobs, overrides, peaks, config_dir=config_dir)
    missing = [job for job in jobs if not is_done_in(job.sweep_folder)]
    if missing:
        raise CommandError(f"{len(missing)} of the sweep's {len(jobs)} jobs failed; the others are done")


def launch(
    jobs: Sequence[Composed], overrides: Sequence[str], peaks: dict[str, float], *, config_dir: str | None = None
) -> None:
    """Run the jobs by Hydra's launcher; what became of each stands in its folder."""
    swept = swept_settings([job.overrides for job in jobs])
    _run_hydra(["--multirun", *_flags(config_dir), *overrides], peaks, jobs[0].sweep_folder.parent, swept)


def is_done_in(folder: Path) -> bool:
    run = RunFolder(folder)
    return run.status.is_file() and read_status(run) is Status.DONE


def _flags(config_dir: str | None) -> list[str]:
    return [] if config_dir is None else [f"--config-dir={config_dir}"]


def _check_resumable(run: RunFolder, config: Config) -> None:
    """Refuse a changed setting before Hydra writes its record of this start over that of the first."""
    if not run.config.is_file():
        return
    if config.training.fresh:
        raise UsageError(f"{run.path} has a run already: training.fresh=true wants another hydra.run.dir, or none")
    from tinystories_lm.runs.resume import compare

    compare(run, config)


def _begun_folder(job: Composed) -> Path | None:
    """The folder asked for, else that of the newest interrupted run of this config; None where a new one is to be."""
    if any(override.startswith("hydra.run.dir=") for override in job.overrides):
        return job.output_folder
    if not job.config.training.fresh:
        run = interrupted_run(job.config)
        if run is not None:
            print(
                f"going on with the interrupted run in {run.path} (training.fresh=true begins a new one)",
                file=sys.stderr,
            )
            return run.path
    return None


def _new_folder(wanted: Path) -> Path:
    """Make the folder, or where two runs start within a second, one beside it."""
    wanted.parent.mkdir(parents=True, exist_ok=True)
    folder, number = wanted, 1
    while True:
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            number += 1
            folder = wanted.with_name(f"{wanted.name}-{number}")


def _run_hydra(
    arguments: Sequence[str], peaks: dict[str, float], folder: Path, swept: Sequence[Mapping[str, str]] = ()
) -> list[CommandError]:
    """Hand over to Hydra, as if it had been started with `arguments`; returns what the jobs of this process raised.

    folder: where Hydra writes its record.
    swept: for each job, by its number, what sets it apart from the others.

    Raises CannotWriteError where that is not possible.
    """
    failures: list[CommandError] = []
    under_way = False

    def job(composed: DictConfig) -> None:
        nonlocal under_way
        under_way = True
        from tinystories_lm.hardware.detect import find_peak
        from tinystories_lm.jobs.job import run_job

        redact_logs()
        context = HydraConfig.get()
        config, folder = parse(composed), Path(context.runtime.output_dir)
        peak = peaks.get(config.hardware.name) or find_peak(config.hardware)
        if context.mode is not RunMode.MULTIRUN:
            with _collected(failures):
                _begin_log(folder / f"{context.job.name}.log")
                run_job(config, folder, peak_flops_per_second=peak, swept=swept[0])
            return
        if context.launcher._target_.endswith(".JoblibLauncher"):
            see_one_gpu(multiprocessing.current_process().name)
        with _collected(failures), _one_of_many(folder), locked(folder):
            _begin_log(folder / f"{context.job.name}.log")
            run_job(config, folder, peak_flops_per_second=peak, swept=swept[context.job.num])

    with _environment_variable("HYDRA_FULL_ERROR", "1"):  # errors come to us as they are, not as Hydra prints them
        before, sys.argv = sys.argv, ["tinystories-lm train", *arguments]
        try:
            hydra.main(version_base=VERSION_BASE, config_path=str(conf_folder()), config_name="config")(job)()
        except OSError:
            if under_way:
                raise
            with writing(folder):
                raise
        finally:
            sys.argv = before
    return failures


def see_one_gpu(worker: str) -> None:
    """Leave this process, a worker of joblib's called `LokyProcess-2` or so, one GPU: the number's own.

    To be called before CUDA is; a worker that has its GPU keeps it.
    """
    from tinystories_lm.hardware.detect import visible_gpus

    number, gpus = worker.rpartition("-")[2], visible_gpus()
    if number.isdigit() and len(gpus) > 1:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[(int(number) - 1) % len(gpus)]


def _begin_log(path: Path) -> None:
    """Make the file that the log's handler opens with its first line: where that is not possible is seen here."""
    with writing(path):
        path.touch()


@contextlib.contextmanager
def _collected(failures: list[CommandError]) -> Iterator[None]:
    """Keep our errors from Hydra, which would print its own lines about them."""
    try:
        yield
    except CommandError as error:
        failures.append(error)


@contextlib.contextmanager
def _one_of_many(folder: Path) -> Iterator[None]:
    """A failed job costs one line and its log; a request to stop ends the whole sweep."""
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


@contextlib.contextmanager
def _environment_variable(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name) if before is None else os.environ.update({name: before})
