"""The `train` command: check everything, take the run's folder, and only then let Hydra run the job."""

import argparse
import contextlib
import logging
import multiprocessing
import os
import shutil
import sys
import time
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

from tinystories_lm.choices import Device
from tinystories_lm.composition import (
    VERSION_BASE,
    Composed,
    compose_config,
    compose_text,
    conf_folder,
    expand_sweep,
    parse,
    register,
    sweep_name,
    swept_settings,
)
from tinystories_lm.config import Config
from tinystories_lm.credentials import scrub_logs, scrubbed
from tinystories_lm.errors import CommandError, ExitCode, Interrupted, RunFolderInUseError, UsageError
from tinystories_lm.files import lock, writing
from tinystories_lm.run_folder import RunFolder, Status, as_text, interrupted_run, read_status, refuse_links

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
        _compose_jobs(options.overrides, options.multirun, options.config_dir)
        _run_hydra(arguments, {}, Path())
        return
    if not options.multirun and any(sweep_name(override) for override in options.overrides):
        raise UsageError("a sweep is many runs: add -m, or type `tinystories-lm sweep NAME`")
    jobs, overrides = settle(options.overrides, multirun=options.multirun, config_dir=options.config_dir)
    peaks = check_machine(jobs)
    if options.multirun:
        run_jobs(jobs, overrides, peaks, config_dir=options.config_dir)
    else:
        _run_single(overrides, jobs[0], peaks, config_dir=options.config_dir)


def start_hydra() -> None:
    """What each process needs before it composes or runs a job."""
    setup_globals()
    register()
    OmegaConf.register_new_resolver("gpus_or_one", _gpus_or_one, replace=True)


def _gpus_or_one() -> int:
    from tinystories_lm.hardware import visible_gpus

    return max(1, len(visible_gpus()))


def _parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = get_args_parser()

    def refuse(message: str) -> NoReturn:
        raise UsageError(f"train: {message}; `tinystories-lm train --help` lists what there is")

    parser.error = refuse  # type: ignore[method-assign]
    return parser.parse_intermixed_args(arguments)


def settle(overrides: Sequence[str], *, multirun: bool, config_dir: str | None) -> tuple[list[Composed], list[str]]:
    """The jobs that these overrides mean, and the overrides with this machine in the place of hardware=auto."""
    jobs = _compose_jobs(overrides, multirun, config_dir)
    if any(job.config.hardware.device is Device.auto for job in jobs):
        if any(job.remote for job in jobs):
            raise UsageError("hardware=auto is this machine, and the launcher's are elsewhere: name it, hardware=h100")
        overrides = _settle_hardware(overrides)
        jobs = _compose_jobs(overrides, multirun, config_dir)
        fitted = _fit_memory(overrides, jobs)
        if fitted != overrides:
            overrides, jobs = fitted, _compose_jobs(fitted, multirun, config_dir)
    return jobs, list(overrides)


def _compose_jobs(overrides: Sequence[str], multirun: bool, config_dir: str | None) -> list[Composed]:
    jobs = expand_sweep(overrides, config_dir=config_dir) if multirun else [list(overrides)]
    return [compose_config(job, config_dir=config_dir) for job in jobs]


def _fit_memory(overrides: Sequence[str], jobs: Sequence[Composed]) -> list[str]:
    """Settle how many sequences are computed at once, where all of a batch would not fit; the batch stays as it is."""
    from tinystories_lm.capacity import fitting_micro_batch, needed_bytes, usable_bytes
    from tinystories_lm.terminal import storage

    wanted = "training.micro_batch_size"
    if any(override.startswith(f"{wanted}=") for override in overrides):
        return list(overrides)
    configs, device = [job.config for job in jobs], jobs[0].config.hardware.device
    usable = usable_bytes(device)
    most = min(config.training.micro_batch_size for config in configs)
    fits = fitting_micro_batch(configs, usable, most=most) or 1
    if fits == most:
        return list(overrides)
    need = storage(max(needed_bytes(config, most) for config in configs))
    print(
        f"{most} sequences at once need about {need}, this {device} has {storage(usable)} for them: "
        f"{wanted}={fits}; the batch stays",
        file=sys.stderr,
    )
    return [*overrides, f"{wanted}={fits}"]


