"""List the presets: the question that each answers, its size, and what it costs."""

from pathlib import Path
from typing import Any, NamedTuple

from tinystories_lm.config.compose import compose_config
from tinystories_lm.config.presets import conf_folder
from tinystories_lm.planning.plan import make_plan
from tinystories_lm.system.console import amount, duration, table

PRICED_ON = "h100"  # the hardware of the published rounds


class Preset(NamedTuple):
    """A preset and the plan of its run."""

    name: str
    question: str  # the first comment of its file
    command: str
    parameters: int
    tokens: int
    seconds: float | None  # on PRICED_ON; None where that is not known
    dollars: float | None


def list_presets(config_dir: str | None = None) -> list[Preset]:
    """Return the presets of conf/experiment and of the user's own folder, by name.

    Raises UsageError for a preset that does not compose.
    """
    folders = [conf_folder(), *([Path(config_dir)] if config_dir is not None else [])]
    files = {file.stem: file for folder in folders for file in sorted((folder / "experiment").glob("*.yaml"))}
    return [_preset(files[name], config_dir) for name in sorted(files)]


def _preset(file: Path, config_dir: str | None) -> Preset:
    plan = make_plan(compose_config([f"experiment={file.stem}"], config_dir=config_dir).config)
    priced = next((machine for machine in plan.machines if machine.hardware == PRICED_ON), None)
    comments = [line[1:].strip() for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    return Preset(
        name=file.stem,
        question=next((line for line in comments if line and not line.startswith("@")), ""),
        command=f"tinystories-lm train experiment={file.stem}",
        parameters=plan.parameters.total,
        tokens=plan.tokens,
        seconds=priced.seconds if priced is not None else None,
        dollars=priced.dollars if priced is not None else None,
    )


def describe(presets: list[Preset]) -> str:
    """Return a table of sizes and costs, and the question of each preset below it."""
    rows = [
        [
            preset.name,
            amount(preset.parameters),
            amount(preset.tokens),
            "?" if preset.seconds is None else duration(preset.seconds),
            "?" if preset.dollars is None else f"${preset.dollars:.2f}",
        ]
        for preset in presets
    ]
    sizes = table(["preset", "parameters", "tokens", f"on an {PRICED_ON}", "dollars"], rows, right=range(1, 5))
    return "\n".join([sizes, *(f"\n{preset.command}\n  {preset.question}" for preset in presets)])


def as_records(presets: list[Preset]) -> list[dict[str, Any]]:
    """Return the presets as plain values, for programs."""
    return [preset._asdict() for preset in presets]
