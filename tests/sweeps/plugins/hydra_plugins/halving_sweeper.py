"""A sweeper of a user: it halves the step of optimizer.lr around the best so far, one job after another."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class HalvingConfig:
    _target_: str = "hydra_plugins.halving_sweeper.HalvingSweeper"
    rounds: int = 2


ConfigStore.instance().store(group="hydra/sweeper", name="halving", node=HalvingConfig)


class HalvingSweeper(Sweeper):
    def __init__(self, rounds: int) -> None:
        self.rounds = rounds

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.launcher = Plugins.instance().instantiate_launcher(hydra_context, task_function, config)

    def sweep(self, arguments: list[str]) -> Any:
        fixed = [argument for argument in arguments if not argument.startswith("optimizer.lr=")]
        best, step, told = 0.01, 2.0, []
        for number in range(self.rounds):
            tried = [best / step, best * step]
            jobs: Sequence[list[str]] = [[*fixed, f"optimizer.lr={value}"] for value in tried]
            found = self.launcher.launch(jobs, initial_job_idx=2 * number)
            told += [(one.return_value, value) for one, value in zip(found, tried, strict=True)]
            best, step = min(told)[1], step**0.5
        loss, lr = min(told)
        print(json.dumps({"optimizer.lr": lr, "loss": loss}))
