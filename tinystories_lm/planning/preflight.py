"""Resolve what the command line left open (`hardware=auto`, the micro-batch size) and reject runs that cannot be done.

The result is a Launch of ResolvedJobs, which state all that is known of each run before its first step.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hydra.types import RunMode
from omegaconf import DictConfig

from tinystories_lm.config.choices import Device
from tinystories_lm.config.compose import ComposedJob, ComposedSweep, compose_config, compose_sweep, with_hardware
from tinystories_lm.config.fingerprint import config_hash
from tinystories_lm.config.overrides import key_of, readable, with_value
from tinystories_lm.config.presets import swept_settings
from tinystories_lm.config.schema import Config
from tinystories_lm.planning.estimate import Estimate, Speed, estimate
from tinystories_lm.planning.memory import fitting_micro_batch, step_memory
from tinystories_lm.runs.folder import RunFolder, data_version
from tinystories_lm.runs.status import step_reached
from tinystories_lm.system.console import duration, storage
from tinystories_lm.system.errors import UsageError

PUBLISHED_HARDWARE = {"round1": "Apple's MPS", "round2": "an h100", "round3": "an h100", "round4": "an h100"}


@dataclass(frozen=True)
class Request:
    """What was typed for one run or for a sweep of them."""

    overrides: tuple[str, ...]
    multirun: bool = False  # one job for each combination of the values listed
    config_dir: str | None = None  # a folder of the user's own presets, beside conf/
    zipped: tuple[str, ...] = ()  # groups of settings whose values belong together


@dataclass(frozen=True)
class ResolvedJob:
    """One training run with nothing left open."""

    config: Config
    folder: Path
    speed: Speed  # of the hardware it runs on
    overrides: tuple[str, ...] = ()  # by which Hydra composes the config again
    config_dir: str | None = None
    swept: Mapping[str, str] = field(default_factory=dict)  # the settings that differ within its sweep
    pause_at_step: int = 0  # after the evaluation of this step, though the schedule is longer; 0 is not at all
    deadline_seconds: float = math.inf  # training that takes longer stops with a checkpoint, and has failed

    @property
    def run(self) -> RunFolder:
        return RunFolder(self.folder)

    @property
    def label(self) -> str:
        """The settings that differ within its sweep, in one line."""
        return " ".join(f"{key}={value}" for key, value in self.swept.items()) or self.config.name


@dataclass(frozen=True)
class Launch:
    """The request with this machine in the place of hardware=auto, and the jobs that Hydra makes of it.

    composed: each job as Hydra composed it.
    master: what the jobs of a sweep share; None for a single run.
    is_planned: False where a sweeper chooses the jobs as it goes, so that one job stands for them.
    """

    request: Request
    jobs: list[ResolvedJob]
    composed: list[ComposedJob]
    master: DictConfig | None = None
    is_planned: bool = True


def resolve(request: Request) -> Launch:
    """Return the jobs that a request means.

    Raises UsageError for a corpus that is missing and for hardware that is not here, unless the jobs run elsewhere.
    """
    request = replace(request, overrides=tuple(readable(request.overrides)))
    composed = compose_jobs(request)
    jobs = composed.jobs
    if any(job.config.hardware.device is Device.auto for job in jobs):
        if any(job.remote for job in jobs):
            raise UsageError(
                "hardware=auto stands for this machine, but the launcher runs jobs on others: name theirs, such as "
                "hardware=h100"
            )
        request = replace(request, overrides=_resolve_hardware(request.overrides))
        composed = compose_jobs(request)
        places = _places(composed.jobs[0]) if request.multirun else None
        fitted = replace(request, overrides=_fit_memory(request.overrides, composed.jobs, places))
        if fitted != request:
            request, composed = fitted, compose_jobs(fitted)
    if request.multirun and _began_under_older_rules(composed.jobs):
        print(f"{composed.jobs[0].sweep_folder.parent} began under data.version=1, which it keeps", file=sys.stderr)
        request = replace(request, overrides=with_value(request.overrides, "data.version", 1))
        composed = compose_jobs(request)
    jobs = composed.jobs
    speeds = find_speeds([job.config for job in jobs], remote=any(job.remote for job in jobs))
    swept = swept_settings([job.overrides for job in jobs])
    resolved = [
        ResolvedJob(
            config=job.config,
            folder=job.sweep_folder if request.multirun else job.output_folder,
            speed=speeds[job.config.hardware.name],
            overrides=job.overrides,
            config_dir=request.config_dir,
            swept=differing,
        )
        for job, differing in zip(jobs, swept, strict=True)
    ]
    return Launch(request, resolved, jobs, composed.master if request.multirun else None, composed.is_planned)


def compose_jobs(request: Request) -> ComposedSweep:
    """Compose and check the one run, or each run of the sweep, as it was typed."""
    if request.multirun:
        sweep = compose_sweep(request.overrides, config_dir=request.config_dir, zipped=request.zipped)
        if any(job.mode is RunMode.RUN for job in sweep.jobs):
            raise UsageError("-m and hydra.mode=RUN contradict each other: remove one of them")
        return sweep
    job = compose_config(request.overrides, config_dir=request.config_dir)
    if job.mode is RunMode.MULTIRUN:
        raise UsageError("hydra.mode=MULTIRUN in a file needs -m on the command line: add -m")
    return ComposedSweep(job.composed, [job], is_planned=True)


def _places(job: ComposedJob) -> int:
    """Return how many runs its launcher lets share the machine at a time; 0 is one, or one on each GPU."""
    launcher = job.composed.hydra.launcher
    places = launcher.get("parallel", launcher.get("n_jobs", 0))  # ours, joblib's
    return max(0, int(places))


def _began_under_older_rules(jobs: Sequence[ComposedJob]) -> bool:
    """Return whether runs of the sweep are stored under the data rules of older versions, and none under today's."""
    stored: set[int | None] = set()
    for job in jobs:
        older = job.sweep_folder.with_name(
            job.sweep_folder.name.replace(config_hash(job.config), config_hash(job.config.with_data_version(1)))
        )
        stored |= {data_version(RunFolder(folder)) for folder in {job.sweep_folder, older}}
    return 1 in stored and 2 not in stored and any(job.config.data.version == 2 for job in jobs)


