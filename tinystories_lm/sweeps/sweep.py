"""Plan a sweep, run what is not done of it, and return its members.

A run's folder is named by the hash of its config, so the same command finds the runs that are done and resumes those
that are not, and a wider sweep reuses the runs of a narrower one.
"""

import contextlib
import copy
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from hydra.core.config_loader import ConfigLoader
from hydra.core.plugins import Plugins
from hydra.core.utils import configure_log
from omegaconf import DictConfig, OmegaConf

from tinystories_lm.config.compose import ComposedJob, check_own_section
from tinystories_lm.config.hydra_internals import Hydra, context_of
from tinystories_lm.config.hydra_session import CONFIG_NAME, hydra_session
from tinystories_lm.config.overrides import key_of
from tinystories_lm.jobs.hydra_job import start_hydra
from tinystories_lm.planning.preflight import Launch, Request, check_affordable, check_distinct, resolve
from tinystories_lm.runs.folder import refuse_links
from tinystories_lm.runs.records import check_text
from tinystories_lm.runs.status import Status
from tinystories_lm.sweeps.job import SweepJob
from tinystories_lm.sweeps.launcher import LOG, register_launcher
from tinystories_lm.sweeps.members import Member, plan_members
from tinystories_lm.sweeps.tables import describe_plan
from tinystories_lm.system.console import counted
from tinystories_lm.system.errors import CommandError, UsageError
from tinystories_lm.system.files import write_text, writing

log = logging.getLogger(__name__)
PROCESSES = "hydra/launcher=processes"


def sweep(
    name: str,
    overrides: Sequence[str],
    *,
    config_dir: str | None,
    dry_run: bool,
    parallel: int,
    deadline_minutes: float,
    fail_fast: bool = False,
    zipped: Sequence[str] = (),
) -> list[Member]:
    """Plan a named sweep and, unless it is a dry run, run all of it that is not done; return its members.

    parallel, deadline_minutes, fail_fast: settings of the launcher `processes`, which is used where the overrides
        choose no other; 0 and False leave them as they are.
    zipped: groups of settings whose values belong together, as for `compose_sweep`.

    Raises UsageError for a run that would be too expensive, and Interrupted on a request to stop.
    """
    start_hydra()
    launcher = {"parallel": parallel, "deadline_minutes": deadline_minutes, "fail_fast": fail_fast}
    own = [f"hydra.launcher.{key}={value}" for key, value in launcher.items() if value]
    chosen = [override for override in overrides if key_of(override) == "hydra/launcher"] or [PROCESSES]
    if own and chosen[-1] != PROCESSES:
        raise UsageError(
            f"--parallel, --deadline-minutes and --fail-fast are settings of {PROCESSES}: name those of {chosen[-1]}"
        )
    typed = (f"+sweep={name}", *chosen, *(override for override in overrides if override not in chosen), *own)
    launch = resolve(Request(typed, multirun=True, config_dir=config_dir, zipped=tuple(zipped)))
    if not launch.is_planned:
        raise UsageError(
            "sweep shows a table of its runs before it starts, and hydra/sweeper chooses them as it goes: type "
            f"`tinystories-lm train -m +sweep={name} …`"
        )
    check_distinct(launch.jobs)
    members = plan_members(launch.jobs)
    log.info("%s\n%s", name, describe_plan(members))
    if not dry_run:
        _run(launch, members)
    return members


def run_sweep(launch: Launch) -> None:
    """Run the jobs of `train -m` that are not done.

    Raises CommandError with the number of unfinished jobs, including those that ran in other processes.
    """
    if not launch.is_planned:
        _run_sweeper(launch)
        return
    check_distinct(launch.jobs)
    members = plan_members(launch.jobs)
    _run(launch, members)
    missing = sum(member.status is not Status.DONE for member in members)
    if missing:
        done = len(members) - missing
        raise CommandError(f"{missing} of {counted(len(members), 'job')} failed, {done} done")


def _run(launch: Launch, members: Sequence[Member]) -> None:
    """Check what is stored of the members and what is left to do, then start Hydra's launcher."""
    for member in members:
        refuse_links(member.run)
        if member.status is Status.DONE:
            check_text(member.run, member.config.data)
        else:
            check_affordable(member.config, member.expected)
    _launch(launch)


def _launch(launch: Launch) -> None:
    """Do what Hydra's basic sweeper does with the planned jobs, but let no failed batch keep the next from starting."""
    master, jobs = launch.master, [list(composed.overrides) for composed in launch.composed]
    assert master is not None
    task = SweepJob(launch.request, dict(enumerate(launch.jobs)))
    with _session(launch) as hydra:
        context = context_of(master, cast(ConfigLoader, _ComposedOnce(hydra.config_loader, launch.composed)))
        configure_log(master.hydra.hydra_logging, master.hydra.verbose)
        context.callbacks.on_multirun_start(config=master, config_name=CONFIG_NAME)
        launcher = Plugins.instance().instantiate_launcher(context, task, master)
        folder = Path(master.hydra.sweep.dir)
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / "multirun.yaml", OmegaConf.to_yaml(master))
        size = master.hydra.sweeper.max_batch_size or len(jobs)
        for first in range(0, len(jobs), size):
            launcher.launch(jobs[first : first + size], initial_job_idx=first)
        context.callbacks.on_multirun_end(config=master, config_name=CONFIG_NAME)


def _run_sweeper(launch: Launch) -> None:
    """Leave the choice of jobs to Hydra's sweeper; raises the error of a job where the sweeper raises it."""
    with _session(launch) as hydra:
        hydra.config_loader = cast(ConfigLoader, CheckedLoader(hydra.config_loader))
        hydra.multirun(CONFIG_NAME, SweepJob(launch.request, None), list(launch.request.overrides))


@contextlib.contextmanager
def _session(launch: Launch) -> Iterator[Hydra]:
    register_launcher()
    with hydra_session(launch.request.config_dir) as hydra:
        yield hydra


class CheckedLoader:
    """Hydra's config loader, which checks each job that a sweeper chose: its preset may be anybody's."""

    def __init__(self, loader: ConfigLoader) -> None:
        self._loader = loader

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        """Compose a job; raises UsageError where Hydra's own section of it names code."""
        composed = self._loader.load_sweep_config(master_config, sweep_overrides)
        check_own_section(composed)
        return composed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def __reduce__(self) -> Any:
        return CheckedLoader, (self._loader,)


class _ComposedOnce:
    """Hydra's config loader, which composes no job that was composed for the plan. Pickled it is the loader alone."""

    def __init__(self, loader: ConfigLoader, jobs: Sequence[ComposedJob]) -> None:
        self._loader, self._composed = loader, {job.overrides: job.composed for job in jobs}

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        found = self._composed.get(tuple(sweep_overrides))
        return self._loader.load_sweep_config(master_config, sweep_overrides) if found is None else copy.deepcopy(found)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def __reduce__(self) -> Any:
        return _unchanged, (self._loader,)


def _unchanged(loader: ConfigLoader) -> ConfigLoader:
    return loader


def raise_for_failures(members: Sequence[Member]) -> None:
    """Raise CommandError, with the counts, unless every member is done."""
    waiting = sum(member.status is None for member in members)
    failed = sum(member.status is not Status.DONE for member in members) - waiting
    if failed or waiting:
        not_started = f", {waiting} not started" if waiting else ""
        raise CommandError(
            f"{failed} of {counted(len(members), 'run')} failed{not_started} ({LOG} in a run's folder says why); "
            "the same command retries what failed"
        )
