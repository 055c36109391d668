"""Sweeps: many runs from one line. What they will take, running them so that each stands alone, what came of them.

A run's folder is named by the hash of its config, so the same line finds the runs that are done, goes on with those
that are not, and a wider sweep takes over what a narrower one has.
"""

import logging
import math
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinystories_lm.composition import Composed, conf_folder, swept_settings
from tinystories_lm.config import Config, Device
from tinystories_lm.entry import find_peaks, launch, settle, start_hydra, train_in
from tinystories_lm.errors import CommandError, DamagedError, ExitCode, Interrupted, UsageError
from tinystories_lm.estimate import Estimate, check_affordable, estimate
from tinystories_lm.files import lock, writing
from tinystories_lm.model import count_parameters
from tinystories_lm.processes import Ending, Task, run_apart, share_machine
from tinystories_lm.run_folder import RunFolder, Status, last_record, read_json, read_status, write_status
from tinystories_lm.terminal import amount, duration, progress_bar, table

log = logging.getLogger(__name__)
LOG = "output.log"  # of each member, in its run folder
# Loaded once, before the first member. None of them touches a GPU when it is imported.
PRELOAD = ("tinystories_lm.job", "tinystories_lm.entry", "hydra.main", "wandb", "torch._dynamo", "torch._inductor")
LOCK_PATIENCE_SECONDS = 40.0  # a member whose sweep was killed saves and leaves within this


@dataclass(frozen=True)
class Member:
    """One run of a sweep."""

    overrides: tuple[str, ...]
    swept: Mapping[str, str]  # what sets it apart from the others
    config: Config
    run: RunFolder
    parameters: int
    expected: Estimate  # of what is left to do

    @property
    def label(self) -> str:
        return " ".join(f"{key}={value}" for key, value in self.swept.items()) or self.config.name

    @property
    def status(self) -> Status | None:
        """None for a run that was never begun."""
        try:
            return read_status(self.run) if self.run.status.is_file() else None
        except DamagedError:
            return Status.FAILED


@dataclass(frozen=True)
class Options:
    """How to run a sweep.

    parallel: runs at a time; 0 is one for each GPU, one on a CPU.
    deadline_minutes: of a single run; 0 is its training.max_hours.
    """

    dry_run: bool = False
    parallel: int = 0
    deadline_minutes: float = 0.0
    config_dir: str | None = None


def named_sweeps() -> list[str]:
    return sorted(file.stem for file in (conf_folder() / "sweep").glob("*.yaml"))


def sweep(name: str, overrides: Sequence[str], options: Options) -> list[Member]:
    """Plan and, unless it is a dry run, run all of a sweep that is not done; returns its members.

    Raises CommandError with the counts when a member failed, and Interrupted when it was asked to stop.
    """
    start_hydra()
    jobs, typed = settle([f"+sweep={name}", *overrides], multirun=True, config_dir=options.config_dir)
    launcher = next((override for override in typed if override.startswith("hydra/launcher=")), None)
    peaks = find_peaks([job.config for job in jobs])
    members = plan(jobs, peaks)
    _refuse_twins(members)
    log.info("%s\n%s", name, describe_plan(members))
    if options.dry_run:
        return members
    left = [member for member in members if member.status is not Status.DONE]
    for member in left:
        check_affordable(member.config, member.expected)
    if launcher is not None:
        launch(jobs, typed, peaks, config_dir=options.config_dir)
        return members
    if not _run_apart(left, peaks, options):
        done = sum(member.status is Status.DONE for member in members)
        raise Interrupted(f"stopped with {done} of {len(members)} runs done: run the same command again to go on")
    return members


def raise_for_failures(members: Sequence[Member]) -> None:
    """Raise CommandError, with the counts, unless every member is done."""
    failed = [member for member in members if member.status is not Status.DONE]
    if failed:
        raise CommandError(
            f"{len(failed)} of {len(members)} runs failed: each has its {LOG}; the same command tries them again"
        )


def plan(jobs: Sequence[Composed], peaks: Mapping[str, float]) -> list[Member]:
    """What each job is and what is left of it to do."""
    return [
        Member(
            overrides=job.overrides,
            swept=swept,
            config=job.config,
            run=RunFolder(job.sweep_folder),
            parameters=count_parameters(job.config.model, vocab_size=job.config.data.vocab_size).total,
            expected=estimate(
                job.config,
                peak_flops_per_second=peaks[job.config.hardware.name],
                start_step=_step(RunFolder(job.sweep_folder)),
            ),
        )
        for job, swept in zip(jobs, swept_settings([job.overrides for job in jobs]), strict=True)
    ]


def _step(run: RunFolder) -> int:
    try:
        step = read_json(run.status).get("step", 0)
    except DamagedError:
        return 0
    return step if isinstance(step, int) else 0


def _refuse_twins(members: Sequence[Member]) -> None:
    seen: dict[Path, Member] = {}
    for member in members:
        twin = seen.setdefault(member.run.path, member)
        if twin is not member:
            raise UsageError(
                f"{twin.label} and {member.label} are the same run: they differ in nothing that moves a number"
            )


