"""Refuse overrides and composed configs that Hydra accepts and a run must not have: code, keys, unknown settings."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from tinystories_lm.config.messages import describe_unknown, explain
from tinystories_lm.config.removed import REMOVED, describe_removal
from tinystories_lm.config.schema import SETTINGS, Config, settings
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.redaction import holds_secret

HYDRA_PLACES = ("hydra._internal.", "hydra_plugins.")  # modules of Hydra's own code and of installed plugins


def check_overrides(overrides: Sequence[str]) -> None:
    """Check what was typed before Hydra composes it.

    Raises UsageError for what Hydra would accept silently or report unclearly: a setting given twice, a removed
    setting, a number for a boolean, a secret, and any `_target_`, since an override chooses values and never code.
    """
    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    except HydraException as error:
        raise UsageError(explain(error)) from error
    seen: set[str] = set()
    for override in parsed:
        _check_override(override)
        if override.key_or_group in seen:
            raise UsageError(f"{override.key_or_group} is given twice: keep one of them")
        seen.add(override.key_or_group)


def _check_override(override: Override) -> None:
    typed, key, value = override.input_line or "", override.key_or_group, override._value
    check_no_secret(typed)
    if key in REMOVED:
        raise UsageError(describe_removal(typed.lstrip("+")))
    if "_target_" in typed:
        raise UsageError(f"{typed}: _target_ is refused: settings choose values, not code")
    is_boolean = key in SETTINGS and SETTINGS[key].type is bool
    if is_boolean and isinstance(value, int) and not isinstance(value, bool):
        raise UsageError(f"{typed}: {key} is either true or false")


def check_hydra_section(hydra: Any) -> None:
    """Raise UsageError where the composed section `hydra` names code, or contains a secret."""
    _check_no_code(hydra, "hydra")
    check_no_secret(f"hydra={hydra}")


def _check_no_code(section: Any, place: str) -> None:
    """Allow only Hydra's classes; a file of --config-dir can name others by `_target_` and, for logging, by `()`."""
    for key, value in section.items() if isinstance(section, dict) else enumerate(section):
        named = value if key in ("_target_", "()") else ""
        if named and not (key == "_target_" and str(named).startswith(HYDRA_PLACES)):
            raise UsageError(f"{place}.{key}={named} is refused: settings choose values, not code")
        if isinstance(value, dict | list):
            _check_no_code(value, f"{place}.{key}")


def check_no_secret(setting: str) -> None:
    """Raise UsageError for an API key: settings are stored, shown and sent to W&B."""
    if holds_secret(setting):
        raise UsageError(f"{setting}: that is a key, and settings are stored: give it by WANDB_API_KEY instead")


def check_names(composed: DictConfig) -> None:
    """Raise UsageError for an unknown setting: `+training.foo=1` passes Hydra's own check."""
    names = {*SETTINGS, *(section.name for section in dataclasses.fields(Config)), "hydra"}
    for section in map(str, composed):
        keys = [section]
        if section != "hydra" and OmegaConf.is_dict(composed[section]):
            keys += [f"{section}.{key}" for key in map(str, composed[section])]
        for key in keys:
            if key not in names:
                raise UsageError(describe_unknown(key))


def check_values(config: Config) -> None:
    """Raise UsageError for a value that cannot be stored: a secret, no Unicode text, or an interpolation."""
    for key, value in settings(config).items():
        text = str(value)
        check_no_secret(f"{key}={text}")
        shown = text.encode(errors="backslashreplace").decode()
        if shown != text:
            raise UsageError(f"{key}={shown} is not valid Unicode, so that no file could store it: rename the file")
        if "${" in text:
            raise UsageError(f"{key}={text} contains ${{, which refers to another setting: use a name without it")
