"""Format a sweep's tables: what is planned, and the results."""

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from tinystories_lm.analysis.spread import SEED, spread
from tinystories_lm.runs.status import Status
from tinystories_lm.sweeps.members import Member, Result
from tinystories_lm.system.console import amount, coloured, counted, duration, table


def describe_plan(members: Sequence[Member]) -> str:
    """Return the table of runs before they start, with their total."""
    keys = _keys(members)
    header = [*keys, "parameters", "tokens", "about", "dollars", "status"]
    rows = [[*_values(member, keys), *_planned(member)] for member in members]
    left = [member for member in members if member.status is not Status.DONE]
    seconds = sum(member.expected.seconds for member in left)
    dollars = sum(member.expected.dollars for member in left)
    count = f"{counted(len(members), 'run')}, {len(members) - len(left)} done; {len(left)} to go"
    total = f"{count}: about {duration(seconds)} and ${dollars:.2f}"
    return f"{table(header, rows, right=range(len(keys), len(keys) + 4))}\n{total}"


def _planned(member: Member) -> list[str]:
    """Return a member's cells of the plan; time and dollars are those of what is left."""
    status, expected = member.status, member.expected
    left = ["", ""] if status is Status.DONE else [duration(expected.seconds), f"${expected.dollars:.2f}"]
    return [amount(member.parameters), amount(member.config.tokens), *left, coloured(str(status or "new"))]


def describe_end(member: Member) -> str:
    if (result := member.result) is not None:
        return f"done, validation loss {result.val_loss:.4f}, perplexity {result.val_perplexity:.2f}"
    return f"{member.status or 'not started'}: {member.reason}"


def describe_results(members: Sequence[Member]) -> str:
    """Return the table of results and, where seeds were swept, their mean ± standard deviation."""
    keys = _keys(members)
    header = [*keys, "status", "loss", "perplexity", "dollars", "time", ""]
    rows = [[*_values(member, keys), *_result(member)] for member in members]
    losses = [member.result.val_loss if member.result is not None else math.inf for member in members]
    if losses.count(math.inf) < len(losses) - 1:
        rows[losses.index(min(losses))][-1] = "best"
    text = table(header, rows, right=range(len(keys) + 1, len(keys) + 5))
    over_seeds = describe_seeds(members)
    return f"{text}\n\n{over_seeds}" if over_seeds else text


def _result(member: Member) -> list[str]:
    """Return a member's cells of the results: status, figures where it is done, reason where it is not."""
    status, result = coloured(str(member.status or "new")), member.result
    if result is None:
        return [status, "", "", "", "", _reason(member)]
    loss, perplexity, dollars = f"{result.val_loss:.4f}", f"{result.val_perplexity:.2f}", f"${result.dollars:.2f}"
    return [status, loss, perplexity, dollars, duration(result.train_seconds), ""]


def _reason(member: Member) -> str:
    return "" if member.status in (None, Status.DONE) else member.reason


def as_record(member: Member) -> dict[str, Any]:
    """Return a member's settings and result, for programs."""
    record: dict[str, Any] = {
        "run": str(member.run.path),
        **member.swept,
        "parameters": member.parameters,
        "tokens": member.config.tokens,
        "expected_seconds": member.expected.seconds,
        "expected_dollars": member.expected.dollars,
        "status": str(member.status or "new"),
        "reason": _reason(member),
    }
    return record | (msgspec.to_builtins(member.result) or {})


def describe_seeds(members: Sequence[Member]) -> str:
    """Return the mean ± standard deviation over the seeds of otherwise equal runs; empty where no seed was swept."""
    done = [(member, result) for member in members if (result := member.result) is not None]
    if not any(SEED in member.swept for member, _ in done):
        return ""
    keys = [key for key in _keys(members) if key != SEED]
    groups: dict[tuple[str, ...], list[Result]] = {}
    for member, result in done:
        groups.setdefault(tuple(_values(member, keys)), []).append(result)
    header = [*keys, "seeds", "loss", "perplexity", "dollars"]
    rows = [
        [
            *group,
            str(len(found)),
            _spread([result.val_loss for result in found], digits=4),
            _spread([result.val_perplexity for result in found], digits=2),
            _spread([result.dollars for result in found], digits=2),
        ]
        for group, found in groups.items()
    ]
    return table(header, rows, right=range(len(keys), len(header)))


def _spread(values: Sequence[float], *, digits: int) -> str:
    found = spread(values)
    return f"{found.mean:.{digits}f}" + ("" if found.deviation is None else f" ± {found.deviation:.{digits}f}")


def _keys(members: Sequence[Member]) -> list[str]:
    return list(dict.fromkeys(key for member in members for key in member.swept))


def _values(member: Member, keys: Sequence[str]) -> list[str]:
    return [member.swept.get(key, "") for key in keys]
