"""Run the members of a sweep, each in a process of its own, and record how each process ended."""

import contextlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus, configure_log, run_job
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from tinystories_lm.config.choices import Device
from tinystories_lm.config.hydra_internals import error_of
from tinystories_lm.hardware.detect import visible_gpus
from tinystories_lm.jobs.hydra_job import start_hydra
from tinystories_lm.planning.preflight import ResolvedJob
from tinystories_lm.runs.folder import refuse_links
from tinystories_lm.runs.records import last_step
from tinystories_lm.runs.status import Status, write_status
from tinystories_lm.sweeps.job import SweepJob
from tinystories_lm.sweeps.members import Member, plan_members
from tinystories_lm.sweeps.tables import describe_end
from tinystories_lm.system.console import duration, progress_bar
from tinystories_lm.system.errors import CommandError, ExitCode, Interrupted
from tinystories_lm.system.files import writing
from tinystories_lm.system.locks import lock
from tinystories_lm.system.processes import GRACE_SECONDS, Ending, Task, run_apart, share_machine

log = logging.getLogger(__name__)
PLUGIN = "hydra_plugins.tinystories_lm"  # Hydra makes plugins of no other package
LOG = "output.log"  # of each member, in its run folder
# Loaded once, before the first member. None of them touches a GPU when it is imported.
PRELOAD = (
    "tinystories_lm.sweeps.launcher",
    "tinystories_lm.jobs.job",
    "wandb",
    "torch._dynamo",
    "torch._inductor",
)


class ProcessesLauncher(Launcher):
    """Hydra's launcher `hydra/launcher=processes`: each job in a process of its own on this machine."""

    __module__ = PLUGIN

    def __init__(self, parallel: int, deadline_minutes: float, fail_fast: bool) -> None:
        """Take the settings of conf/hydra/launcher/processes.yaml.

        parallel: runs at a time; 0 is one for each GPU, one on a CPU.
        deadline_minutes: of a single run; 0 is its training.max_hours.
        fail_fast: start no further run after one has failed.
        """
        self._parallel, self._deadline_minutes, self._fail_fast = parallel, deadline_minutes, fail_fast

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        assert isinstance(task_function, SweepJob)
        self._context, self._task, self._master = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run those of the jobs that are not done; raises Interrupted where a request to stop came before the last."""
        hydra = self._master.hydra
        configure_log(hydra.hydra_logging, hydra.verbose)
        composed = [self._compose(number, one) for number, one in enumerate(job_overrides, start=initial_job_idx)]
        members = plan_members([self._resolve(one) for one in composed])
        left = [
            (member, self._as_task(member, one))
            for member, one in zip(members, composed, strict=True)
            if member.status is not Status.DONE
        ]
        if not run_members(left, parallel=self._parallel, fail_fast=self._fail_fast):
            done = sum(member.status is Status.DONE for member in members)
            raise Interrupted(f"stopped with {done} of {len(members)} runs done; run the same command again to resume")
        return [_as_return(member, one) for member, one in zip(members, composed, strict=True)]

    def _compose(self, number: int, overrides: Sequence[str]) -> DictConfig:
        composed = self._context.config_loader.load_sweep_config(self._master, list(overrides))
        with open_dict(composed):
            composed.hydra.job.id = composed.hydra.job.num = number
        return composed

    def _resolve(self, composed: DictConfig) -> ResolvedJob:
        hydra = composed.hydra
        return self._task.resolve(composed, hydra, Path(hydra.sweep.dir) / hydra.sweep.subdir)

    def _as_task(self, member: Member, composed: DictConfig) -> Task:
        own = SweepJob(self._task.request, {composed.hydra.job.num: member.job}, self._deadline_minutes)
        return Task(
            work=run_here,
            arguments=(composed, own, self._context),
            log=member.run.path / LOG,
            deadline_seconds=own.deadline_seconds(member.job) + GRACE_SECONDS,  # for one that does not stop by itself
        )


def register_launcher() -> None:
    """Let Hydra find the launcher by its name, in a module that exists in this process alone."""
    package = sys.modules.setdefault("hydra_plugins", ModuleType("hydra_plugins"))  # missing without any plugin
    module = ModuleType(PLUGIN)
    setattr(module, ProcessesLauncher.__name__, ProcessesLauncher)
    sys.modules[PLUGIN] = package.tinystories_lm = module  # type: ignore[attr-defined]
    Plugins.instance().register(ProcessesLauncher)


def run_here(composed: DictConfig, task: SweepJob, context: HydraContext) -> None:
    """Run a job in this process as Hydra's launchers do, and exit with the code of its error."""
    start_hydra()
    returned = run_job(task, composed, "hydra.sweep.dir", "hydra.sweep.subdir", context)
    if isinstance(error := error_of(returned), CommandError):
        sys.exit(error.exit_code)


