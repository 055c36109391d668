"""Search for the best settings of a sweep's ranges: plan, train trial after trial, resume, compare."""

import itertools
import logging
from dataclasses import dataclass, field, replace
from pathlib import Path

from tinystories_lm.config.choices import Device
from tinystories_lm.hardware.detect import visible_gpus
from tinystories_lm.jobs.hydra_job import start_hydra
from tinystories_lm.runs.folder import refuse_links
from tinystories_lm.runs.trials import StudyRecord, write_study_record
from tinystories_lm.sweeps.launcher import LOG, PRELOAD, record_end
from tinystories_lm.sweeps.members import Member, plan_members
from tinystories_lm.sweeps.search.claims import Claim
from tinystories_lm.sweeps.search.jobs import train_trial
from tinystories_lm.sweeps.search.plan import SearchPlan, SearchRequest, plan_search
from tinystories_lm.sweeps.search.space import Range
from tinystories_lm.sweeps.search.study import Study, importance
from tinystories_lm.sweeps.search.tables import best_of, describe_plan, describe_trial
from tinystories_lm.sweeps.search.trials import State, Trial
from tinystories_lm.system.console import duration
from tinystories_lm.system.errors import CommandError, Interrupted
from tinystories_lm.system.processes import GRACE_SECONDS, Ending, Task, run_as_chosen, share_machine

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """The trials of a search, and the share of each setting in what makes one good: {} of too few trials."""

    trials: list[Trial]
    importance: dict[str, float]

    @property
    def best(self) -> Trial | None:
        return best_of(self.trials)

    @property
    def running_elsewhere(self) -> int:
        """Return how many trials other processes are training."""
        return sum(trial.state is State.RUNNING for trial in self.trials)


def search(request: SearchRequest, *, dry_run: bool) -> Found:
    """Plan a search and, unless it is a dry run, train what is left of it; return its trials.

    Raises UsageError for what cannot be searched or is too expensive, and Interrupted on a request to stop.
    """
    start_hydra()
    plan = plan_search(request)
    trials = plan.search.trials()
    log.info("%s\n%s", request.name, describe_plan(plan, trials))
    if not dry_run:
        is_whole = _Worker(plan, request).work()
        trials = plan.search.trials()
        _write_record(plan.study, plan.search.folder, importance(plan.study, trials))
        if not is_whole:
            over = plan.search.count - plan.left(trials)
            raise Interrupted(
                f"stopped with {over} of {plan.search.count} trials over; run the same command again to resume"
            )
    return Found(trials, importance(plan.study, trials))


def _write_record(study: Study, folder: Path, shares: dict[str, float]) -> None:
    logarithmic = tuple(one.key for one in study.space.dimensions if isinstance(one, Range) and one.log)
    write_study_record(
        folder,
        StudyRecord(
            study=study.fingerprint,
            sampler=str(study.sampler),
            seed=study.seed,
            logarithmic=logarithmic,
            importance=shares,
        ),
    )


def raise_without_result(found: Found) -> None:
    """Raise CommandError where no trial has finished."""
    if found.best is None:
        running = f", and {found.running_elsewhere} still run in other processes" if found.running_elsewhere else ""
        raise CommandError(f"no trial of {len(found.trials)} has finished{running} ({LOG} in a run's folder says why)")


@dataclass
class _Worker:
    """Trains what the study hands out, each trial in a process of its own."""

    plan: SearchPlan
    request: SearchRequest
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    _under_way: dict[int, tuple[Claim, Member]] = field(default_factory=dict)

    def work(self) -> bool:
        """Train until nothing is left, or only what other workers have; return whether there was no request to stop."""
        device = self.plan.example.config.hardware.device
        gpus = visible_gpus() if device is Device.cuda else []
        places = min(self.request.parallel or max(1, len(gpus)), self.request.count)
        slots = share_machine(places, gpus=gpus)
        try:
            return run_as_chosen(self._choose, slots=slots, preload=PRELOAD, ended=self._record, tick=lambda _: None)
        finally:
            for claim, _ in self._under_way.values():
                claim.release()

    def _choose(self) -> tuple[int, Task] | None:
        claim = self.plan.search.claim()
        if claim is None:
            return None
        job = self.plan.jobs.job(claim.record.params)
        seconds = self.request.deadline_minutes * 60 or job.config.training.max_hours * 3600
        job = replace(job, folder=claim.run.path, pause_at_step=claim.stop_at_step, deadline_seconds=seconds)
        (member,) = plan_members([job])
        refuse_links(member.run)
        number = next(self._numbers)
        self._under_way[number] = claim, member
        return number, Task(
            work=train_trial,
            arguments=(job, self.plan.jobs.composed(claim.record.params)),
            log=member.run.path / LOG,
            deadline_seconds=seconds + GRACE_SECONDS,  # for one that does not stop by itself
        )

    def _record(self, number: int, ending: Ending) -> None:
        claim, member = self._under_way.pop(number)
        record_end(member, ending)
        claim.release()
        trials = self.plan.search.trials()
        trial = next(trial for trial in trials if trial.number == claim.record.number)
        ended = sum(trial.state not in (State.WAITING, State.RUNNING) for trial in trials)
        log.info("[%s/%s] %s, %s", ended, self.plan.search.count, describe_trial(trial), duration(ending.seconds))
