"""Translate the errors of Hydra and OmegaConf, which have many lines, into one line with what to type instead."""

import difflib
import re
from collections.abc import Sequence

from hydra.errors import ConfigCompositionException, MissingConfigException, OverrideParseException
from yaml import MarkedYAMLError

from tinystories_lm.config.presets import choices_of
from tinystories_lm.config.removed import REMOVED, describe_removal
from tinystories_lm.config.schema import SETTINGS

# What conf/hydra/launcher builds on, and the extra that installs it.
LAUNCHER_EXTRAS = {
    "hydra/launcher/joblib": "parallel",
    "hydra/launcher/submitit_slurm": "slurm",
    "hydra/launcher/submitit_local": "slurm",
    "hydra/launcher/ray": "ray",
}
NOISE = re.compile(r"(full_key|reference_type|object_type)[:=]|\^|See https")  # starts lines that help nobody
IN_FILE = re.compile(r"In '([^']+)': \w+ raised while composing config:\n")  # how Hydra begins an error in a file


def explain(error: BaseException) -> str:
    """Return what was wrong and what to type instead."""
    if isinstance(error, MissingConfigException):
        return _explain_missing(error)
    if isinstance(error, OverrideParseException):
        key = (error.override or "").partition("=")[0]
        return (
            f"{error.override}: cannot be read as setting=value: {_first_sentence(str(error))}; quote it twice: "
            f"\"{key}='text'\", or \"{key}=['text','text']\" for a list"
        )
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"{mark.name}, line {mark.line + 1}: this is not YAML: {error.problem}"
    text = str(error)
    if "Ambiguous value" in text:
        return f"{_quoted(text)}: several values make a sweep: add -m, or use key=[a,b] for a list"
    if "does not support sweep type" in text:
        return "a range such as interval(1e-4,1e-2) is for a search: type `tinystories-lm sweep NAME --search N`"
    in_file = IN_FILE.match(text)
    place = f" (in {in_file[1]})" if in_file else ""
    text = text[in_file.end() :] if in_file else text
    cause = str(error.__cause__) if error.__cause__ else text
    full_key = re.search(r"full_key: (\S+)", cause)
    key = full_key[1] if full_key else _quoted(text)
    if in_file and key == in_file[1].partition("/")[0]:  # the settings stand below the group's name
        return f"{in_file[1]}.yaml: its settings are not where they belong; begin the file with `# @package _global_`"
    if key and any(words in cause + text for words in ("not in struct", "Key '")):
        return describe_unknown(key) + place
    message = _first_sentence(cause if isinstance(error, ConfigCompositionException) else text)
    return (f"{key}: {message}" if key and key not in message else message) + place


def _explain_missing(error: MissingConfigException) -> str:
    """Name the nearest choice of a group, or the extra that installs a launcher."""
    wanted = error.missing_cfg_file or ""
    group, _, choice = wanted.rpartition("/")
    options = [option for option in error.options or [] if option != "__init__"]
    if wanted in LAUNCHER_EXTRAS:
        return f"{wanted} is not installed: pip install -e '.[{LAUNCHER_EXTRAS[wanted]}]'"
    if not group or not options:
        return _first_sentence(str(error))
    close = difflib.get_close_matches(choice, options, n=1, cutoff=0.6)
    hint = f"did you mean {close[0]}?" if close else f"choose one of {', '.join(sorted(options))}"
    return f"{group}={choice}: there is no such {group}; {hint}"


def describe_unknown(key: str) -> str:
    """Return the message for a setting that does not exist, with the nearest one that does."""
    if key in REMOVED:
        return describe_removal(key)
    sections = dict.fromkeys(name.partition(".")[0] for name in SETTINGS)
    groups = [section for section in ("experiment", *sections) if choices_of(section)]
    close: Sequence[str] = difflib.get_close_matches(key, [*SETTINGS, *groups], n=1, cutoff=0.6)
    if not close:  # the key may be right, and its section wrong or missing
        names = {name.rpartition(".")[2]: name for name in SETTINGS}
        close = [names[tail] for tail in difflib.get_close_matches(key.rpartition(".")[2], names, n=1)]
    hint = f"did you mean {close[0]}?" if close else "`tinystories-lm train --cfg job` lists them all"
    return f"{key}: there is no such setting; {hint}"


def _quoted(text: str) -> str:
    found = re.search(r"'([^']+)'", text)
    return found[1] if found else ""


def _first_sentence(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    kept = [line for line in lines if not NOISE.match(line)]
    return " ".join(kept[:2])