def _as_return(member: Member, composed: DictConfig) -> JobReturn:
    """Return what the sweeper gets of a job: its validation loss, or the error that ended it."""
    found = JobReturn(
        overrides=list(composed.hydra.overrides.task), hydra_cfg=composed, working_dir=str(member.run.path)
    )
    result = member.result
    found.status = JobStatus.FAILED if result is None else JobStatus.COMPLETED
    found.return_value = CommandError(describe_end(member)) if result is None else result.val_loss
    return found


def run_members(left: Sequence[tuple[Member, Task]], *, parallel: int, fail_fast: bool) -> bool:
    """Run each member's task in a process of its own; return whether there was no request to stop.

    parallel, fail_fast: as for `ProcessesLauncher`.
    """
    members, tasks = [member for member, _ in left], [task for _, task in left]
    for member in members:
        with writing(member.run.path):
            member.run.path.mkdir(parents=True, exist_ok=True)
        refuse_links(member.run)
    gpus = visible_gpus() if any(member.config.hardware.device is Device.cuda for member in members) else []
    places = min(parallel or max(1, len(gpus)), max(1, len(members)))
    with contextlib.closing(_Progress(members)) as progress:
        return run_apart(
            tasks,
            may_start=lambda: not (fail_fast and progress.has_failure),
            slots=share_machine(places, gpus=gpus),
            preload=PRELOAD,
            ended=progress.report_end,
            tick=progress.show,
        )


class _Progress:
    """The bar of a sweep's steps, and a line for each member that has ended."""

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = members
        self._ended: set[int] = set()
        self.has_failure = False
        self._bar = progress_bar("steps", sum(member.config.training.steps for member in members), "step")

    def report_end(self, number: int, ending: Ending) -> None:
        """Record how the process of a member ended, and log it."""
        self._ended.add(number)
        member = self._members[number]
        record_end(member, ending)
        self.has_failure |= member.status is not Status.DONE
        count, took = f"{len(self._ended)}/{len(self._members)}", duration(ending.seconds)
        self._bar.clear()
        log.info("[%s] %s: %s, %s", count, member.label, describe_end(member), took)
        self._bar.refresh()

    def show(self, running: list[int]) -> None:
        steps = sum(self._members[number].config.training.steps for number in self._ended)
        self._bar.n = steps + sum(last_step(self._members[number].run) for number in running)
        self._bar.set_postfix_str(" | ".join(self._members[number].label for number in running), refresh=True)

    def close(self) -> None:
        self._bar.close()


def record_end(member: Member, ending: Ending) -> None:
    """Write the status that a member's process could not: it was killed, or refused before it had a status."""
    if ending.exit_code == ExitCode.IN_USE:
        return  # another process has the run
    status = member.status
    with lock(member.run.lock, wait=False) as holder:
        if holder is not None:
            return
        if ending.timed_out and status is not Status.DONE:
            write_status(member.run, Status.FAILED, reason=ending.describe(), step=member.step)
        elif ending.exit_code == ExitCode.INTERRUPTED:
            if status is None:
                write_status(member.run, Status.INTERRUPTED, reason="signal", step=0)
        elif ending.exit_code != 0 and status not in (Status.FAILED, Status.DONE):
            reason = ending.describe()
            if ending.exit_code > 0:
                reason = f"{_last_line(member.run.path / LOG)} ({reason})"
            write_status(member.run, Status.FAILED, reason=reason, step=member.step)


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n") if path.is_file() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "no output")
