"""Find the YAML of conf/ (groups, presets, named sweeps), and read what a sweep varies.

Imports no Hydra, so that `--help` can list them.
"""

from collections.abc import Sequence
from pathlib import Path

from tinystories_lm.system.errors import UsageError


def conf_folder() -> Path:
    """Return the folder of the YAML: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).resolve().parents[1]
    beside = package.parent / "conf"
    return beside if (beside / "config.yaml").is_file() else package / "conf"


def choices_of(group: str) -> list[str]:
    """Return the names of a group's choices, sorted."""
    return [*choice_files(group)]


def choice_files(group: str, config_dir: str | None = None) -> dict[str, Path]:
    """Return the files of a group's choices by name, sorted; those of the user's folder win over those of conf/."""
    folders = [conf_folder(), *([Path(config_dir)] if config_dir is not None else [])]
    found = {file.stem: file for folder in folders for file in (folder / group).glob("*.yaml")}
    return {name: found[name] for name in sorted(found)}


def check_config_dir(config_dir: str | None) -> None:
    """Raise UsageError where the user's folder of choices does not exist."""
    if config_dir is not None and not Path(config_dir).is_dir():
        raise UsageError(f"--config-dir={config_dir} is not a folder")


def question_of(file: Path) -> str:
    """Return the first comment of a choice's file: what it is, or the question that a preset answers."""
    comments = [line[1:].strip() for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    return next((line for line in comments if line and not line.startswith("@")), "")


def sweep_name(override: str) -> str:
    """Return NAME of `+sweep=NAME`, and "" for any other override."""
    key, _, value = override.partition("=")
    return value if key.lstrip("+") == "sweep" else ""


def swept_settings(jobs: Sequence[Sequence[str]]) -> list[dict[str, str]]:
    """Return, for each job, those of its overrides that differ between the jobs."""
    chosen = [dict(override.split("=", 1) for override in job if "=" in override) for job in jobs]
    keys = dict.fromkeys(key for job in chosen for key in job)
    varied = [key for key in keys if len({job.get(key) for job in chosen}) > 1]
    return [{key: job[key] for key in varied if key in job} for job in chosen]
