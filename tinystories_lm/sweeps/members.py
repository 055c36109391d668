"""Describe the runs of a sweep: their settings, where each is stored and how far it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tinystories_lm.config.schema import Config
from tinystories_lm.model.flops import count_parameters
from tinystories_lm.planning.estimate import Estimate, estimate
from tinystories_lm.planning.preflight import ResolvedJob
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.records import read_as, read_summary
from tinystories_lm.runs.schemas import METRIC_NAMES, Record
from tinystories_lm.runs.status import Status, StatusFile, read_status_file, step_reached
from tinystories_lm.system.errors import DamagedError


class Result(Record, frozen=True, kw_only=True, rename=METRIC_NAMES):
    """The figures of a finished run that a sweep compares."""

    val_loss: float
    val_perplexity: float
    dollars: float
    train_seconds: float


@dataclass(frozen=True)
class Member:
    """One run of a sweep; what its folder contains is read again at each question."""

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
        return self.job.swept

    @property
    def label(self) -> str:
        """The settings in which it differs, in one line."""
        return self.job.label

    @property
    def status(self) -> Status | None:
        """None for a run that was never started; `failed`, and so to be run again, for one with damaged records."""
        try:
            return self._status_file().status if self.run.status.is_file() else None
        except DamagedError:
            return Status.FAILED

    @property
    def result(self) -> Result | None:
        """The final figures of a finished run; None for any other."""
        return read_as(self.run.summary, Result) if self.status is Status.DONE else None

    @property
    def step(self) -> int:
        """The step that its status names; 0 for a run that was never started."""
        return step_reached(self.run)

    @property
    def reason(self) -> str:
        try:
            return self._status_file().reason
        except DamagedError as error:
            return str(error)

    def _status_file(self) -> StatusFile:
        """Return status.json; raises DamagedError, also for a finished run without its figures."""
        found = read_status_file(self.run)
        if found.status is Status.DONE:
            read_summary(self.run, whole=True)
        return found


def plan_members(jobs: Sequence[ResolvedJob]) -> list[Member]:
    """Count each job's parameters and estimate what is left of it to do."""
    return [
        Member(
            job,
            parameters=count_parameters(job.config.model, vocab_size=job.config.data.vocab_size).total,
            expected=estimate(job.config, job.speed, start_step=step_reached(job.run)),
        )
        for job in jobs
    ]
