"""From names to a page on the disk, once, or again and again while runs go on."""

import time
from collections.abc import Sequence
from pathlib import Path

from tinystories_lm.analysis.report.page import page
from tinystories_lm.analysis.report.read_runs import Reader, Run, State
from tinystories_lm.runs.folder import OUTPUTS
from tinystories_lm.runs.lookup import select
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.files import write_text, writing

OUT = OUTPUTS / "report.html"
WATCH_SECONDS = 5


def gather(names: Sequence[str], reader: Reader) -> list[Run]:
    """The named runs, newest group first, in it by size and length.

    Raises UsageError for a name that means no run.
    """
    runs = [reader.read(folder) for folder in select(names)]
    heard: dict[str, float] = {}
    for run in runs:
        heard[run.group] = max(heard.get(run.group, 0.0), run.updated or 0.0)
    return sorted(
        runs,
        key=lambda run: (
            -heard[run.group],
            run.group,
            run.figures.get("parameters", 0.0),
            run.figures.get("training.steps", 0.0),
            run.path,
        ),
    )


def write_report(names: Sequence[str], out: Path = OUT, *, reader: Reader, reload_seconds: int = 0) -> str:
    """Write the page; returns a line that says where and of what."""
    if out.is_dir():
        raise UsageError(f"--out {out} is a folder: name a file in it, such as {out / OUT.name}")
    runs = gather(names, reader)
    text = page(runs, folders=list(names) or [f"{OUTPUTS}/"], reload_seconds=reload_seconds)
    with writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        write_text(out, text)
    running = sum(run.state is State.RUNNING for run in runs)
    going_on = f", {running} of them running" if running else ""
    return f"{out}: {len(runs)} run{'s' * (len(runs) != 1)}{going_on}"


def watch(names: Sequence[str], out: Path = OUT) -> str:
    """Write the page every few seconds until Ctrl-C, and then once more, without the reloading; returns its line."""
    reader = Reader()
    try:
        print(f"{write_report(names, out, reader=reader, reload_seconds=WATCH_SECONDS)}; Ctrl-C ends", flush=True)
        while True:
            time.sleep(WATCH_SECONDS)
            write_report(names, out, reader=reader, reload_seconds=WATCH_SECONDS)
    except KeyboardInterrupt:
        return write_report(names, out, reader=reader)
