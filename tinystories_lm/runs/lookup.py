"""Find runs by what a person types: a folder, a preset, a sweep, or `latest`."""

import contextlib
import difflib
import logging
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from tinystories_lm.config.fingerprint import config_hash
from tinystories_lm.config.schema import Config
from tinystories_lm.runs.folder import RunFolder, read_config
from tinystories_lm.runs.records import check_text, read_record
from tinystories_lm.runs.status import Status, read_status_file, updated_seconds
from tinystories_lm.runs.tree import OUTPUTS, name_below, run_paths
from tinystories_lm.system.errors import DamagedError, UsageError

MOST_NAMED = 12  # names in one message
RUN_FORMS = "a run folder, a preset's name, or `latest`"
SWEEP_FORMS = "a sweep's name, or a folder of run folders"
log = logging.getLogger(__name__)


class Sweep(NamedTuple):
    folder: Path
    runs: list[RunFolder]


def find_run(name: str, *, outputs: Path = OUTPUTS, besides: RunFolder | None = None) -> RunFolder:
    """Return one run: by its folder (as typed, or below outputs/), its preset (the newest run of it), or `latest`.

    besides: a run that no name means, because it is about to start.

    Raises UsageError with the nearest names.
    """
    run = _one(name, outputs, besides=besides)
    if run is None:
        raise _unknown(name, "run", RUN_FORMS, outputs)
    return run


def _one(name: str, outputs: Path, *, besides: RunFolder | None = None) -> RunFolder | None:
    for folder in _places(name, outputs):
        if os.path.isfile(folder / "config.yaml"):
            return RunFolder(folder)
    runs = [run for run in runs_below(outputs) if besides is None or run.path.resolve() != besides.path.resolve()]
    if runs and name == "latest":
        return runs[0]
    namings: tuple[Callable[[RunFolder], str], ...] = (
        lambda run: run.path.parent.name,
        lambda run: run.path.name,
        lambda run: short_name(run, outputs),
        lambda run: short_name(run, outputs).rpartition("/")[2],
    )
    return next((run for naming in namings for run in runs if naming(run) == name), None)


def short_name(run: RunFolder, outputs: Path = OUTPUTS) -> str:
    """Return the run's folder below outputs/ without its time, such as run/8c8126c6: a name of the newest such run."""
    if outputs not in run.path.parents:
        return os.path.relpath(run.path)
    return name_below(outputs, run.path)


def find_runs(names: Sequence[str], *, outputs: Path = OUTPUTS) -> list[RunFolder]:
    """Return the runs that the names mean, each once, in the names' order; without names all runs below outputs/.

    A name is one of `find_run`'s, a sweep's, or a folder with runs below it.

    Raises UsageError for a name that means no run, with the nearest names.
    """
    if not names:
        if runs := [*run_folders(outputs)]:
            return runs
        raise nothing_yet(outputs)
    found: dict[Path, RunFolder] = {}
    for name in names:
        for run in _named(name, outputs):
            found.setdefault(run.path.resolve(), run)
    return [*found.values()]


def _named(name: str, outputs: Path) -> list[RunFolder]:
    as_typed, in_sweeps, below_outputs = _places(name, outputs)
    for folder in (as_typed, in_sweeps):
        if name and (runs := [*run_folders(folder)]):
            return runs
    if (run := _one(name, outputs)) is not None:
        return [run]
    if name and (runs := [*run_folders(below_outputs)]):
        return runs
    raise _unknown(name, "run or sweep", f"{RUN_FORMS}, {SWEEP_FORMS}", outputs)


def find_sweep(name: str, *, outputs: Path = OUTPUTS) -> Sweep:
    """Return a sweep by its name below outputs/sweeps/ or outputs/, or any folder that holds run folders.

    Raises UsageError with the nearest names.
    """
    if (found := sweep_named(name, outputs=outputs)) is not None:
        return found
    if os.path.isfile(Path(name) / "config.yaml"):
        raise UsageError(f"{name} is a single run: name the folder that holds it and others")
    raise _unknown(name, "sweep", SWEEP_FORMS, outputs)


def sweep_named(name: str, *, outputs: Path = OUTPUTS) -> Sweep | None:
    """Return a sweep as `find_sweep` does; None where the name means none."""
    for folder in _places(name, outputs):
        runs = [*run_folders(folder)]
        if runs and runs[0].path != folder:
            return Sweep(folder, runs)
    return None


