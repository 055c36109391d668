"""Plan a named sweep, run what is not done, and return its members.

A run's folder is named by the hash of its config, so the same command finds the runs that are done and resumes those
that are not, and a wider sweep reuses the runs of a narrower one.
"""

import logging
from collections.abc import Sequence

from tinystories_lm.jobs.train import start_hydra, start_launcher
from tinystories_lm.planning.preflight import Request, check_affordable, check_distinct, resolve
from tinystories_lm.runs.records import check_text
from tinystories_lm.runs.status import Status
from tinystories_lm.sweeps.launcher import LOG, run_members
from tinystories_lm.sweeps.members import Member, plan_members
from tinystories_lm.sweeps.tables import describe_plan
from tinystories_lm.system.console import counted
from tinystories_lm.system.errors import CommandError, Interrupted

log = logging.getLogger(__name__)


def sweep(
    name: str,
    overrides: Sequence[str],
    *,
    config_dir: str | None,
    dry_run: bool,
    parallel: int,
    deadline_minutes: float,
) -> list[Member]:
    """Plan a sweep and, unless it is a dry run, run all of it that is not done; return its members.

    parallel, deadline_minutes: as for `run_members`.

    Raises UsageError for a run that would be too expensive, and Interrupted on a request to stop.
    """
    start_hydra()
    request = Request((f"+sweep={name}", *overrides), multirun=True, config_dir=config_dir)
    launch = resolve(request, places=parallel)
    check_distinct(launch.jobs)
    members = plan_members(launch.jobs)
    log.info("%s\n%s", name, describe_plan(members))
    if dry_run:
        return members
    left = [member for member in members if member.status is not Status.DONE]
    for member in members:
        if member not in left:
            check_text(member.run, member.config.data)
    for member in left:
        check_affordable(member.config, member.expected)
    if any(override.startswith("hydra/launcher=") for override in launch.request.overrides):
        start_launcher(launch)
    elif not run_members(left, parallel=parallel, deadline_minutes=deadline_minutes):
        done = sum(member.status is Status.DONE for member in members)
        raise Interrupted(f"stopped with {done} of {len(members)} runs done; run the same command again to resume")
    return members


def raise_for_failures(members: Sequence[Member]) -> None:
    """Raise CommandError, with the counts, unless every member is done."""
    failed = [member for member in members if member.status is not Status.DONE]
    if failed:
        raise CommandError(
            f"{len(failed)} of {counted(len(members), 'run')} failed ({LOG} in a run's folder says why); "
            "the same command retries what failed"
        )
