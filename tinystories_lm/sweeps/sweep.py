"""Running a sweep so that each of its runs stands alone.

A run's folder is named by the hash of its config, so the same line finds the runs that are done, goes on with those
that are not, and a wider sweep takes over what a narrower one has.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tinystories_lm.config.choices import Device
from tinystories_lm.hardware.detect import visible_gpus
from tinystories_lm.jobs.train import start_hydra, start_launcher, train_in_folder
from tinystories_lm.planning.preflight import Request, ResolvedJob, check_affordable, resolve
from tinystories_lm.runs.folder import RunFolder, refuse_links
from tinystories_lm.runs.schemas import parse_metrics_row
from tinystories_lm.runs.status import Status, write_status
from tinystories_lm.sweeps.members import Member, plan, refuse_twins
from tinystories_lm.sweeps.tables import describe_end, describe_plan
from tinystories_lm.system.console import duration, progress_bar
from tinystories_lm.system.errors import CommandError, ExitCode, Interrupted
from tinystories_lm.system.files import writing
from tinystories_lm.system.jsonl import last_row
from tinystories_lm.system.locks import lock
from tinystories_lm.system.processes import Ending, Task, run_apart, share_machine

log = logging.getLogger(__name__)
LOG = "output.log"  # of each member, in its run folder
# Loaded once, before the first member. None of them touches a GPU when it is imported.
PRELOAD = (
    "tinystories_lm.sweeps.sweep",
    "tinystories_lm.jobs.job",
    "hydra.main",
    "wandb",
    "torch._dynamo",
    "torch._inductor",
)
LOCK_PATIENCE_SECONDS = 40.0  # a member whose sweep was killed saves and leaves within this


@dataclass(frozen=True)
class Options:
    """How to run a sweep.

    parallel: runs at a time; 0 is one for each GPU, one on a CPU.
    deadline_minutes: of a single run; 0 is its training.max_hours.
    """

    dry_run: bool = False
    parallel: int = 0
    deadline_minutes: float = 0.0
    config_dir: str | None = None


def sweep(name: str, overrides: Sequence[str], options: Options) -> list[Member]:
    """Plan and, unless it is a dry run, run all of a sweep that is not done; returns its members.

    Raises CommandError with the counts when a member failed, and Interrupted when it was asked to stop.
    """
    start_hydra()
    request = Request((f"+sweep={name}", *overrides), multirun=True, config_dir=options.config_dir)
    launch = resolve(request, places=max(1, options.parallel))
    members = plan(launch.jobs)
    refuse_twins(members)
    log.info("%s\n%s", name, describe_plan(members))
    if options.dry_run:
        return members
    left = [member for member in members if member.status is not Status.DONE]
    for member in left:
        check_affordable(member.config, member.expected)
    if any(override.startswith("hydra/launcher=") for override in launch.request.overrides):
        start_launcher(launch)
        return members
    if not _run_apart(left, options):
        done = sum(member.status is Status.DONE for member in members)
        raise Interrupted(f"stopped with {done} of {len(members)} runs done: run the same command again to go on")
    return members


def raise_for_failures(members: Sequence[Member]) -> None:
    """Raise CommandError, with the counts, unless every member is done."""
    failed = [member for member in members if member.status is not Status.DONE]
    if failed:
        raise CommandError(
            f"{len(failed)} of {len(members)} runs failed: each has its {LOG}; the same command tries them again"
        )


def _run_apart(members: Sequence[Member], options: Options) -> bool:
    """Each in a process of its own; returns whether all had their turn."""
    for member in members:
        with writing(member.run.path):
            member.run.path.mkdir(parents=True, exist_ok=True)
        refuse_links(member.run)
    tasks = [
        Task(
            work=train_member,
            arguments=(member.job,),
            log=member.run.path / LOG,
            deadline_seconds=options.deadline_minutes * 60 or member.config.training.max_hours * 3600,
        )
        for member in members
    ]
    gpus = visible_gpus() if any(member.config.hardware.device is Device.cuda for member in members) else []
    steps = sum(member.config.training.steps for member in members)
    bar = progress_bar("steps", steps, "step")
    over: set[int] = set()

    def ended(number: int, ending: Ending) -> None:
        over.add(number)
        member = members[number]
        settle_status(member, ending)
        bar.clear()
        log.info("[%d/%d] %s: %s, %s", len(over), len(members), member.label, describe_end(member),
                 duration(ending.seconds))  # fmt: skip
        bar.refresh()

    def tick(running: list[int]) -> None:
        steps_of_over = sum(members[number].config.training.steps for number in over)
        bar.n = steps_of_over + sum(_last_step(members[number].run) for number in running)
        bar.set_postfix_str(" | ".join(members[number].label for number in running), refresh=True)

    places = min(options.parallel or max(1, len(gpus)), max(1, len(members)))
    try:
        return run_apart(tasks, slots=share_machine(places, gpus=gpus), preload=PRELOAD, ended=ended, tick=tick)
    finally:
        bar.close()


def train_member(job: ResolvedJob) -> None:
    """Train one member of a sweep, in a process of its own."""
    start_hydra()
    train_in_folder(job, wait_seconds=LOCK_PATIENCE_SECONDS)


def settle_status(member: Member, ending: Ending) -> None:
    """Write down what the member's process could not: that it was killed, or refused before it had a status."""
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
    return next((line.strip() for line in reversed(lines) if line.strip()), "no word")


def _last_step(run: RunFolder) -> int:
    row = last_row(run.metrics, parse_metrics_row)
    return int(row["progress/step"]) if row is not None else 0
