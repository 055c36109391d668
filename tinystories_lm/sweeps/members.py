"""The runs of a sweep: what each is, where it lies and how far it has come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinystories_lm.config.schema import Config
from tinystories_lm.model.flops import count_parameters
from tinystories_lm.planning.estimate import Estimate, estimate
from tinystories_lm.planning.preflight import ResolvedJob
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.records import read_summary
from tinystories_lm.runs.status import Status, read_status, read_status_file, step_reached
from tinystories_lm.system.errors import DamagedError, UsageError


@dataclass(frozen=True)
class Member:
    """One run of a sweep."""

    job: ResolvedJob
    parameters: int
    expected: Estimate  # of what is left to do

    @property
    def config(self) -> Config:
        return self.job.config

    @property
    def run(self) -> RunFolder:
        return self.job.run

    @property
    def swept(self) -> Mapping[str, str]:
        """The settings that set it apart from the others."""
        return self.job.swept

    @property
    def label(self) -> str:
        return " ".join(f"{key}={value}" for key, value in self.swept.items()) or self.config.name

    @property
    def status(self) -> Status | None:
        """None for a run that was never begun; one whose files do not say what came of it is to be run again."""
        try:
            status = read_status(self.run) if self.run.status.is_file() else None
            if status is Status.DONE:
                read_summary(self.run, whole=True)
            return status
        except DamagedError:
            return Status.FAILED

    @property
    def step(self) -> int:
        """The step that its status names; 0 for a run that was never begun."""
        return step_reached(self.run)

    @property
    def reason(self) -> str:
        """Why it has the status it has."""
        try:
            told = read_status_file(self.run)
            if told.status is Status.DONE:
                read_summary(self.run, whole=True)
            return told.reason
        except DamagedError as error:
            return str(error)


def plan(jobs: Sequence[ResolvedJob]) -> list[Member]:
    """Count each job's parameters and estimate what is left of it to do."""
    return [
        Member(
            job,
            parameters=count_parameters(job.config.model, vocab_size=job.config.data.vocab_size).total,
            expected=estimate(job.config, job.speed, start_step=step_reached(job.run)),
        )
        for job in jobs
    ]


def refuse_twins(members: Sequence[Member]) -> None:
    """Raise UsageError where two jobs would be one run."""
    seen: dict[Path, Member] = {}
    for member in members:
        twin = seen.setdefault(member.run.path, member)
        if twin is not member:
            raise UsageError(
                f"{twin.label} and {member.label} are the same run: they differ in nothing that moves a number"
            )