def _places(name: str, outputs: Path) -> tuple[Path, Path, Path]:
    """Return the folders that a name may mean, in the order in which they are tried."""
    return Path(name), outputs / "sweeps" / name, outputs / name


def run_folders(folder: Path) -> Iterator[RunFolder]:
    """Yield the run folders at `folder` or below it, by name."""
    return map(RunFolder, run_paths(folder))


def runs_below(folder: Path, *, named: str = "") -> Iterator[RunFolder]:
    """Yield every run below `folder` that has a status, the newest first by the recorded time of its last change.

    named: a part of the folders' names; the files of other runs are not read.

    Of runs that changed in the same second, the file whose times are newer comes first, and copies of a run come last.
    """
    changed: defaultdict[float, list[tuple[float, int, RunFolder]]] = defaultdict(list)
    for run in run_folders(folder):
        if named not in run.path.name:
            continue
        with contextlib.suppress(OSError):  # it has no status yet, or was removed just now
            status = run.status.stat()
            changed[updated_seconds(run)].append((status.st_mtime_ns, len(str(run.path)), run))
    for second in sorted(changed, reverse=True):
        runs = [run for *_, run in sorted(changed[second], key=itemgetter(0, 1), reverse=True)]
        copies = _copies(runs)
        yield from (run for run in runs if run not in copies)
        yield from copies


def _copies(runs: Sequence[RunFolder]) -> list[RunFolder]:
    """Return those of the runs, which are sorted from new to old, that have the id of an older one."""
    if len(runs) == 1:
        return []
    ids: list[str | None] = []
    for run in runs:
        with contextlib.suppress(DamagedError):
            ids.append(read_record(run).run_id)
            continue
        ids.append(None)
    return [run for number, run in enumerate(runs) if ids[number] is not None and ids[number] in ids[number + 1 :]]


def nothing_yet(outputs: Path) -> UsageError:
    """Return the error for an outputs/ without any run."""
    return UsageError(f"there is no run under {outputs}/ yet: start one with `tinystories-lm train`")


def _unknown(name: str, what: str, forms: str, outputs: Path) -> UsageError:
    """Return the error for a name that means nothing, with what comes near to it.

    what: "run", "sweep" or both, in words.
    """
    if (reason := _folder_problem(name)) is not None:
        return UsageError(f"{name}: {reason}; name {forms}")
    runs = [run.path for run in runs_below(outputs)]
    if not runs:
        return UsageError(f"{name}: {nothing_yet(outputs)}")
    sweeps = [path.name for path in sorted((outputs / "sweeps").glob("*")) if next(run_folders(path), None)]
    presets = [*dict.fromkeys(path.parent.name for path in runs if path.parent.name not in sweeps)]
    groups = [*(sweeps if "sweep" in what else []), *(presets if "run" in what else [])]
    names = [*(path.name for path in runs), *map(str, runs)] if "run" in what else []
    near = difflib.get_close_matches(name, dict.fromkeys([*groups, *names]), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(groups[:MOST_NAMED])}"
    return UsageError(f"{name}: there is no such {what}; {hint} ({forms})")


def _folder_problem(name: str) -> str | None:
    """Return why a folder cannot be used, None where no folder has this name."""
    try:
        os.scandir(name).close()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    except OSError as error:  # the name is too long, or the folder belongs to another person
        return error.strerror
    return "neither this folder nor one below it holds a run"


def interrupted_run(config: Config, *, outputs: Path = OUTPUTS) -> RunFolder | None:
    """Return the newest run of this config that stopped before its end and can be resumed, None where there is none.

    A run that began under the data rules of older versions counts where there is no other.
    """
    for wanted in dict.fromkeys([config_hash(config), config_hash(config.with_data_version(1))]):
        for run in runs_below(outputs, named=wanted):
            try:
                if _can_resume(run) and config_hash(read_config(run, to_train=True)) == wanted:
                    check_text(run, config.data)
                    return run
            except (DamagedError, UsageError) as error:
                log.warning("%s: this run is not resumed", error)
    return None


def _can_resume(run: RunFolder) -> bool:
    """Return whether the run was stopped, killed, or failed after a checkpoint; a diverged run would diverge again."""
    try:
        file = read_status_file(run)
    except DamagedError:  # the resumed run writes it again
        return True
    has_checkpoint = any(run.checkpoints.glob("step-*"))
    failed_midway = file.status is Status.FAILED and has_checkpoint and "diverged" not in file.reason
    return file.status is Status.INTERRUPTED or failed_midway
