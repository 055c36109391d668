"""Run the members of a sweep, each in a process of its own, and record how each process ended."""

import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path

from tinystories_lm.config.choices import Device
from tinystories_lm.hardware.detect import visible_gpus
from tinystories_lm.jobs.train import start_hydra, train_in_folder
from tinystories_lm.planning.preflight import ResolvedJob
from tinystories_lm.runs.folder import refuse_links
from tinystories_lm.runs.records import last_step
from tinystories_lm.runs.status import Status, write_status
from tinystories_lm.sweeps.members import Member
from tinystories_lm.sweeps.tables import describe_end
from tinystories_lm.system.console import duration, progress_bar
from tinystories_lm.system.errors import ExitCode
from tinystories_lm.system.files import writing
from tinystories_lm.system.locks import lock
from tinystories_lm.system.processes import Ending, Task, run_apart, share_machine

log = logging.getLogger(__name__)
LOG = "output.log"  # of each member, in its run folder
# Loaded once, before the first member. None of them touches a GPU when it is imported.
PRELOAD = (
    "tinystories_lm.sweeps.launcher",
    "tinystories_lm.jobs.job",
    "hydra.main",
    "wandb",
    "torch._dynamo",
    "torch._inductor",
)
LOCK_PATIENCE_SECONDS = 40.0  # a member whose sweep was killed saves and leaves within this


def run_members(members: Sequence[Member], *, parallel: int, deadline_minutes: float) -> bool:
    """Run each member in a process of its own; return whether all had their turn.

    parallel: runs at a time; 0 is one for each GPU, one on a CPU.
    deadline_minutes: of a single run; 0 is its training.max_hours.
    """
    for member in members:
        with writing(member.run.path):
            member.run.path.mkdir(parents=True, exist_ok=True)
        refuse_links(member.run)
    gpus = visible_gpus() if any(member.config.hardware.device is Device.cuda for member in members) else []
    places = min(parallel or max(1, len(gpus)), max(1, len(members)))
    tasks = [
        Task(
            work=train_member,
            arguments=(member.job,),
            log=member.run.path / LOG,
            deadline_seconds=deadline_minutes * 60 or member.config.training.max_hours * 3600,
        )
        for member in members
    ]
    with contextlib.closing(_Progress(members)) as progress:
        return run_apart(
            tasks,
            slots=share_machine(places, gpus=gpus),
            preload=PRELOAD,
            ended=progress.report_end,
            tick=progress.show,
        )


def train_member(job: ResolvedJob) -> None:
    start_hydra()
    train_in_folder(job, wait_seconds=LOCK_PATIENCE_SECONDS)


class _Progress:
    """The bar of a sweep's steps, and a line for each member that has ended."""

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = members
        self._ended: set[int] = set()
        self._bar = progress_bar("steps", sum(member.config.training.steps for member in members), "step")

    def report_end(self, number: int, ending: Ending) -> None:
        """Record how the process of a member ended, and log it."""
        self._ended.add(number)
        member = self._members[number]
        record_end(member, ending)
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