def _fit_memory(overrides: Sequence[str], jobs: Sequence[ComposedJob], places: int | None) -> tuple[str, ...]:
    """Choose how many sequences are computed at once where a whole micro-batch would not fit; the batch stays.

    places: as in hardware/memory.available_memory.
    """
    from tinystories_lm.hardware.memory import available_memory

    wanted = "training.micro_batch_size"
    if any(key_of(override) == wanted for override in overrides):
        return tuple(overrides)
    configs, device = [job.config for job in jobs], jobs[0].config.hardware.device
    memory = available_memory(device, places=places)
    sizes = [config.training.micro_batch_size for config in configs]
    need, size = max((step_memory(config).total, size) for config, size in zip(configs, sizes, strict=True))
    if need <= memory.usable:
        return tuple(overrides)
    fits = fitting_micro_batch(configs, memory.usable, most=min(sizes)) or 1
    print(
        f"{size} sequences at once need about {storage(need)} and {memory.describe(device)}: "
        f"{wanted}={fits}; the batch stays the same",
        file=sys.stderr,
    )
    return (*overrides, f"{wanted}={fits}")


def _resolve_hardware(overrides: Sequence[str]) -> tuple[str, ...]:
    import torch

    from tinystories_lm.hardware.detect import device_name, find_hardware

    given = [override for override in overrides if override.startswith("hardware=")]
    if any("," in override for override in given):
        raise UsageError(f"{given[0]}: auto stands for one hardware only: name each hardware of a sweep")
    name = find_hardware()
    if name == Device.cuda:
        print(
            f"this {device_name(torch.device(name))} is not in conf/hardware, so its price is unknown and counts as $0 "
            "and its peak is measured now: give hardware.dollars_per_hour=…",
            file=sys.stderr,
        )
    return with_hardware(overrides, name)


def check_distinct(jobs: Sequence[ResolvedJob]) -> None:
    """Raise UsageError where two jobs of a sweep would be one run."""
    seen: dict[Path, ResolvedJob] = {}
    for job in jobs:
        twin = seen.setdefault(job.folder, job)
        if twin is job:
            continue
        if twin.config.data.path != job.config.data.path:
            raise UsageError(
                f"{twin.label} and {job.label} would share {job.folder}: files of equal names and sizes are taken for "
                "one corpus; rename a file of one of them"
            )
        raise UsageError(
            f"{twin.label} and {job.label} are the same run: no setting that affects results differs; "
            "remove one of them"
        )


def check_what_is_left(job: ResolvedJob) -> None:
    """Raise UsageError where the rest of the run in the job's folder would take too long or cost too much."""
    check_affordable(job.config, estimate(job.config, job.speed, start_step=step_reached(job.run)))


def check_affordable(config: Config, expected: Estimate) -> None:
    """Raise UsageError for a run that would outlast training.max_hours or cost more than training.max_dollars."""
    takes, where = duration(expected.seconds), f"on this {config.hardware.name}"
    published = PUBLISHED_HARDWARE.get(config.name)
    advice = f"; it was published on {published}: use one, or" if published else ": use faster hardware,"
    if expected.seconds / 3600 > config.training.max_hours:
        raise UsageError(
            f"{config.name} would take about {takes} {where}{advice} fewer steps (training.steps=…), "
            f"or raise training.max_hours={config.training.max_hours:g}"
        )
    if expected.dollars > config.training.max_dollars:
        raise UsageError(
            f"{config.name} would cost about ${expected.dollars:,.2f} {where}{advice} fewer steps (training.steps=…), "
            f"or raise training.max_dollars={config.training.max_dollars:g}"
        )


def find_speeds(configs: Sequence[Config], *, remote: bool = False) -> dict[str, Speed]:
    """Return the speed of each hardware: its peak from its config or measured, and a CPU's bandwidth.

    remote: the configs run on other machines than this one.

    Raises UsageError for a corpus that is missing, and for hardware that is not here, or remote and of unknown speed.
    """
    from tinystories_lm.data.corpus import splits
    from tinystories_lm.hardware.detect import check_hardware, find_bandwidth, find_peak

    speeds: dict[str, Speed] = {}
    for config in configs:
        hardware = config.hardware
        if config.data.path is not None:
            splits(config.data)  # refuses a path that is not there, or lacks a split
        if not remote:
            check_hardware(hardware)
        elif not hardware.peak_flops_per_second and hardware.device is not Device.cpu:
            raise UsageError(
                f"hardware={hardware.name} has no known peak, and the launcher's machines cannot be measured here: "
                "name a hardware with a known peak, such as h100, or give hardware.peak_flops_per_second"
            )
        if hardware.name not in speeds:
            speeds[hardware.name] = Speed(find_peak(hardware), find_bandwidth(hardware))
    return speeds
