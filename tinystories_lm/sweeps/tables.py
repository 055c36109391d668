"""A sweep's tables: what is to be done, what came of it."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from tinystories_lm.runs.records import read_summary
from tinystories_lm.runs.status import Status
from tinystories_lm.sweeps.members import Member
from tinystories_lm.system.console import amount, coloured, duration, table

SPREADS = {"val/loss": 4, "val/perplexity": 2, "cost/usd": 2}  # digits after the point


def describe_plan(members: Sequence[Member]) -> str:
    """The table of jobs before they start, with their total."""
    keys = _keys(members)
    rows = []
    for member in members:
        done = member.status is Status.DONE
        rows.append(
            [
                *(member.swept.get(key, "") for key in keys),
                amount(member.parameters),
                amount(member.config.tokens),
                "" if done else duration(member.expected.seconds),
                "" if done else f"${member.expected.dollars:.2f}",
                coloured(str(member.status or "new")),
            ]
        )
    header = [*keys, "parameters", "tokens", "about", "dollars", "status"]
    left = [member for member in members if member.status is not Status.DONE]
    seconds = sum(member.expected.seconds for member in left)
    dollars = sum(member.expected.dollars for member in left)
    count = f"{len(members)} runs, {len(members) - len(left)} done; {len(left)} to go"
    total = f"{count}: about {duration(seconds)} and ${dollars:.2f}"
    return f"{table(header, rows, right=range(len(keys), len(keys) + 4))}\n{total}"


def describe_end(member: Member) -> str:
    """One member's end in a few words."""
    if member.status is Status.DONE:
        summary = read_summary(member.run, whole=True)
        return f"done, validation loss {summary.val_loss:.4f}, perplexity {summary.val_perplexity:.2f}"
    return f"{member.status or 'not begun'}: {member.reason}"


def describe_results(members: Sequence[Member]) -> str:
    """The table of what came of each, and where seeds were swept their mean ± standard deviation."""
    keys = _keys(members)
    rows = [
        [*(member.swept.get(key, "") for key in keys), *_result(found := results(member)), found["reason"]]
        for member in members
    ]
    header = [*keys, "status", "loss", "perplexity", "dollars", "time", ""]
    text = table(header, rows, right=range(len(keys) + 1, len(keys) + 5))
    over_seeds = describe_seeds(members)
    return f"{text}\n\n{over_seeds}" if over_seeds else text


def results(member: Member) -> dict[str, Any]:
    """What came of a member, for programs."""
    status = member.status
    found: dict[str, Any] = {
        "run": str(member.run.path),
        **member.swept,
        "parameters": member.parameters,
        "tokens": member.config.tokens,
        "expected_seconds": member.expected.seconds,
        "expected_dollars": member.expected.dollars,
        "status": str(status or "new"),
        "reason": "" if status in (None, Status.DONE) else member.reason,
    }
    if status is Status.DONE:
        summary = read_summary(member.run, whole=True)
        found |= {"val/loss": summary.val_loss, "val/perplexity": summary.val_perplexity}
        found |= {"cost/usd": summary.dollars, "time/train_seconds": summary.train_seconds}
    return found


def _result(found: Mapping[str, Any]) -> list[str]:
    if "val/loss" not in found:
        return [coloured(found["status"]), "", "", "", ""]
    return [
        coloured(found["status"]),
        f"{found['val/loss']:.4f}",
        f"{found['val/perplexity']:.2f}",
        f"${found['cost/usd']:.2f}",
        duration(found["time/train_seconds"]),
    ]


def describe_seeds(members: Sequence[Member]) -> str:
    """Mean ± standard deviation over the seeds of what is otherwise the same; empty where no seed was swept."""
    seed = "training.seed"
    if not any(seed in member.swept and member.status is Status.DONE for member in members):
        return ""
    keys = [key for key in _keys(members) if key != seed]
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for member in members:
        if member.status is Status.DONE:
            groups.setdefault(tuple(member.swept.get(key, "") for key in keys), []).append(results(member))
    rows = [
        [*group, str(len(found)), *(_spread([one[name] for one in found], digits) for name, digits in SPREADS.items())]
        for group, found in groups.items()
    ]
    header = [*keys, "seeds", "loss", "perplexity", "dollars"]
    return table(header, rows, right=range(len(keys), len(header)))


def _spread(values: Sequence[float], digits: int) -> str:
    mean = f"{statistics.fmean(values):.{digits}f}"
    return f"{mean} ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else mean


def _keys(members: Sequence[Member]) -> list[str]:
    return list(dict.fromkeys(key for member in members for key in member.swept))
