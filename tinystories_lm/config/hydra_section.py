"""Check Hydra's own section of a composed config: its settings choose values, and never code."""

import re
import sys
from typing import Any

from hydra.core.plugins import Plugins
from hydra.experimental.callback import Callback
from hydra.experimental.callbacks import LogJobReturnCallback  # noqa: F401  # Hydra imports it only where it is named
from hydra.plugins.plugin import Plugin

from tinystories_lm.system.errors import UsageError

HYDRA_PLACES = ("hydra._internal.", "hydra.experimental.", "hydra_plugins.")  # Hydra's code and installed plugins
PROCESSES_LAUNCHER = "hydra_plugins.tinystories_lm.ProcessesLauncher"  # ours, registered where a sweep starts
LOGGING = ("hydra.hydra_logging", "hydra.job_logging")
LOGGING_CODE = ("()", "class", "queue", "listener")  # keys by which logging.config imports and calls something
LOGGING_CLASS = re.compile(r"(logging|logging\.handlers|colorlog|rich\.logging)\.[A-Z]\w*(Handler|Formatter)")
STREAMS = ("ext://sys.stdout", "ext://sys.stderr")


def check_hydra_section(hydra: dict[Any, Any]) -> None:
    """Raise UsageError where the composed section `hydra` names code or changes the folder."""
    if hydra.get("job", {}).get("chdir"):
        raise UsageError(
            "hydra.job.chdir=true is not supported: paths mean what they mean where the command was typed; remove it"
        )
    _check_no_code(hydra, "hydra")


def _check_no_code(section: Any, place: str) -> None:
    """Allow only Hydra's classes by `_target_`, and for logging only handlers and formatters."""
    for key, value in section.items() if isinstance(section, dict) else enumerate(section):
        in_logging = place.startswith(LOGGING)
        is_code = key in ("_target_", "()") or (in_logging and key in LOGGING_CODE)
        is_allowed = _is_hydra_class(str(value)) if key == "_target_" else in_logging and _is_for_logging(value)
        is_import = isinstance(value, str) and value.startswith("ext://") and value not in STREAMS
        if (is_code and value and not is_allowed) or is_import:
            raise UsageError(
                f"{place}.{key}={value} is refused: settings choose values, not code; "
                "only classes of Hydra and of installed plugins may stand there"
            )
        if isinstance(value, dict | list):
            _check_no_code(value, f"{place}.{key}")


def _is_hydra_class(name: str) -> bool:
    """Return whether this is the name of a plugin's or callback's class, and not of what its module imports."""
    if name == PROCESSES_LAUNCHER:
        return True
    module, _, attribute = name.rpartition(".")
    if not name.startswith(HYDRA_PLACES):
        return False
    Plugins.instance()  # imports the installed plugins, once; nothing is imported by a name from a setting
    found = getattr(sys.modules.get(module), attribute, None)
    is_kind = isinstance(found, type) and issubclass(found, Plugin | Callback)
    return is_kind and f"{found.__module__}.".startswith(HYDRA_PLACES)


def _is_for_logging(value: object) -> bool:
    return isinstance(value, str) and LOGGING_CLASS.fullmatch(value) is not None
