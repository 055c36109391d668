"""What a finished run comes to: its final figures, and the last words on the terminal."""

import logging
import os
from typing import Any

from tinystories_lm.config.schema import Config
from tinystories_lm.data.corpus import Split
from tinystories_lm.data.token_cache import TokenCache
from tinystories_lm.model.flops import ParameterCount
from tinystories_lm.runs.checkpoint import Progress
from tinystories_lm.runs.folder import RunFolder, command_of
from tinystories_lm.system.console import duration, plain
from tinystories_lm.training.loss import perplexity

log = logging.getLogger(__name__)


def summarize(config: Config, progress: Progress, parameters: ParameterCount, cache: TokenCache) -> dict[str, Any]:
    """The final figures, under the names of their metrics."""
    assert progress.val_loss is not None
    return {
        "name": config.name,
        "val/loss": progress.val_loss,
        "val/perplexity": perplexity(progress.val_loss),
        "val/bits_per_byte": progress.val_bits_per_byte,
        "best/val_loss": progress.best_loss,
        "best/step": progress.best_step,
        "progress/step": progress.step,
        "progress/tokens": progress.tokens,
        "progress/epochs": progress.tokens / int(cache.splits[Split.TRAIN].tokens.size),
        "cost/usd": progress.dollars,
        "time/train_seconds": progress.train_seconds,
        "parameters": parameters.total,
        "parameters_without_embeddings": parameters.without_embeddings,
        "skipped_steps": progress.skipped_steps,
        "pieces": progress.pieces,
        "exact": progress.exact,
    }


def say_done(run: RunFolder, summary: dict[str, Any]) -> None:
    """What a newcomer wants at the end: the figures, three stories, where it all is, and what to type next."""
    log.info(
        "\ndone: validation loss %.4f, perplexity %s, %.3f bits per byte, after %s steps, %s and $%.2f",
        summary["val/loss"],
        plain(summary["val/perplexity"]),
        summary["val/bits_per_byte"],
        f"{summary['progress/step']:,}",
        duration(summary["time/train_seconds"]),
        summary["cost/usd"],
    )
    if "expected_seconds" in summary:
        took, expected = summary["time/train_seconds"], summary["expected_seconds"]
        log.info("planned were %s: it took %.1f times as long", duration(expected), took / max(expected, 1e-9))
    for number, story in enumerate(summary["stories"], start=1):
        log.info("\nstory %d\n%s", number, story)
    folder = os.path.relpath(run.path)
    log.info("\nthe run is in %s; next, try:", folder)
    log.info('  tinystories-lm sample %s --prompt "One day, a cat named Mia"', folder)
    if (run.path / ".hydra").is_dir():  # a replay was not typed as settings
        log.info("  %s", command_of(run, steps=2 * summary["progress/step"]))
