"""Turn what a person typed into overrides that Hydra's grammar reads: quoted where it must be, paths expanded."""

import functools
import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path

from tinystories_lm.config.removed import without_removed
from tinystories_lm.system.errors import UsageError

log = logging.getLogger(__name__)
HYDRAS_WORDS = ("null", "true", "false", "inf", "nan")
PATHS = ("data.path", "data.cache_dir", "training.init_from", "hydra.run.dir", "hydra.sweep.dir")


def as_text(value: str) -> str:
    """Return the text as the value of an override, quoted where Hydra's grammar gives its characters a meaning."""
    if re.fullmatch(r"[A-Za-z_./][\w./+-]*", value, re.ASCII) and value.lower() not in HYDRAS_WORDS:
        return value
    escaped = re.sub(r"\\+(?='|$)", lambda found: 2 * found.group(), value)  # elsewhere a backslash needs no escape
    return "'{}'".format(escaped.replace("'", "\\'"))


def with_value(overrides: Sequence[str], key: str, value: object) -> tuple[str, ...]:
    """Return the overrides with this value of a setting in the place of any other."""
    return (*(override for override in overrides if key_of(override) != key), f"{key}={value}")


def key_of(override: str) -> str:
    """Return the setting or group that an override names."""
    return override.partition("=")[0].lstrip("+")


def readable(overrides: Sequence[str]) -> list[str]:
    """Return the overrides as Hydra can read them.

    Removed settings at their defaults are left out. Of a setting that is given twice, the last value is used, which a
    line says. A value that the grammar cannot read is quoted, as is a path that
    exists; `~` at the start of a path becomes the home folder. What cannot be read even so stays as it was typed.

    Raises UsageError for a NUL character, which no file and no setting can have in its name.
    """
    for override in overrides:
        if "\0" in override:
            raise UsageError(f"{override.replace(chr(0), '?')}: it has a NUL character (shown as ?); type it again")
    return [_readable(override) for override in _last_of_each(without_removed(overrides))]


def _last_of_each(overrides: Sequence[str]) -> list[str]:
    last = {key_of(override): number for number, override in enumerate(overrides)}
    kept = []
    for number, override in enumerate(overrides):
        key = key_of(override)
        if last[key] == number:
            kept.append(override)
        elif override != overrides[last[key]]:
            _report_once(f"{key} is given twice: {overrides[last[key]]}, the last one, is used")
    return kept


def _readable(override: str) -> str:
    key, equals, value = override.partition("=")
    if re.fullmatch(r"[\w./+:-]*", value, re.ASCII) or value[:1] in ("[", "{"):  # the latter needs quotes inside
        return override
    is_path = key.lstrip("+") in PATHS
    if is_path and (value == "~" or value.startswith("~/")):
        _report_once(f"{override}: ~ is the home folder, {os.path.expanduser('~')}")
        value = os.path.expanduser(value)
        return f"{key}={as_text(value)}"
    exists = is_path and value.strip() != "" and _exists(value)
    if equals and (exists or not _parses(override)) and _parses(quoted := f"{key}={as_text(value)}"):
        return quoted
    return override


@functools.cache
def _report_once(message: str) -> None:
    log.warning("%s", message)


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def _parses(override: str) -> bool:
    from hydra.core.override_parser.overrides_parser import OverridesParser  # commands that compose nothing need none
    from hydra.errors import HydraException

    try:
        OverridesParser.create().parse_override(override)
    except HydraException:
        return False
    return True
