"""The `report` command: write the page once, or repeatedly while runs train."""

import time
from collections.abc import Sequence
from pathlib import Path

from tinystories_lm.analysis.report.page import page
from tinystories_lm.analysis.report.read_runs import Reader, Run, State
from tinystories_lm.runs.folder import OUTPUTS
from tinystories_lm.runs.lookup import find_runs
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.files import write_text, writing

OUT = OUTPUTS / "report.html"
WATCH_SECONDS = 5


def gather(names: Sequence[str], reader: Reader) -> list[Run]:
    """Read the named runs: the most recent group first, sorted by size and length within a group.

    Raises UsageError for a name that matches no run.
    """
    runs = [reader.read(folder) for folder in find_runs(names)]
    newest: dict[str, float] = {}
    for run in runs:
        newest[run.group] = max(newest.get(run.group, 0.0), run.updated or 0.0)
    return sorted(
        runs,
        key=lambda run: (
            -newest[run.group],
            run.group,
            run.figures.get("parameters", 0.0),
            run.figures.get("training.steps", 0.0),
            run.path,
        ),
    )


def write_report(names: Sequence[str], out: Path = OUT, *, reader: Reader, reload_seconds: int = 0) -> str:
    """Write the page and return a line with its path and the number of runs."""
    if out.is_dir():
        raise UsageError(f"--out {out} is a folder: name a file in it, such as {out / OUT.name}")
    runs = gather(names, reader)
    text = page(runs, folders=list(names) or [f"{OUTPUTS}/"], reload_seconds=reload_seconds)
    with writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        write_text(out, text)
    running = sum(run.state is State.RUNNING for run in runs)
    running_runs = f", {running} of them running" if running else ""
    return f"{out}: {len(runs)} run{'s' * (len(runs) != 1)}{running_runs}"


def watch(names: Sequence[str], out: Path = OUT) -> str:
    """Write the page every few seconds until Ctrl-C, then once more without reloading; return its line."""
    reader = Reader()
    try:
        print(f"{write_report(names, out, reader=reader, reload_seconds=WATCH_SECONDS)}; Ctrl-C ends", flush=True)
        while True:
            time.sleep(WATCH_SECONDS)
            write_report(names, out, reader=reader, reload_seconds=WATCH_SECONDS)
    except KeyboardInterrupt:
        return write_report(names, out, reader=reader)
