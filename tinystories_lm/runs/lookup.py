"""Find runs by folder, preset or sweep name."""

import contextlib
import difflib
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from tinystories_lm.config.fingerprint import config_hash
from tinystories_lm.config.schema import Config
from tinystories_lm.runs.folder import OUTPUTS, RunFolder, read_config
from tinystories_lm.runs.status import Status, read_status, read_status_file
from tinystories_lm.system.errors import DamagedError, UsageError

DEEPEST = 4  # levels below a named folder at which runs are looked for


MARKS = ("config.yaml", "status.json", "summary.json", "metrics.jsonl")  # one of them makes a folder a run's


def select(names: Sequence[str], *, outputs: Path = OUTPUTS) -> list[RunFolder]:
    """The runs that the names mean, each once, in the names' order; all under outputs/ without a name.

    Raises UsageError for a name that means none, with what comes near to it.
    """
    found: dict[Path, RunFolder] = {}
    for name in names:
        for run in _named(name, outputs=outputs):
            found.setdefault(run.path.resolve(), run)
    if not names:
        found = {folder.resolve(): RunFolder(folder) for folder in _below(outputs)}
        if not found:
            raise UsageError(f"there is no run under {outputs}/ yet: start one with `tinystories-lm train`")
    return list(found.values())


def _named(name: str, *, outputs: Path) -> list[RunFolder]:
    for folder in (Path(name), outputs / "sweeps" / name):
        if name and (runs := [RunFolder(path) for path in _below(folder)]):
            return runs
    try:
        return [find_run(name, outputs=outputs)]
    except UsageError:
        if name and (runs := [RunFolder(path) for path in _below(outputs / name)]):
            return runs
        raise UsageError(_unknown(name, outputs=outputs)) from None


def _below(folder: Path, depth: int = 0) -> Iterator[Path]:
    """The run folders at `folder` or below; what begins with a dot or an underscore is none."""
    if any(os.path.isfile(folder / mark) for mark in MARKS):
        yield folder
        return
    try:
        inner = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    except OSError:
        return
    for name in inner if depth < DEEPEST else []:
        if not name.startswith((".", "_")):
            yield from _below(folder / name, depth + 1)


def _unknown(name: str, *, outputs: Path) -> str:
    if os.path.isdir(name):
        return f"{name}: no run lies in this folder or below it"
    sweeps = [path.name for path in sorted((outputs / "sweeps").glob("*")) if path.is_dir()]
    runs = [run.path for run in runs_below(outputs)]
    presets = dict.fromkeys(path.parent.name for path in runs if path.parent.name not in sweeps)
    near = difflib.get_close_matches(name, [*sweeps, *presets, *(path.name for path in runs)], n=3, cutoff=0.5)
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    elif sweeps or presets:
        hint = f"there are: {', '.join([*sweeps, *presets][:12])}"
    else:
        hint = f"there is none under {outputs}/ yet"
    return f"{name}: there is no such run or sweep; {hint} (a run, a sweep, or a folder with runs below)"


log = logging.getLogger(__name__)


MOST_NAMED = 12  # in one line


def runs_below(folder: Path) -> Iterator[RunFolder]:
    """Every run under outputs/, sweeps' members included, newest first by when it was last heard of."""
    found = [path.parent for pattern in ("*/*/status.json", "sweeps/*/*/status.json") for path in folder.glob(pattern)]
    heard: list[tuple[float, str, Path]] = []
    for path in found:
        with contextlib.suppress(FileNotFoundError):  # it was removed just now
            heard.append(((path / "status.json").stat().st_mtime, path.name, path))
    for _, _, path in sorted(heard, reverse=True):
        yield RunFolder(path)


def find_run(name: str, *, outputs: Path = OUTPUTS, besides: RunFolder | None = None) -> RunFolder:
    """A run by its folder (as it stands, or below outputs/), by its preset (the newest run of it), or `latest`.

    besides: a run that no name means, for it is about to begin.

    Raises UsageError naming what there is.
    """
    for direct in (Path(name), outputs / name):
        try:
            if (direct / "config.yaml").is_file():
                return RunFolder(direct)
        except OSError as error:  # a name that is too long, a folder that is another person's
            raise UsageError(f"{direct}: {error.strerror}") from error
    runs = [run for run in runs_below(outputs) if besides is None or run.path.resolve() != besides.path.resolve()]
    if runs and name == "latest":
        return runs[0]
    for names in ([run.path.parent.name for run in runs], [run.path.name for run in runs]):
        if name in names:
            return runs[names.index(name)]
    if not runs:
        raise UsageError(f"{name}: there is no run under {outputs}/ yet: start one with `tinystories-lm train`")
    presets = dict.fromkeys(run.path.parent.name for run in runs)
    known = [*presets, *(run.path.name for run in runs), *(str(run.path) for run in runs)]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join([*presets][:MOST_NAMED])}"
    raise UsageError(f"{name}: there is no such run; {hint} (a run folder, a preset's name, or `latest`)")


def interrupted_run(config: Config, *, outputs: Path = OUTPUTS) -> RunFolder | None:
    """The newest run of this config that was stopped before its end."""
    wanted = config_hash(config)
    for run in runs_below(outputs):
        if not run.path.name.startswith(".") and wanted in run.path.name:
            try:
                if _may_go_on(run) and config_hash(read_config(run)) == wanted:
                    return run
            except DamagedError as error:
                log.warning("%s: this run is passed over", error)
    return None


def _may_go_on(run: RunFolder) -> bool:
    """Stopped, killed, or failed on the way, as on a full disk; a diverged one would only diverge again."""
    try:
        status, reason = read_status(run), read_status_file(run).reason
    except DamagedError:  # written anew when it goes on
        return True
    failed_on_the_way = status is Status.FAILED and any(run.checkpoints.glob("step-*")) and "diverged" not in reason
    return status is Status.INTERRUPTED or failed_on_the_way


def find_sweep(name: str, *, outputs: Path = OUTPUTS) -> Path:
    """A sweep by its name below outputs/sweeps/ or outputs/, or any folder that holds run folders."""
    for folder in (Path(name), outputs / "sweeps" / name, outputs / name):
        if folder.is_dir() and _runs_in(folder):
            return folder
    if (Path(name) / "config.yaml").is_file():
        raise UsageError(f"{name} is a single run: name the folder that holds it and others")
    known = [path.name for path in sorted((outputs / "sweeps").glob("*")) if path.is_dir() and _runs_in(path)]
    if not known:
        raise UsageError(
            f"{name}: there is no such sweep, and none under {outputs / 'sweeps'}/ yet: "
            "start one with `tinystories-lm sweep size_by_steps`"
        )
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(known[:12])}"
    raise UsageError(f"{name}: there is no such sweep; {hint} (a sweep's name, or a folder of run folders)")


def _runs_in(folder: Path) -> list[RunFolder]:
    found = sorted(folder.glob("*/config.yaml"))
    return [RunFolder(path.parent) for path in found if not path.parent.name.startswith(".")]
