"""`sample --grid`: compare one model's stories under many sampling settings."""

import dataclasses
from collections.abc import Iterator, Mapping
from itertools import product
from typing import TextIO

from tinystories_lm.config.choices import Device, Precision
from tinystories_lm.config.schema import SamplingConfig
from tinystories_lm.evaluation.evaluate import for_stories, format_figure, training_text, write_stories
from tinystories_lm.evaluation.story_metrics import METRICS, PROMPTS, measure
from tinystories_lm.generation.load import load_model
from tinystories_lm.generation.sample import changed
from tinystories_lm.generation.text import drawing_settings
from tinystories_lm.hardware.setup import open_for_inference
from tinystories_lm.system.console import table
from tinystories_lm.system.json_files import to_ascii_json

# Greedy and random sampling, with and without each setting that may prevent loops.
GRID: dict[str, tuple[float, ...]] = {
    "temperature": (0.0, 0.8, 1.0),
    "top_p": (1.0, 0.95),
    "repetition_penalty": (1.0, 1.3),
}
STORIES_PER_PROMPT = 2
SHOWN = (
    "stories", "distinct_2", "repeated_4grams", "looping", "non_words", "pronoun_consistency", "ended",
    "copied_8grams", "compression_ratio",
)  # fmt: skip


def compare(
    name: str,
    out: TextIO,
    *,
    settings: Mapping[str, object],
    device: Device,
    precision: Precision,
    as_json: bool,
) -> None:
    """Write stories of run `name` under every setting of the grid and print their metrics.

    settings: overrides for every combination; one that names an axis of the grid fixes that axis.
    """
    machine = open_for_inference(device, precision)
    trained = load_model(name, device=machine.device.type)
    base = changed(trained.config.sampling, settings)
    count = len(PROMPTS) * int(str(settings.get("count", STORIES_PER_PROMPT)))
    written = []
    for config in grid_settings(for_stories(base, base.max_tokens), fixed=settings):
        stories = write_stories(trained, config, len(PROMPTS) if config.temperature == 0 else count, machine)
        written.append((config, stories))
    training = training_text(trained.config.data, [story for _, stories in written for story in stories])
    found = [(config, measure(stories, training)) for config, stories in written]
    if as_json:
        for config, quality in found:
            out.write(to_ascii_json(drawing_settings(config) | dataclasses.asdict(quality)) + "\n")
        return
    columns = [each for each in METRICS if each.name in SHOWN]
    rows = [
        [f"{getattr(config, axis):g}" for axis in GRID]
        + [format_figure(getattr(quality, each.name)) for each in columns]
        for config, quality in found
    ]
    header = [*(axis.replace("_", " ") for axis in GRID), *(each.label for each in columns)]
    out.write(table(header, rows, right=range(len(header))) + "\n")
    out.write("\n" + "\n".join(f"{each.label}: {each.meaning}" for each in columns) + "\n")


def grid_settings(base: SamplingConfig, *, fixed: Mapping[str, object]) -> Iterator[SamplingConfig]:
    """Yield every combination of the grid; greedy sampling ignores top_p, so it appears with one top_p only."""
    axes = [(getattr(base, axis),) if axis in fixed else values for axis, values in GRID.items()]
    for temperature, top_p, penalty in product(*axes):
        if temperature == 0 and top_p != axes[1][0]:
            continue
        yield dataclasses.replace(base, temperature=temperature, top_p=top_p, repetition_penalty=penalty)
