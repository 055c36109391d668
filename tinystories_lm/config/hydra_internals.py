"""The names of Hydra that are not public, each with the reason for it; no other module uses one."""

from collections.abc import Sequence
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra._internal.utils import get_args_parser
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn
from hydra.types import HydraContext
from omegaconf import DictConfig

__all__ = ["BASIC_SWEEPER", "Hydra", "context_of", "error_of", "expand", "get_args_parser"]
# `Hydra` is what GlobalHydra holds: its methods print what --help, --cfg and --info ask for, and compose for a sweep.
# `get_args_parser` has the flags of Hydra's command line, so that they are read and described as Hydra does.
BASIC_SWEEPER = f"{BasicSweeper.__module__}.{BasicSweeper.__qualname__}"


def expand(overrides: Sequence[str], loader: ConfigLoader) -> list[list[str]]:
    """Return the product of all values listed: one list of overrides per job, in the order of Hydra's basic sweeper.

    Its own function does it, so that the jobs that are planned are those that it would launch.
    """
    parsed = OverridesParser.create(config_loader=loader).parse_overrides(list(overrides))
    (jobs,) = BasicSweeper.split_arguments(parsed, None)
    return list(jobs)


def context_of(composed: DictConfig, loader: ConfigLoader) -> HydraContext:
    """Return what `run_job` and launchers take beside the config; the callbacks in it cannot be made otherwise."""
    return HydraContext(config_loader=loader, callbacks=Callbacks(composed))


def error_of(returned: JobReturn) -> Any:
    """Return the error that ended a job; `return_value` would print lines of Hydra's before it raises it."""
    return returned._return_value
