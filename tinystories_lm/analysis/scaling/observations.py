"""The points of a law: what the finished runs of a sweep say, and where those runs are."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tinystories_lm.analysis.scaling.fit import Sample
from tinystories_lm.config.fields import Effect
from tinystories_lm.config.schema import Config, settings
from tinystories_lm.model.flops import flops_per_token
from tinystories_lm.runs.folder import OUTPUTS, RunFolder, read_config
from tinystories_lm.runs.lookup import _runs_in, find_sweep
from tinystories_lm.runs.records import read_summary
from tinystories_lm.runs.status import Status, read_status
from tinystories_lm.system.errors import DamagedError, UsageError

# What a sweep over size and tokens changes; any other setting that differs is told.
SIZE_AND_TOKENS = (
    *(f"model.{key}" for key in ("n_layers", "d_model", "n_heads", "d_ff")),
    *(f"training.{key}" for key in ("steps", "warmup_steps", "seed", "log_every_steps", "eval_every_steps")),
)


class Point(NamedTuple):
    """One finished run."""

    run: str  # its folder's name
    parameters: int
    tokens: int  # trained on
    flops: float
    loss: float  # on the validation split, nats a token
    dollars: float
    seconds: float
    epochs: float | None  # times the corpus was read
    config: Config


class Points(NamedTuple):
    folder: Path
    points: tuple[Point, ...]  # by compute, the cheapest first
    left_out: dict[str, int]  # reason: number of runs

    @property
    def sample(self) -> Sample:
        return sample_of(self.points)

    @property
    def epoch_tokens(self) -> float | None:
        """The tokens of the points' training corpus, where a run tells."""
        told = [point.tokens / point.epochs for point in self.points if point.epochs]
        return max(told) if told else None


def sample_of(points: Sequence[Point]) -> Sample:
    columns = ([getattr(point, name) for point in points] for name in ("parameters", "tokens", "loss"))
    return Sample(*columns)


def collect(name: str, *, outputs: Path = OUTPUTS) -> Points:
    """The finished runs of a sweep.

    Raises UsageError for a name that is none of a sweep, and where none of its runs is finished.
    """
    folder = find_sweep(name, outputs=outputs)
    left_out: Counter[str] = Counter()
    points = []
    for run in _runs_in(folder):
        try:
            status = read_status(run) if run.status.is_file() else None
            if status is Status.DONE and run.summary.is_file():
                points.append(_point(run))
            else:
                left_out["without a summary" if status is Status.DONE else str(status or "not begun")] += 1
        except DamagedError:
            left_out["damaged"] += 1
    found = Points(folder, tuple(sorted(points, key=lambda point: (point.flops, point.run))), dict(left_out))
    if not points:
        raise UsageError(f"{folder} has no finished run yet ({describe_left_out(found)})")
    return found


def describe_left_out(found: Points) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(found.left_out.items()))


def _point(run: RunFolder) -> Point:
    config, summary = read_config(run), read_summary(run)
    parameters = _positive(run, "parameters", summary.parameters)
    tokens, loss = _positive(run, "progress/tokens", summary.tokens), _positive(run, "val/loss", summary.val_loss)
    return Point(
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


def describe_points(found: Points) -> list[str]:
    """What in the points themselves speaks against one law for all of them."""
    varied = [key for key, values in _varied(found).items() if len(values) > 1]
    corpora = [key for key in varied if key.startswith("data.")]
    others = [key for key in varied if not key.startswith("data.")]
    told = []
    if corpora:
        told.append(f"the points differ in {', '.join(corpora)}: each corpus and tokenizer has a law of its own")
    if others:
        told.append(f"the points differ in {', '.join(others)} too: the law takes their mean, not the best of them")
    again = sum((point.epochs or 0.0) > 1.0 for point in found.points)
    if again:
        told.append(
            f"{again} of {len(found.points)} runs read their corpus more than once: the law is one of fresh tokens, "
            "and repeated ones are worth less (Muennighoff et al. 2023)"
        )
    return told


def _varied(found: Points) -> dict[str, set[str]]:
    varied: dict[str, set[str]] = {}
    for point in found.points:
        for key, value in comparable(point.config).items():
            varied.setdefault(key, set()).add(value)
    return varied


def comparable(config: Config) -> dict[str, str]:
    """The settings that one law takes to be the same in all its runs."""
    return {
        key: str(value)
        for key, (value, effect) in settings(config).items()
        if effect is Effect.changes_numbers and key not in SIZE_AND_TOKENS
    }
