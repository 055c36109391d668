"""Carry out the `sample` command: write texts with a run's model as they come."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO, TypeVar

from tinystories_lm.config.choices import Device, Precision
from tinystories_lm.config.schema import DataConfig, SamplingConfig
from tinystories_lm.generation.generate import begin_texts, write_groups
from tinystories_lm.generation.load import load_model
from tinystories_lm.generation.text import Text
from tinystories_lm.hardware.setup import open_for_inference
from tinystories_lm.runs.folder import read_config
from tinystories_lm.runs.lookup import find_run
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.json_files import to_ascii_json
from tinystories_lm.system.stdio import escape_controls

Section = TypeVar("Section", DataConfig, SamplingConfig)


def sample(
    name: str,
    out: TextIO,
    *,
    prompts: Sequence[str] | None,
    settings: Mapping[str, object],
    device: Device,
    precision: Precision,
    as_json: bool,
) -> None:
    """Write texts of run `name` to `out`: as they come, or one JSON object a text as soon as it has ended.

    prompts: those of the run's config if None.
    settings: sampling settings that replace the run's own.

    Raises UsageError for an impossible setting, an unknown run, and a prompt that leaves no room.
    """
    stored = read_config(find_run(name)).sampling
    config = changed(stored, settings)
    machine = open_for_inference(device, precision)
    loaded = load_model(name, device=machine.device.type)
    texts = begin_texts(
        loaded.tokenizer,
        stored.prompts if prompts is None else prompts,
        config,
        count=config.count,
        context_tokens=loaded.config.model.context_tokens,
    )
    with machine.attending():
        for number, (group, steps) in enumerate(write_groups(loaded.model, texts, config, dtype=machine.dtype)):
            if as_json:
                write_json_lines(steps, group, out)
            else:
                out.write("\n" if number else "")
                _show_or_end_the_line(steps, group, out)


def _show_or_end_the_line(steps: Iterable[None], texts: Sequence[Text], out: TextIO) -> None:
    """Show the texts; when stopped, end the line, so that the message after it stands on its own."""
    try:
        show(steps, texts, out)
    except KeyboardInterrupt:
        out.write("\n")
        out.flush()
        raise


def changed(section: Section, settings: Mapping[str, object]) -> Section:
    """Return a section of the config with these settings; raise UsageError for an impossible one."""
    try:
        return dataclasses.replace(section, **settings)  # type: ignore[arg-type]
    except ValueError as error:
        raise UsageError(str(error)) from error


def show(steps: Iterable[None], texts: Sequence[Text], out: TextIO) -> None:
    """Write the texts below each other while they grow: the first as it comes, each other once it is its turn."""
    current, shown, plain = 0, 0, escape_controls if out.isatty() else str
    out.write(plain(texts[0].prompt))
    for _ in steps:
        while current < len(texts):
            final = texts[current].final
            out.write(plain(final[shown:]))
            shown = len(final)
            if texts[current].ended is None:
                break
            current, shown = current + 1, 0
            out.write(f"\n\n{plain(texts[current].prompt)}" if current < len(texts) else "\n")
        out.flush()


def write_json_lines(steps: Iterable[None], texts: Sequence[Text], out: TextIO) -> None:
    """Write one JSON object a text, in the texts' order, each as soon as it and those before it have ended."""
    current = 0
    for _ in steps:
        while current < len(texts) and texts[current].ended is not None:
            out.write(to_ascii_json(dataclasses.asdict(texts[current].sample())) + "\n")
            out.flush()
            current += 1
