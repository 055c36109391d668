"""Plan a search before anything is paid for: its study, and how long and how expensive it is at most."""

import contextlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tinystories_lm.config.fingerprint import config_hash
from tinystories_lm.planning.estimate import Estimate
from tinystories_lm.planning.preflight import ResolvedJob, check_affordable
from tinystories_lm.sweeps.search.claims import Search
from tinystories_lm.sweeps.search.jobs import TrialJobs, compose_space
from tinystories_lm.sweeps.search.rungs import rung_steps
from tinystories_lm.sweeps.search.space import Choices, Space
from tinystories_lm.sweeps.search.study import SamplerName, Study, check_installed, suggest
from tinystories_lm.sweeps.search.trials import State, Trial
from tinystories_lm.system.errors import UsageError

TRIES = 20  # points at which settings are looked for that make a run
SHOWN = 3  # trials of a plan


@dataclass(frozen=True)
class SearchRequest:
    """What was typed for a search.

    count: trials of the whole study.
    seed: of the samplers; the runs' own is training.seed.
    prune: whether trials pause at rungs, so that only the best third continues.
    parallel, deadline_minutes: as for a sweep.
    """

    name: str
    overrides: tuple[str, ...]
    config_dir: str | None
    count: int
    sampler: SamplerName
    seed: int
    prune: bool
    parallel: int
    deadline_minutes: float


@dataclass(frozen=True)
class SearchPlan:
    """A search with nothing left open.

    example: the job at one point of the space.
    most: the estimate of the most expensive trial, trained to its end.
    """

    search: Search
    jobs: TrialJobs
    example: ResolvedJob
    most: Estimate

    @property
    def study(self) -> Study:
        return self.search.study

    def next_trials(self, trials: Sequence[Trial]) -> dict[int, dict[str, str]]:
        """Return the settings of the next few trials, as they are drawn from what is known now."""
        there = {trial.number for trial in trials}
        left = [number for number in range(self.search.count) if number not in there]
        return {number: suggest(self.study, trials, number) for number in left[:SHOWN]}

    def left(self, trials: Sequence[Trial]) -> int:
        """Return how many trials may still take time."""
        over = (State.DONE, State.DIVERGED, State.REFUSED)
        return self.search.count - sum(trial.state in over for trial in trials)


def plan_search(request: SearchRequest) -> SearchPlan:
    """Return the study that the request means, the jobs of its trials and the estimate of the most expensive one.

    Raises UsageError for ranges that cannot be searched, a trial that would be too expensive, and a missing package.
    """
    check_installed(request.sampler)
    typed = TrialJobs(compose_space(request.name, request.overrides, config_dir=request.config_dir), request.config_dir)
    point = _point_that_runs(typed)
    jobs = typed.resolved_at(point)
    most, tried = _most_expensive(jobs, point)
    if most != point:
        jobs = typed.resolved_at(most)
    check_affordable(jobs.job(most).config, jobs.expected(most))
    first = jobs.job(point)
    study = Study(
        space=jobs.space,
        sampler=request.sampler,
        seed=request.seed,
        rungs=_rungs(tried) if request.prune else (),
        base=config_hash(first.config),
    )
    found = Search(study, first.folder.parent, request.count, jobs.folder)
    return SearchPlan(found, jobs, first, jobs.expected(most))


def _point_that_runs(jobs: TrialJobs) -> dict[str, str]:
    """Return settings of the space that make a run, always the same ones; raises UsageError where none is found."""
    problem: UsageError | None = None
    for params in _points(jobs.space):
        try:
            jobs.check(params)
            return params
        except UsageError as error:
            problem = problem or error
    assert problem is not None
    raise problem


def _points(space: Space) -> Iterator[dict[str, str]]:
    for end in (0, -1):
        yield {one.key: one.ends[end] for one in space.dimensions}
    choose = random.Random(0)
    for _ in range(TRIES):
        yield {
            one.key: choose.choice(one.values)
            if isinstance(one, Choices)
            else one.text(choose.uniform(one.low, one.high))
            for one in space.dimensions
        }


def _most_expensive(jobs: TrialJobs, point: dict[str, str]) -> tuple[dict[str, str], list[ResolvedJob]]:
    """Return the settings that take longest, and all jobs that were compared.

    One setting after the other is moved to where it takes longest: the cost rises or falls with each of them alone.
    """
    found, tried = dict(point), [jobs.job(point)]
    for one in jobs.space.dimensions:
        for value in one.ends:
            with contextlib.suppress(UsageError):
                moved = found | {one.key: value}
                tried.append(jobs.job(moved))
                if jobs.expected(moved).seconds > jobs.expected(found).seconds:
                    found = moved
    return found, tried


def _rungs(tried: Sequence[ResolvedJob]) -> tuple[int, ...]:
    """Return the steps of the rungs; raises UsageError where they are not the same tokens for all trials."""
    if len({(job.config.tokens, job.config.training.steps) for job in tried}) > 1:
        raise UsageError(
            "--prune compares trials after equal tokens, and the ranges change training.steps, training.batch_size or "
            "model.context_tokens: remove that range, or --prune"
        )
    return rung_steps(tried[0].config.training)
