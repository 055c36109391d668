"""Find the YAML of conf/: its groups, presets and named sweeps. Imports no Hydra, so that `--help` can list them."""

from pathlib import Path


def conf_folder() -> Path:
    """Return the folder of the YAML: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).resolve().parents[1]
    beside = package.parent / "conf"
    return beside if (beside / "config.yaml").is_file() else package / "conf"


def choices_of(group: str) -> list[str]:
    """Return the names of a group's choices, sorted."""
    return sorted(file.stem for file in (conf_folder() / group).glob("*.yaml"))
