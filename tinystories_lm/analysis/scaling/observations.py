"""The observations that a law is fitted to: the finished runs of a sweep."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tinystories_lm.analysis.scaling.fit import Sample
from tinystories_lm.config.fields import Effect
from tinystories_lm.config.schema import SETTINGS, Config, settings
from tinystories_lm.model.flops import flops_per_token
from tinystories_lm.runs.folder import RunFolder, read_config
from tinystories_lm.runs.lookup import find_sweep
from tinystories_lm.runs.records import read_summary
from tinystories_lm.runs.status import Status, read_status
from tinystories_lm.runs.tree import OUTPUTS
from tinystories_lm.system.errors import DamagedError, UsageError

# Settings that a sweep over size and tokens varies; a difference in any other is reported.
SIZE_AND_TOKENS = (
    *(f"model.{key}" for key in ("n_layers", "d_model", "n_heads", "d_ff")),
    *(f"training.{key}" for key in ("steps", "warmup_steps", "seed", "log_every_steps", "eval_every_steps")),
)


class Observation(NamedTuple):
    run: str  # its folder's name
    parameters: int
    tokens: int  # read in training
    flops: float
    loss: float  # on the validation split, nats per token
    dollars: float
    seconds: float
    epochs: float | None  # times the corpus was read
    config: Config


class Observations(NamedTuple):
    folder: Path
    points: tuple[Observation, ...]  # sorted by compute, the cheapest first
    left_out: dict[str, int]  # reason to number of runs

    @property
    def epoch_tokens(self) -> float | None:
        """Return the number of tokens in the training corpus, where a run recorded it."""
        epochs = [point.tokens / point.epochs for point in self.points if point.epochs]
        return max(epochs, default=None)

    def describe_left_out(self) -> str:
        return ", ".join(f"{count} {reason}" for reason, count in sorted(self.left_out.items()))


def sample_of(points: Sequence[Observation]) -> Sample:
    columns = ([getattr(point, name) for point in points] for name in ("parameters", "tokens", "loss"))
    return Sample(*columns)


def collect(name: str, *, outputs: Path = OUTPUTS) -> Observations:
    """Collect the finished runs of a sweep.

    Raises UsageError where no sweep has that name, and where none of its runs is finished.
    """
    sweep = find_sweep(name, outputs=outputs)
    points, left_out = [], Counter[str]()
    for run in sweep.runs:
        try:
            status = read_status(run) if run.status.is_file() else None
            if status is Status.DONE and run.summary.is_file():
                points.append(_observe(run))
            else:
                left_out["without a summary" if status is Status.DONE else str(status or "not started")] += 1
        except DamagedError:
            left_out["damaged"] += 1
        except UsageError:
            left_out["with a removed setting"] += 1
    points.sort(key=lambda point: (point.flops, point.run))
    found = Observations(sweep.folder, tuple(points), dict(left_out))
    if not points:
        raise UsageError(f"{sweep.folder} has no finished run yet ({found.describe_left_out()})")
    return found


def _observe(run: RunFolder) -> Observation:
    config, summary = read_config(run, to_train=True), read_summary(run)
    parameters = _positive(run, "parameters", summary.parameters)
    tokens, loss = _positive(run, "progress/tokens", summary.tokens), _positive(run, "val/loss", summary.val_loss)
    return Observation(
        run=run.path.name,
        parameters=round(parameters),
        tokens=round(tokens),
        flops=tokens * flops_per_token(config.model, vocab_size=config.data.vocab_size),
        loss=loss,
        dollars=summary.dollars or 0.0,
        seconds=summary.train_seconds or 0.0,
        epochs=summary.epochs,
        config=config,
    )


def _positive(run: RunFolder, name: str, value: float | None) -> float:
    if value is None or value <= 0:
        raise DamagedError(f"{run.summary} has no {name}")
    return float(value)


def describe_observations(found: Observations) -> list[str]:
    """Return one line for each reason why a single law may not describe all runs."""
    compared = [comparable(point.config) for point in found.points]
    varied = [key for key in compared[0] if len({values[key] for values in compared}) > 1]
    corpora = [key for key in varied if key.startswith("data.")]
    others = [key for key in varied if not key.startswith("data.")]
    lines = []
    if corpora:
        lines.append(f"the runs differ in {', '.join(corpora)}, and each corpus and tokenizer has its own law")
    if others:
        lines.append(f"the runs also differ in {', '.join(others)}: the law describes their mean, not the best of them")
    again = sum((point.epochs or 0.0) > 1.0 for point in found.points)
    if again:
        lines.append(
            f"{again} of {len(found.points)} runs read their corpus more than once; the law describes fresh tokens, "
            "and repeated ones are worth less (Muennighoff et al. 2023)"
        )
    return lines


def comparable(config: Config) -> dict[str, str]:
    """Return the settings that one law assumes to be equal in all its runs."""
    return {
        key: str(value)
        for key, value in settings(config).items()
        if SETTINGS[key].effect is Effect.changes_numbers and key not in SIZE_AND_TOKENS
    }
