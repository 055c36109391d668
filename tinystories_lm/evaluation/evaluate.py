"""The `evaluate` command: measure how well a model predicts held-out text, and the quality of its stories."""

import dataclasses
import logging
import re
from collections.abc import Sequence
from itertools import cycle, islice
from typing import Any

import numpy as np

from tinystories_lm.config.choices import Device, Precision
from tinystories_lm.config.schema import DataConfig, SamplingConfig
from tinystories_lm.data.corpus import NOTES, Split, chunks, documents, fingerprint
from tinystories_lm.data.encoding import encode_all
from tinystories_lm.evaluation.perplexity import Score, score
from tinystories_lm.evaluation.story_metrics import METRICS, PROMPTS, Quality, measure
from tinystories_lm.evaluation.text import Story, TrainingText, read_training_text
from tinystories_lm.generation.generate import encode_prompt, write_groups
from tinystories_lm.generation.load import LoadedModel, load_model
from tinystories_lm.generation.sample import changed
from tinystories_lm.generation.text import End, Text, drawing_settings
from tinystories_lm.hardware.machine import Machine
from tinystories_lm.hardware.setup import open_for_inference
from tinystories_lm.runs.checkpoint import step_of
from tinystories_lm.runs.folder import refuse_links
from tinystories_lm.runs.records import read_record
from tinystories_lm.runs.status import is_running
from tinystories_lm.runs.tree import OUTPUTS
from tinystories_lm.system.console import progress_bar, table
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.json_files import write_json
from tinystories_lm.tracking.wandb_tracker import evaluation_metrics, start_tracker

log = logging.getLogger(__name__)
FORWARD_TOKENS = 8192  # in one forward pass


