"""List the presets: the question that each answers, its size, and what it costs."""

from pathlib import Path
from typing import Any, NamedTuple

from tinystories_lm.config.compose import compose_config
from tinystories_lm.config.presets import choice_files, question_of
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
    return [_preset(file, config_dir) for file in choice_files("experiment", config_dir).values()]


def _preset(file: Path, config_dir: str | None) -> Preset:
    plan = make_plan(compose_config([f"experiment={file.stem}"], config_dir=config_dir).config)
    priced = next((machine for machine in plan.machines if machine.hardware == PRICED_ON), None)
    return Preset(
        name=file.stem,
        question=question_of(file),
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
