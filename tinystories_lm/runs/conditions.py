"""Compare the conditions under which two runs were trained: versions, machine, text, initial weights."""

import msgspec

from tinystories_lm.runs.schemas import RunRecord, Segment


def compare_conditions(one: RunRecord, other: RunRecord) -> list[str]:
    """Return the settings, versions, machine and text that differ."""
    found = [] if one.exact is not False else ["changed on its way (its summary has exact=false), in one process"]
    for key in ("fingerprint", "tokenizer_sha256"):
        before, after = str(getattr(one.corpus, key, None)), str(getattr(other.corpus, key, None))
        if before != after:
            found.append(f"the text's {key}: {before[:12]}, {after[:12]}")
    weights = ["" if record.init_from is None else record.init_from.sha256[:12] for record in (one, other)]
    if weights[0] != weights[1]:
        found.append(f"the weights it started with: {weights[0]}, {weights[1]}")
    for segment in one.segments:
        found += _segment_differences(segment, other.segments[-1])
    return list(dict.fromkeys(found))


def _segment_differences(before: Segment, now: Segment) -> list[str]:
    machines = msgspec.structs.asdict(before.machine), msgspec.structs.asdict(now.machine)
    found = [
        f"{key}: {old.get(key)}, {value}"
        for old, new in ((before.packages, now.packages), machines)
        for key, value in new.items()
        if old.get(key) != value and key not in ("peak_flops_per_second", "dollars_per_hour")
    ]
    if before.optimizer_arithmetic != now.optimizer_arithmetic:
        found.append(f"the optimizer's arithmetic: {before.optimizer_arithmetic}, {now.optimizer_arithmetic}")
    if before.git_commit != now.git_commit:
        found.append(f"commit: {_short(before.git_commit)}, {_short(now.git_commit)}")
    return found


def _short(commit: str) -> str:
    """Return twelve digits of a commit, with `+changes` where files differed from it."""
    digits, changes, _ = commit.partition("+changes")
    return digits[:12] + changes