def evaluate(
    name: str,
    *,
    n_stories: int,
    max_tokens: int,
    stride_tokens: int,
    data_path: str | None,
    device: Device,
    precision: Precision,
) -> dict[str, Any]:
    """Evaluate run `name` at its best checkpoint, write evaluation.json and return its content.

    max_tokens: per story.
    stride_tokens: 0 means half the context.
    data_path: where the run's corpus is now; None keeps the path of its config.

    Raises UsageError for an unknown run, a run without a checkpoint, and a missing corpus.
    """
    machine = open_for_inference(device, precision)
    trained = load_model(name, device=machine.device.type)
    refuse_links(trained.run)
    data = changed(trained.config.data, {} if data_path is None else {"path": data_path})
    log.info("scoring %s, then it writes %d stories", trained.checkpoint, n_stories)
    source = _fingerprint(trained, data)
    stride_tokens = stride_tokens or max(1, trained.config.model.context_tokens // 2)
    found = score_split(trained, data, Split.VALIDATION, machine, stride_tokens=stride_tokens)
    config = for_stories(trained.config.sampling, max_tokens)
    stories = write_stories(trained, config, n_stories, machine)
    real = real_stories(trained, data, n_stories, max_tokens)
    training = training_text(data, stories + real)
    result = _record(trained, found, config, machine, stride_tokens=stride_tokens) | {
        "data/fingerprint": source,
        **_figures("stories", measure(stories, training)),
        **_figures("held_out", measure(real, training)),
        "samples": [dataclasses.asdict(story) for story in stories[: len(PROMPTS)]],
    }
    write_json(trained.run.evaluation, result)
    _track(trained, result)
    return result


def _fingerprint(trained: LoadedModel, data: DataConfig) -> str:
    """Return the hash of the corpus; warn where it is not the text that the run was trained on."""
    source = fingerprint(data, notes=OUTPUTS / "cache" / NOTES)
    if (corpus := read_record(trained.run).corpus) is not None and corpus.fingerprint not in (None, source):
        log.warning("%s differs from the text that the run was trained on", data.path or data.name)
    return source


def score_split(trained: LoadedModel, data: DataConfig, split: Split, machine: Machine, *, stride_tokens: int) -> Score:
    """Score the whole split, encoded by the run's tokenizer.

    Raises UsageError for an empty split and for a stride outside 1 to the context.
    """
    context_tokens = trained.config.model.context_tokens
    parts = list(encode_all(trained.tokenizer, chunks(data, split)))
    if not parts:
        raise UsageError(f"{data.path or data.name}: the {split} split has no text")
    ids_N = np.concatenate([part.ids for part in parts])
    with progress_bar(f"{split} text", ids_N.size, "token") as bar:
        return score(
            trained.model,
            ids_N,
            text_bytes=sum(part.bytes for part in parts),
            machine=machine,
            context_tokens=context_tokens,
            stride_tokens=stride_tokens,
            batch_size=max(1, FORWARD_TOKENS // context_tokens),
            progress=bar.update,
        )


def for_stories(config: SamplingConfig, max_tokens: int) -> SamplingConfig:
    """Return the run's sampling settings, changed to write whole stories of at most `max_tokens`."""
    return dataclasses.replace(config, max_tokens=max_tokens, stop=[], beyond_context=False)


def write_stories(trained: LoadedModel, config: SamplingConfig, count: int, machine: Machine) -> list[Story]:
    """Write `count` stories, cycling through those fixed prompts that fill at most half of the model's context."""
    context_tokens = trained.config.model.context_tokens
    room = context_tokens // 2
    prompts = [prompt for prompt in PROMPTS if len(trained.tokenizer.encode(prompt).ids) <= room] or [""]
    ids = [encode_prompt(trained.tokenizer, prompt, context_tokens=context_tokens) for prompt in prompts]
    texts = [
        Text(prompt, prompt_ids, trained.tokenizer, config, seed=config.seed + number // len(prompts))
        for number, (prompt, prompt_ids) in zip(range(count), cycle(zip(prompts, ids, strict=True)), strict=False)
    ]
    with progress_bar("stories", count, "story") as bar, machine.attending():
        for group, steps in write_groups(trained.model, texts, config, dtype=machine.dtype):
            for _ in steps:
                pass
            bar.update(len(group))
    return [_story(text.prompt, text.written, finished=text.ended is End.end_of_text) for text in texts]


def _story(prompt: str, continuation: str, *, finished: bool) -> Story:
    """Return a Story without its last word where the length limit may have cut that word."""
    return Story(prompt, continuation if finished else re.sub(r"[\w'-]+$", "", continuation), finished)


def real_stories(trained: LoadedModel, data: DataConfig, count: int, max_tokens: int) -> list[Story]:
    """Return the first held-out documents, cut to the length limit of the model's stories."""
    stories = []
    for text in islice(documents(data, Split.VALIDATION), count):
        ids = trained.tokenizer.encode(text).ids
        kept = text if len(ids) <= max_tokens else trained.tokenizer.decode(ids[:max_tokens])
        stories.append(_story("", kept, finished=len(ids) <= max_tokens))
    return stories


def training_text(data: DataConfig, stories: Sequence[Story]) -> TrainingText:
    """Read what the metrics of these stories need from the training text."""
    with progress_bar("training text", 0, "B") as bar:
        return read_training_text(documents(data, Split.TRAIN), stories, progress=bar.update)


def _record(
    trained: LoadedModel, found: Score, config: SamplingConfig, machine: Machine, *, stride_tokens: int
) -> dict[str, Any]:
    return {
        "name": trained.config.name,
        "step": step_of(trained.checkpoint),
        "val/loss": found.loss,
        "val/perplexity": found.perplexity,
        "val/bits_per_byte": found.bits_per_byte,
        "val/tokens": found.tokens,
        "val/bytes": found.bytes,
        "val/context_tokens": trained.config.model.context_tokens,
        "val/stride_tokens": stride_tokens,
        "precision": str(machine.dtype).removeprefix("torch."),
        "device": str(machine.device),
        "sampling": {"seed": config.seed} | drawing_settings(config),
    }


def _figures(of: str, quality: Quality) -> dict[str, Any]:
    return {f"{of}/{key}": value for key, value in dataclasses.asdict(quality).items()}


def _track(trained: LoadedModel, result: dict[str, Any]) -> None:
    """Add the figures to the run's summary in W&B, unless the run is still training and updates it itself."""
    if is_running(trained.run):
        return
    run_id = read_record(trained.run).run_id
    tracker = start_tracker(
        trained.config.tracking,
        trained.run.path,
        run_id=run_id,
        name=f"{trained.config.name}-{run_id[:6]}",
        settings=dataclasses.asdict(trained.config),
        resumed_at=None,
        is_done=True,
    )
    tracker.summarize(evaluation_metrics(result))
    tracker.finish(exit_code=0)


def describe(result: dict[str, Any]) -> str:
    rows = [
        [
            each.label,
            format_figure(result[f"stories/{each.name}"]),
            format_figure(result[f"held_out/{each.name}"]),
            each.meaning,
        ]
        for each in METRICS
    ]
    return (
        f"{result['name']} at step {result['step']:,}, in {result['precision']} on {result['device']}\n\n"
        f"validation split: loss {result['val/loss']:.4f}, perplexity {result['val/perplexity']:.3f}, "
        f"{result['val/bits_per_byte']:.4f} bits per byte\n"
        f"({result['val/tokens']:,} tokens, {result['val/bytes']:,} bytes; windows of "
        f"{result['val/context_tokens']:,} tokens, {result['val/stride_tokens']:,} apart)\n\n"
        + table(["stories", "model", "held out", ""], rows, right=(1, 2))
    )


def format_figure(figure: float | None) -> str:
    """Format a count as an integer, a share with three decimals, and a missing figure as a dash."""
    if figure is None:
        return "–"
    return f"{figure:,}" if isinstance(figure, int) else f"{figure:.3f}"