def _run_apart(members: Sequence[Member], peaks: dict[str, float], options: Options) -> bool:
    """Each in a process of its own; returns whether all had their turn."""
    for member in members:
        with writing(member.run.path):
            member.run.path.mkdir(parents=True, exist_ok=True)
    tasks = [
        Task(
            work=train_member,
            arguments=(member, peaks, options.config_dir),
            log=member.run.path / LOG,
            deadline_seconds=options.deadline_minutes * 60 or member.config.training.max_hours * 3600,
        )
        for member in members
    ]
    gpus = visible_gpus() if any(member.config.hardware.device is Device.cuda for member in members) else []
    steps = sum(member.config.training.steps for member in members)
    bar = progress_bar("steps", steps, "step")
    over: set[int] = set()

    def ended(number: int, ending: Ending) -> None:
        over.add(number)
        member = members[number]
        settle_status(member, ending)
        bar.clear()
        log.info("[%d/%d] %s: %s, %s", len(over), len(members), member.label, describe_end(member),
                 duration(ending.seconds))  # fmt: skip
        bar.refresh()

    def tick(running: list[int]) -> None:
        steps_of_over = sum(members[number].config.training.steps for number in over)
        bar.n = steps_of_over + sum(_last_step(members[number].run) for number in running)
        bar.set_postfix_str(" | ".join(members[number].label for number in running), refresh=True)

    places = min(options.parallel or max(1, len(gpus)), max(1, len(members)))
    try:
        return run_apart(tasks, slots=share_machine(places, gpus=gpus), preload=PRELOAD, ended=ended, tick=tick)
    finally:
        bar.close()


def train_member(member: Member, peaks: dict[str, float], config_dir: str | None) -> None:
    """What a member's process does."""
    start_hydra()
    train_in(
        member.run.path,
        member.overrides,
        member.config,
        peaks,
        config_dir=config_dir,
        swept=member.swept,
        wait_seconds=LOCK_PATIENCE_SECONDS,
    )


def visible_gpus() -> list[str]:
    """The names by which CUDA knows the GPUs that this process may use; asks the driver, opens none."""
    import torch

    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name.strip() for name in chosen.split(",") if name.strip()]
    return [str(number) for number in range(torch.cuda.device_count())]


def settle_status(member: Member, ending: Ending) -> None:
    """Write down what the member's process could not: that it was killed, or refused before it had a status."""
    if ending.exit_code == ExitCode.IN_USE:
        return  # another process has the run
    status = member.status
    with lock(member.run.lock, wait=False) as holder:
        if holder is not None:
            return
        if ending.timed_out and status is not Status.DONE:
            write_status(member.run, Status.FAILED, reason=ending.describe(), step=_step(member.run))
        elif ending.exit_code == ExitCode.INTERRUPTED:
            if status is None:
                write_status(member.run, Status.INTERRUPTED, reason="signal", step=0)
        elif ending.exit_code != 0 and status is not Status.FAILED:
            reason = ending.describe()
            if ending.exit_code > 0:
                reason = f"{_last_line(member.run.path / LOG)} ({reason})"
            write_status(member.run, Status.FAILED, reason=reason, step=_step(member.run))


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n") if path.is_file() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "no word")


def _last_step(run: RunFolder) -> int:
    step = last_record(run.metrics).get("progress/step", 0)
    return step if isinstance(step, int) else 0


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
                str(member.status or "new"),
            ]
        )
    header = [*keys, "parameters", "tokens", "about", "dollars", "status"]
    left = [member for member in members if member.status is not Status.DONE]
    seconds = sum(member.expected.seconds for member in left)
    dollars = sum(member.expected.dollars for member in left)
    done = len(members) - len(left)
    total = f"{len(members)} runs, {done} done; {len(left)} to go: about {duration(seconds)} and ${dollars:.2f}"
    return f"{table(header, rows, right=range(len(keys), len(keys) + 4))}\n{total}"


def describe_end(member: Member) -> str:
    """One member's end in a few words."""
    if member.status is Status.DONE:
        summary = read_json(member.run.summary)
        return f"done, validation loss {summary['val/loss']:.4f}, perplexity {summary['val/perplexity']:.2f}"
    return f"{member.status or 'not begun'}: {reason_of(member)}"


def reason_of(member: Member) -> str:
    try:
        return str(read_json(member.run.status).get("reason", ""))
    except DamagedError:
        return "no word"


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
        **{key: value for key, value in member.swept.items()},
        "parameters": member.parameters,
        "tokens": member.config.tokens,
        "expected_seconds": member.expected.seconds,
        "expected_dollars": member.expected.dollars,
        "status": str(status or "new"),
        "reason": "" if status in (None, Status.DONE) else reason_of(member),
    }
    if status is Status.DONE:
        summary = read_json(member.run.summary)
        names = ("val/loss", "val/perplexity", "cost/usd", "time/train_seconds")
        found |= {name: summary[name] for name in names}
    return found


def _result(found: Mapping[str, Any]) -> list[str]:
    if "val/loss" not in found:
        return [found["status"], "", "", "", ""]
    return [
        found["status"],
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


SPREADS = {"val/loss": 4, "val/perplexity": 2, "cost/usd": 2}  # digits after the point


def _spread(values: Sequence[float], digits: int) -> str:
    deviation = statistics.stdev(values) if len(values) > 1 else math.nan
    return f"{statistics.fmean(values):.{digits}f} ± {deviation:.{digits}f}" if len(values) > 1 else f"{values[0]:.{digits}f}"


def _keys(members: Sequence[Member]) -> list[str]:
    return list(dict.fromkeys(key for member in members for key in member.swept))
