"""Turn settings of a search into jobs: what the sweep's name and the command line mean together, for each trial."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from omegaconf import DictConfig

from tinystories_lm.config.compose import ComposedJob, compose_config, parse_ranges
from tinystories_lm.config.overrides import key_of
from tinystories_lm.jobs.hydra_job import start_hydra
from tinystories_lm.jobs.train import train_in_folder
from tinystories_lm.planning.estimate import Estimate, Speed, estimate
from tinystories_lm.planning.preflight import Request, ResolvedJob, find_speeds, resolve
from tinystories_lm.sweeps.job import LOCK_PATIENCE_SECONDS
from tinystories_lm.sweeps.search.space import Space, read_space
from tinystories_lm.system.errors import UsageError


def compose_space(name: str, overrides: Sequence[str], *, config_dir: str | None) -> Space:
    """Return what a named sweep and the command line vary together; the command line wins.

    Raises UsageError in one line for anything wrong with them.
    """
    for override in overrides:
        if key_of(override) in ("hydra/launcher", "hydra/sweeper"):
            raise UsageError(
                f"{override}: a search starts its own trials: remove it; workers that are started by hand, on this or "
                "other machines, share the search of one folder"
            )
    return read_space(parse_ranges([f"+sweep={name}", *overrides], config_dir=config_dir))


@dataclass
class TrialJobs:
    """The jobs of a search's trials, each made once."""

    space: Space
    config_dir: str | None
    _made: dict[tuple[str, ...], ResolvedJob] = field(default_factory=dict)
    _composed: dict[tuple[str, ...], ComposedJob] = field(default_factory=dict)
    _speeds: dict[str, Speed] = field(default_factory=dict)

    def job(self, params: dict[str, str]) -> ResolvedJob:
        """Return the run of a trial, in its folder of the sweep; raises UsageError for settings that make no run."""
        words = tuple(self.space.overrides(params))
        if words not in self._made:
            composed = self._compose(words)
            if composed.config.hardware.name not in self._speeds:
                self._speeds |= find_speeds([composed.config])
            self._made[words] = ResolvedJob(
                config=composed.config,
                folder=composed.sweep_folder,
                speed=self._speeds[composed.config.hardware.name],
                overrides=composed.overrides,
                config_dir=self.config_dir,
                swept=params,
            )
        return self._made[words]

    def check(self, params: dict[str, str]) -> None:
        """Raise UsageError for settings that make no run."""
        self._compose(tuple(self.space.overrides(params)))

    def composed(self, params: dict[str, str]) -> DictConfig:
        """Return the settings of a trial as Hydra composed them."""
        return self._compose(tuple(self.space.overrides(params))).composed

    def _compose(self, words: tuple[str, ...]) -> ComposedJob:
        if words not in self._composed:
            self._composed[words] = compose_config(words, config_dir=self.config_dir)
        return self._composed[words]

    def folder(self, params: dict[str, str]) -> Path:
        return self.job(params).folder

    def expected(self, params: dict[str, str]) -> Estimate:
        """Return what a trial takes from its first step to its last."""
        job = self.job(params)
        return estimate(job.config, job.speed)

    def resolved_at(self, params: dict[str, str]) -> "TrialJobs":
        """Return the jobs with this machine in the place of hardware=auto, and micro-batches that fit at this point."""
        words = tuple(self.space.overrides(params))
        resolved = resolve(Request(words, config_dir=self.config_dir)).request.overrides
        searched = {f"{key}={value}" for key, value in params.items()}
        shared = tuple(word for word in resolved if word not in searched)
        return TrialJobs(replace(self.space, shared=shared), self.config_dir)


def train_trial(job: ResolvedJob, composed: DictConfig) -> None:
    """Train a trial in this process, to its end or to its rung."""
    start_hydra()
    train_in_folder(job, composed, wait_seconds=LOCK_PATIENCE_SECONDS)
