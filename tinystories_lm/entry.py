"""The `train` command: check everything, take the run's folder, and only then let Hydra run the job."""

import argparse
import contextlib
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import setup_globals
from hydra.types import RunMode
from omegaconf import DictConfig

from tinystories_lm.composition import (
    VERSION_BASE,
    Composed,
    compose_config,
    conf_folder,
    expand_sweep,
    parse,
    register,
)
from tinystories_lm.config import Config, Device
from tinystories_lm.errors import CommandError, ExitCode, Interrupted, RunFolderInUseError, UsageError
from tinystories_lm.files import lock, writing
from tinystories_lm.run_folder import RunFolder, interrupted_run

ONLY_SHOWS = ("help", "hydra_help", "cfg", "info", "shell_completion")


def train(arguments: list[str]) -> None:
    """Run Hydra's job, or with -m its jobs.

    Raises CommandError for everything that is wrong before the first step or goes wrong after it.
    """
    options = _parse_arguments(arguments)
    if options.experimental_rerun or options.config_path or options.config_name:
        raise UsageError("--experimental-rerun, --config-path and --config-name are not offered: use --config-dir")
    setup_globals()
    register()
    jobs = _compose_jobs(options.overrides, options.multirun, options.config_dir)
    if any(getattr(options, flag) for flag in ONLY_SHOWS):
        _run_hydra(arguments, {})
        return
    if any(job.config.hardware.device is Device.auto for job in jobs):
        options.overrides = _settle_hardware(options.overrides)
        jobs = _compose_jobs(options.overrides, options.multirun, options.config_dir)
    peaks = _check_machine([job.config for job in jobs])
    flags = [] if options.config_dir is None else [f"--config-dir={options.config_dir}"]
    if options.multirun:
        _run_hydra(["--multirun", *flags, *options.overrides], peaks, multirun=True)
    else:
        _run_single([*flags, *options.overrides], jobs[0], peaks)


def _parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = get_args_parser()

    def refuse(message: str) -> NoReturn:
        raise UsageError(f"train: {message}; `tinystories-lm train --help` lists what there is")

    parser.error = refuse  # type: ignore[method-assign]
    return parser.parse_intermixed_args(arguments)


def _compose_jobs(overrides: Sequence[str], multirun: bool, config_dir: str | None) -> list[Composed]:
    jobs = expand_sweep(overrides) if multirun else [list(overrides)]
    return [compose_config(job, config_dir=config_dir) for job in jobs]


def _settle_hardware(overrides: Sequence[str]) -> list[str]:
    """Put the hardware that is here in the place of `auto`; settings of it that were given stay."""
    from tinystories_lm.hardware import find_hardware

    given = [override for override in overrides if override.startswith("hardware=")]
    if any("," in override for override in given):
        raise UsageError(f"{given[0]}: name each hardware of a sweep; auto stands for one only")
    return [*(override for override in overrides if override not in given), f"hardware={find_hardware()}"]


def _check_machine(configs: Sequence[Config]) -> dict[str, float]:
    """The peak FLOP/s of each hardware that the jobs name.

    Raises UsageError for text or hardware that is not here, and for a job that would take too long or cost too much.
    """
    from tinystories_lm.data.corpus import splits
    from tinystories_lm.estimate import check_affordable, estimate
    from tinystories_lm.hardware import check_hardware, find_peak

    peaks: dict[str, float] = {}
    for config in configs:
        if config.data.path is not None:
            splits(config.data)  # refuses a path that is not there, or lacks a split
        check_hardware(config.hardware)
        if config.hardware.name not in peaks:
            peaks[config.hardware.name] = find_peak(config.hardware)
        check_affordable(config, estimate(config, peak_flops_per_second=peaks[config.hardware.name]))
    return peaks


def _run_single(arguments: Sequence[str], job: Composed, peaks: dict[str, float]) -> None:
    folder = _choose_folder(job)
    new = not folder.exists() or not any(folder.iterdir())  # ours to remove, if nothing comes of it
    try:
        with _locked(folder):
            if not new:
                _check_resumable(RunFolder(folder), job.config)
            kept = [argument for argument in arguments if not argument.startswith("hydra.run.dir=")]
            quoted = str(folder).replace("\\", "\\\\").replace("'", "\\'")
            _run_hydra([*kept, f"hydra.run.dir='{quoted}'"], peaks)
    except UsageError:
        if new:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _check_resumable(run: RunFolder, config: Config) -> None:
    """Refuse a changed setting before Hydra writes its record of this start over that of the first."""
    if not run.config.is_file():
        return
    if config.training.fresh:
        raise UsageError(f"{run.path} has a run already: training.fresh=true wants another hydra.run.dir, or none")
    from tinystories_lm.resume import compare

    compare(run, config)


def _choose_folder(job: Composed) -> Path:
    """The folder asked for, else that of the newest interrupted run of this config, else a new one."""
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
    with writing(job.output_folder):
        return _new_folder(job.output_folder)


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


def _run_hydra(arguments: Sequence[str], peaks: dict[str, float], *, multirun: bool = False) -> None:
    """Hand over to Hydra, as if it had been started with `arguments`.

    Raises what its only job raised; of a sweep, whose other jobs go on, the count of those that failed.
    """
    failures: list[CommandError] = []

    def job(composed: DictConfig) -> None:
        from tinystories_lm.job import run_job

        config, folder = parse(composed), Path(HydraConfig.get().runtime.output_dir)
        swept = HydraConfig.get().mode is RunMode.MULTIRUN
        try:
            with _locked(folder) if swept else contextlib.nullcontext():
                run_job(config, folder, peak_flops_per_second=peaks[config.hardware.name])
        except CommandError as error:  # kept from Hydra, which would print its own lines about it
            failures.append(error)
            if swept:
                print(f"tinystories-lm: {folder.name}: {error}", file=sys.stderr)
            if swept and isinstance(error, Interrupted):
                raise SystemExit(ExitCode.INTERRUPTED) from error  # the jobs after this one are not started

    with _environment_variable("HYDRA_FULL_ERROR", "1"):  # errors come to us as they are, not as Hydra prints them
        before, sys.argv = sys.argv, ["tinystories-lm train", *arguments]
        try:
            hydra.main(version_base=VERSION_BASE, config_path=str(conf_folder()), config_name="config")(job)()
        finally:
            sys.argv = before
    if len(failures) == 1 and not multirun:
        raise failures[0]
    if failures:
        raise CommandError(f"{len(failures)} of the sweep's jobs failed; the others are done")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with lock(RunFolder(folder).lock, wait=False) as holder:
        if holder is not None:
            raise RunFolderInUseError(f"{folder} is in use by process {holder.get('pid')} since {holder.get('since')}")
        yield


@contextlib.contextmanager
def _environment_variable(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name) if before is None else os.environ.update({name: before})
