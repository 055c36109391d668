"""From what was typed to what is run here: this machine in the place of what was left open, and whether it may be."""

import sys
from collections.abc import Mapping, Sequence

from tinystories_lm.config.choices import Device
from tinystories_lm.config.compose import Composed, compose_config, expand_sweep
from tinystories_lm.config.schema import Config
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.status import step_reached
from tinystories_lm.system.errors import UsageError


def resolve(
    overrides: Sequence[str], *, multirun: bool, config_dir: str | None, places: int = 1
) -> tuple[list[Composed], list[str]]:
    """The jobs that these overrides mean, and the overrides with this machine in the place of hardware=auto.

    places: how many jobs are to share the machine at a time.
    """
    jobs = compose_jobs(overrides, multirun, config_dir)
    if any(job.config.hardware.device is Device.auto for job in jobs):
        if any(job.remote for job in jobs):
            raise UsageError("hardware=auto is this machine, and the launcher's are elsewhere: name it, hardware=h100")
        overrides = _resolve_hardware(overrides)
        jobs = compose_jobs(overrides, multirun, config_dir)
        fitted = _fit_memory(overrides, jobs, places)
        if fitted != overrides:
            overrides, jobs = fitted, compose_jobs(fitted, multirun, config_dir)
    return jobs, list(overrides)


def compose_jobs(overrides: Sequence[str], multirun: bool, config_dir: str | None) -> list[Composed]:
    """One run, or those of a sweep, as they were typed."""
    jobs = expand_sweep(overrides, config_dir=config_dir) if multirun else [list(overrides)]
    return [compose_config(job, config_dir=config_dir) for job in jobs]


def _fit_memory(overrides: Sequence[str], jobs: Sequence[Composed], places: int) -> list[str]:
    """Settle how many sequences are computed at once, where all of a batch would not fit; the batch stays as it is."""
    from tinystories_lm.hardware.memory import usable_bytes
    from tinystories_lm.planning.memory import fitting_micro_batch, step_memory
    from tinystories_lm.system.console import storage

    wanted = "training.micro_batch_size"
    if any(override.startswith(f"{wanted}=") for override in overrides):
        return list(overrides)
    configs, device = [job.config for job in jobs], jobs[0].config.hardware.device
    usable = usable_bytes(device) / (places if device is Device.cpu else 1)  # each has a GPU of its own
    sizes = [config.training.micro_batch_size for config in configs]
    need, size = max((step_memory(config).total, size) for config, size in zip(configs, sizes, strict=True))
    if need <= usable:
        return list(overrides)
    fits = fitting_micro_batch(configs, usable, most=min(sizes)) or 1
    print(
        f"{size} sequences at once need about {storage(need)}, this {device} has {storage(usable)} for them: "
        f"{wanted}={fits}; the batch stays",
        file=sys.stderr,
    )
    return [*overrides, f"{wanted}={fits}"]


def _resolve_hardware(overrides: Sequence[str]) -> list[str]:
    """Put the hardware that is here in the place of `auto`; settings of it that were given stay."""
    from tinystories_lm.hardware.detect import find_hardware

    given = [override for override in overrides if override.startswith("hardware=")]
    if any("," in override for override in given):
        raise UsageError(f"{given[0]}: name each hardware of a sweep; auto stands for one only")
    return [*(override for override in overrides if override not in given), f"hardware={find_hardware()}"]


def check_what_is_left(config: Config, run: RunFolder, peaks: Mapping[str, float]) -> None:
    """Raise UsageError where what is left of the run in this folder would take too long or cost too much."""
    from tinystories_lm.planning.estimate import check_affordable, estimate

    peak = peaks[config.hardware.name]
    check_affordable(config, estimate(config, peak_flops_per_second=peak, start_step=step_reached(run)))


def find_peaks(jobs: Sequence[Composed]) -> dict[str, float]:
    """The peak FLOP/s of each hardware; raises UsageError for text or, unless jobs go elsewhere, hardware not here."""
    return find_peaks_of([job.config for job in jobs], remote=any(job.remote for job in jobs))


def find_peaks_of(configs: Sequence[Config], *, remote: bool = False) -> dict[str, float]:
    """The same for configs that are run here, or with `remote` on other machines."""
    from tinystories_lm.data.corpus import splits
    from tinystories_lm.hardware.detect import check_hardware, find_peak

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