def _settle_hardware(overrides: Sequence[str]) -> list[str]:
    """Put the hardware that is here in the place of `auto`; settings of it that were given stay."""
    from tinystories_lm.hardware import find_hardware

    given = [override for override in overrides if override.startswith("hardware=")]
    if any("," in override for override in given):
        raise UsageError(f"{given[0]}: name each hardware of a sweep; auto stands for one only")
    return [*(override for override in overrides if override not in given), f"hardware={find_hardware()}"]


def check_machine(jobs: Sequence[Composed]) -> dict[str, float]:
    """The peak FLOP/s of each hardware that the jobs name.

    Raises UsageError for text or hardware that is not here, and for a job that would take too long or cost too much.
    """
    from tinystories_lm.estimate import check_affordable, estimate

    peaks = find_peaks(jobs)
    for job in jobs:
        peak = peaks[job.config.hardware.name]
        check_affordable(job.config, estimate(job.config, peak_flops_per_second=peak))
    return peaks


def find_peaks(jobs: Sequence[Composed]) -> dict[str, float]:
    """The peak FLOP/s of each hardware; raises UsageError for text or, unless jobs go elsewhere, hardware not here."""
    return find_peaks_of([job.config for job in jobs], remote=any(job.remote for job in jobs))


def find_peaks_of(configs: Sequence[Config], *, remote: bool = False) -> dict[str, float]:
    """The same for configs that are run here, or with `remote` on other machines."""
    from tinystories_lm.data.corpus import splits
    from tinystories_lm.hardware import check_hardware, find_peak

    peaks: dict[str, float] = {}
    for config in configs:
        hardware = config.hardware
        if config.data.path is not None:
            splits(config.data)  # refuses a path that is not there, or lacks a split
        if not remote:
            check_hardware(hardware)
        elif not hardware.peak_flops_per_second and hardware.device is not Device.cpu:
            raise UsageError(
                f"hardware={hardware.name}: this launcher's machines are elsewhere: name a hardware with a known peak, "
                "such as h100, or give hardware.peak_flops_per_second"
            )
        if hardware.name not in peaks:
            peaks[hardware.name] = find_peak(hardware)
    return peaks


def _run_single(overrides: Sequence[str], job: Composed, peaks: dict[str, float], *, config_dir: str | None) -> None:
    if "${" in str(job.output_folder):  # Hydra would read it as another setting, and take another folder
        raise UsageError(f"hydra.run.dir={job.output_folder}: ${{ cannot be a part of a folder's name")
    folder = _choose_folder(job)
    with writing(folder):  # a name that is too long
        folder.exists()
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
        from tinystories_lm.hardware import find_peak
        from tinystories_lm.job import run_job

        scrub_logs()
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
    from tinystories_lm.hardware import visible_gpus

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
        print(f"tinystories-lm: {folder.name}: {scrubbed(str(error))}", file=sys.stderr)
        raise SystemExit(ExitCode.INTERRUPTED) from error  # the jobs after this one are not started
    except CommandError as error:
        print(f"tinystories-lm: {folder.name}: {scrubbed(str(error))}", file=sys.stderr)
        raise
    except (Exception, SystemExit) as error:
        log.exception("%s failed", folder.name)
        raise CommandError(f"{folder}: {type(error).__name__}: {error}") from error


@contextlib.contextmanager
def locked(folder: Path, *, wait_seconds: float = 0.0) -> Iterator[None]:
    until = time.monotonic() + wait_seconds
    while True:
        with lock(RunFolder(folder).lock, wait=False) as holder:
            if holder is None:
                yield
                return
        if time.monotonic() >= until:
            raise RunFolderInUseError(f"{folder} is in use by process {holder.get('pid')} since {holder.get('since')}")
        time.sleep(0.2)


@contextlib.contextmanager
def _environment_variable(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name) if before is None else os.environ.update({name: before})
