"""Find run folders below a folder, and name them: by the names of files alone, so that a shell can complete them."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

OUTPUTS = Path("outputs")  # below the folder a command is started in
DEEPEST = 4  # levels below a named folder that are searched
MARKS = ("config.yaml", "status.json", "summary.json", "metrics.jsonl")  # one of them makes a folder a run's
STARTED_AT = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d_(?=[0-9a-f]{8}$)")  # in a folder's name


def run_paths(folder: Path, depth: int = 0) -> Iterator[Path]:
    """Yield the run folders at `folder` or up to DEEPEST levels below it, by name; hidden folders are left out."""
    try:
        with os.scandir(folder) as entries:
            found = {entry.name: entry for entry in entries}
        if any(mark in found and found[mark].is_file() for mark in MARKS):
            yield folder
            return
        inner = sorted(name for name, entry in found.items() if not name.startswith(".") and entry.is_dir())
    except OSError:
        return
    for name in inner if depth < DEEPEST else []:
        yield from run_paths(folder / name, depth + 1)


def name_below(outputs: Path, run: Path) -> str:
    """Return a run's folder below `outputs` without its time, such as run/8c8126c6: a name of the newest such run."""
    return STARTED_AT.sub("", run.relative_to(outputs).as_posix().removeprefix("sweeps/"))
