"""Draw the searches among the runs: the best trial, the importance of each setting, and parallel coordinates.

One line is a trial, which crosses each setting's axis at its value and the last axis at its validation loss
(Inselberg 1985). The picture is SVG without a script.
"""

import html
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from tinystories_lm.analysis.report.read_runs import Run
from tinystories_lm.runs.status import Status
from tinystories_lm.runs.trials import StudyRecord, TrialRecord

WIDTH, HEIGHT, TOP, BOTTOM, SIDE = 190, 300, 40, 20, 70  # of an axis' share of the picture, of the picture, its margins
FEWEST, MOST = 2, 500  # trials of a picture
MOST_AXES, MOST_NAMES = 20, 16  # settings of a picture, names at an axis
LOSS = "validation loss"


@dataclass(frozen=True)
class Shown:
    """One trial of a picture; loss is that of the finished run."""

    record: TrialRecord
    state: str
    loss: float | None


@dataclass(frozen=True)
class Axis:
    """A setting or the loss, from bottom to top: numbers from low to high, or names in equal distances."""

    name: str
    names: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0
    log: bool = False

    def place(self, value: str) -> float:
        """Return the height of a value, in the picture's units from its top."""
        if self.names:
            share = self.names.index(value) / max(1, len(self.names) - 1)
        elif self.low == self.high:
            share = 0.5
        elif self.log:
            share = math.log(float(value) / self.low) / math.log(self.high / self.low)
        else:
            share = (float(value) - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    @property
    def ticks(self) -> tuple[str, ...]:
        if self.names:
            return self.names[:: 1 + len(self.names) // MOST_NAMES]
        middle = math.sqrt(self.low * self.high) if self.log else (self.low + self.high) / 2
        return tuple(dict.fromkeys(f"{value:.3g}" for value in (self.low, middle, self.high)))


def describe_searches(runs: Sequence[Run]) -> str:
    """Return a section of HTML for each study among the runs; empty without one."""
    studies: dict[tuple[str, str], StudyRecord] = {}
    trials: dict[tuple[str, str], dict[int, Shown]] = {}
    for run in runs:
        for record in run.trials:
            key = (run.group, record.study)
            studies[key] = run.studies.get(record.study) or StudyRecord(study=record.study)
            loss = run.figures.get("val/loss") if run.state == Status.DONE else None
            trials.setdefault(key, {})[record.number] = Shown(record, run.state, loss)
    sections = [
        _section(number, key[0], studies[key], [found[place] for place in sorted(found)])
        for number, (key, found) in enumerate(trials.items())
        if sum(trial.loss is not None for trial in found.values()) >= FEWEST
    ]
    return "\n".join(sections)


def _section(number: int, group: str, study: StudyRecord, trials: Sequence[Shown]) -> str:
    done = sorted((trial for trial in trials if trial.loss is not None), key=lambda trial: trial.loss or 0.0)
    best, counts = done[0], Counter(trial.state for trial in trials)
    settings = " ".join(f"{key}={value}" for key, value in best.record.params.items())
    states = ", ".join(f"{count} {state}" for state, count in counts.items())
    drawn = f"{study.sampler}, seed {study.seed}" if study.sampler else f"study {study.study}"
    shares = ", ".join(f"{key} {share:.0%}" for key, share in study.importance.items())
    lines = [
        f'<section aria-labelledby="search-{number}">',
        f'<h2 id="search-{number}">Search in {_safe(group)}</h2>',
        f'<p class="found">Best of {len(trials)} trials: trial {best.record.number}, validation loss {best.loss:.4f}, '
        f"<code>{_safe(settings)}</code></p>",
        *([f"<p>Importance: {_safe(shares)}</p>"] if shares else []),
        _picture(study, done[:MOST], [trial for trial in trials if trial.loss is None][:MOST]),
        f'<p class="hint">A line is a trial ({_safe(states)}; drawn by {_safe(drawn)}); the lower its loss, the '
        "stronger it is. Dashed lines are trials that have not finished.</p>",
        "</section>",
    ]
    return "\n".join(lines)


def _picture(study: StudyRecord, done: Sequence[Shown], others: Sequence[Shown]) -> str:
    """Return the picture.

    done: with a loss, the best first; others: the rest, which have no place on the last axis.
    """
    axes = [_axis(key, study, [*done, *others]) for key in [*done[0].record.params][:MOST_AXES]]
    losses = [trial.loss for trial in done if trial.loss is not None]
    axes.append(Axis(LOSS, low=min(losses), high=max(losses)))
    width = WIDTH * (len(axes) - 1) + 2 * SIDE
    lines = chain(
        (_line(trial, axes[:-1], "unfinished", 0.5) for trial in others),
        (_line(trial, axes, "", 1 - 0.85 * place / len(done)) for place, trial in reversed([*enumerate(done)][1:])),
        [_line(done[0], axes, "best", 1.0)],
    )
    label = f"parallel coordinates of {len(done)} trials"
    return "\n".join(
        [
            f'<div class="chart parallel" tabindex="0" role="region" aria-label="{label}">',
            f'<svg viewBox="0 0 {width} {HEIGHT}" style="min-width:{width * 0.9:.0f}px;max-width:{width * 1.3:.0f}px" '
            f'role="img" aria-label="{label}">',
            *lines,
            *(_axis_shapes(axis, SIDE + WIDTH * place) for place, axis in enumerate(axes)),
            "</svg>",
            "</div>",
        ]
    )


def _axis(key: str, study: StudyRecord, trials: Sequence[Shown]) -> Axis:
    values = list(dict.fromkeys(trial.record.params.get(key, "") for trial in trials))
    numbers = [_number(value) for value in values]
    if any(number is None for number in numbers):
        return Axis(key, names=tuple(sorted(values)))
    known = [number for number in numbers if number is not None]
    return Axis(key, low=min(known), high=max(known), log=key in study.logarithmic and min(known) > 0)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _line(trial: Shown, axes: Sequence[Axis], kind: str, strength: float) -> str:
    values = [trial.record.params.get(axis.name, "") for axis in axes if axis.name != LOSS]
    if trial.loss is not None:
        values.append(str(trial.loss))
    places = " ".join(
        f"{SIDE + WIDTH * number},{axis.place(value):.1f}"
        for number, (axis, value) in enumerate(zip(axes, values, strict=True))
    )
    what = f"validation loss {trial.loss:.4f}" if trial.loss is not None else trial.state
    title = _safe(f"trial {trial.record.number}: {what}")
    classes = f"curve {kind}".strip()
    return f'<polyline class="{classes}" opacity="{strength:.2f}" points="{places}"><title>{title}</title></polyline>'


def _axis_shapes(axis: Axis, x: float) -> str:
    ticks = "".join(
        f'<text x="{x + 5}" y="{axis.place(value) + 4:.1f}">{_safe(_cut(value))}</text>' for value in axis.ticks
    )
    name = f'<text class="axis" x="{x}" y="18" text-anchor="middle">{_safe(_cut(axis.name))}</text>'
    return f'<line class="rule" x1="{x}" x2="{x}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>{ticks}{name}'


def _cut(text: str) -> str:
    return text if len(text) <= 28 else f"{text[:27]}…"


def _safe(text: str) -> str:
    return html.escape(text)
