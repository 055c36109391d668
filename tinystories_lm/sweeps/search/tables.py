"""Format a search's tables: what is planned, and the results."""

import math
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from textwrap import shorten
from typing import Any

from tinystories_lm.runs.folder import own_overrides
from tinystories_lm.sweeps.search.plan import SearchPlan
from tinystories_lm.sweeps.search.trials import State, Trial
from tinystories_lm.system.console import coloured, counted, duration, table

LONGEST_REASON = 80  # characters; the whole reason is in the run's status.json
PLAIN = {State.WAITING: "interrupted", State.REFUSED: "failed"}  # as `runs` names them


def describe_plan(plan: SearchPlan, trials: Sequence[Trial]) -> str:
    """Return what is searched, the next trials, and what the rest takes at most."""
    study, left = plan.study, plan.left(trials)
    ranges = [[one.key, one.describe()] for one in study.space.dimensions]
    keys = [one.key for one in study.space.dimensions]
    following = plan.next_trials(trials)
    lines = [
        f"study {study.fingerprint} in {plan.search.folder}: sampler {study.sampler}, seed {study.seed}",
        table(["searched", "range"], ranges, right=()),
    ]
    if study.rungs:
        at = " and ".join(f"{step:,}" for step in study.rungs)
        lines.append(
            f"trials pause at step {at} of {plan.example.config.training.steps:,}, and the best third continues"
        )
    if following:
        rows = [[str(number), *(params[key] for key in keys)] for number, params in following.items()]
        lines.append(table(["next trials", *keys], rows, right=range(len(keys) + 1)))
    seconds, dollars = left * plan.most.seconds, left * plan.most.dollars
    count = f"{counted(plan.search.count, 'trial')}, {plan.search.count - left} over; {left} to go"
    lines.append(f"{count}: at most about {duration(seconds)} and ${dollars:.2f}")
    return "\n".join(lines)


def describe_trials(trials: Sequence[Trial], shares: Mapping[str, float]) -> str:
    """Return the table of trials, the best first, their counts, and the importance of each setting."""
    keys = list(trials[0].params) if trials else []
    rows = [
        [str(trial.number), *(trial.params[key] for key in keys), coloured(state_of(trial)), *_result(trial)]
        for trial in by_merit(trials)
    ]
    text = table(["trial", *keys, "status", "loss", ""], rows, right=[*range(len(keys) + 1), len(keys) + 2])
    counts = Counter(state_of(trial) for trial in trials)
    lines = [
        text,
        f"{counted(len(trials), 'trial')}: " + ", ".join(f"{count} {state}" for state, count in counts.items()),
    ]
    if shares:
        lines.append("importance: " + ", ".join(f"{key} {share:.0%}" for key, share in shares.items()))
    return "\n".join(lines)


def _result(trial: Trial) -> list[str]:
    if trial.loss is not None:
        return [f"{trial.loss:.4f}", ""]
    if trial.losses:
        step = max(trial.losses)
        return [f"{trial.losses[step]:.4f}", f"at step {step:,}"]
    cause = trial.reason.removeprefix("diverged ").partition(";")[0]  # the rest is advice, the same for all
    return ["", shorten(cause, LONGEST_REASON, placeholder=" …")]


def by_merit(trials: Sequence[Trial]) -> list[Trial]:
    """Return the finished trials, the lowest loss first, then the others: those with more steps first."""

    def merit(trial: Trial) -> tuple[bool, int, float, int]:
        step = max(trial.losses, default=0)
        loss = trial.loss if trial.loss is not None else trial.losses.get(step, math.inf)
        return trial.loss is None, -step, loss, trial.number

    return sorted(trials, key=merit)


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """Return the finished trial with the lowest loss; None where there is none."""
    best = next(iter(by_merit(trials)), None)
    return best if best is not None and best.loss is not None else None


def describe_trial(trial: Trial) -> str:
    """Return one trial in one line: its settings and what became of it."""
    loss, where = _result(trial)
    parts = (f"validation loss {loss}" if loss else "", where)
    settings = " ".join(f"{key}={value}" for key, value in trial.params.items())
    return f"trial {trial.number}, {settings}: " + ", ".join(filter(None, (state_of(trial), *parts)))


def state_of(trial: Trial) -> str:
    return PLAIN.get(trial.state, str(trial.state))


def command_of(trial: Trial, *, config_dir: str | None) -> str:
    """Return the command that trains the trial's run once more."""
    own = [] if config_dir is None else ["--config-dir", config_dir]
    return shlex.join(["tinystories-lm", "train", *own, *own_overrides(trial.run)])


def as_record(trial: Trial) -> dict[str, Any]:
    """Return a trial's settings and result, for programs."""
    return {
        "run": str(trial.run.path),
        "study": trial.record.study,
        "trial": trial.number,
        **trial.params,
        "status": state_of(trial),
        "reason": trial.reason,
        "rung": trial.rung,
        "losses": {str(step): loss for step, loss in trial.losses.items()},
        "val/loss": trial.loss,
    }
