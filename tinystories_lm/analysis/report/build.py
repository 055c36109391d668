"""The `report` command: write one HTML page that compares runs, once or repeatedly while runs train."""

import base64
import hashlib
import html
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from tinystories_lm import __version__
from tinystories_lm.analysis.published import read_published
from tinystories_lm.analysis.report.curves import DOLLARS, FLOPS, SECONDS, STEP, TOKENS, TRAINING, VALIDATION, encode
from tinystories_lm.analysis.report.labels import label_runs
from tinystories_lm.analysis.report.read_runs import Reader, Run, clean
from tinystories_lm.analysis.report.record import to_record
from tinystories_lm.analysis.report.search import describe_searches
from tinystories_lm.analysis.report.seeds import encode_means, gather_settings
from tinystories_lm.model.flops import flops_per_token
from tinystories_lm.runs.lookup import find_runs
from tinystories_lm.runs.status import Status
from tinystories_lm.runs.tree import OUTPUTS
from tinystories_lm.system.console import counted
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.files import write_text, writing
from tinystories_lm.system.json_files import to_json

OUT = OUTPUTS / "report.html"
WATCH_SECONDS = 5
POINTS_PER_CURVE, POINTS_IN_ALL, FEWEST_POINTS = 600, 60_000, 60
SCRIPTS = (
    "elements.js",
    "scale.js",
    "ends.js",
    "chart.js",
    "table.js",
    "means.js",
    "page.js",
)  # in the order of their dependencies


def gather(names: Sequence[str], reader: Reader) -> list[Run]:
    """Read the named runs: the most recent group first, sorted by their labels within a group.

    Raises UsageError for a name that matches no run.
    """
    runs = [reader.read(folder) for folder in find_runs(names)]
    newest: dict[str, float] = {}
    for run in runs:
        newest[run.group] = max(newest.get(run.group, 0.0), run.updated or 0.0)
    order = [
        (-newest[run.group], run.group, label.order, run.path)
        for run, label in zip(runs, label_runs(runs), strict=True)
    ]
    return [runs[number] for number in sorted(range(len(runs)), key=order.__getitem__)]


def write_report(names: Sequence[str], out: Path = OUT, *, reader: Reader, reload_seconds: int = 0) -> str:
    """Write the page and return a line with its path and the number of runs.

    Raises UsageError where the path is that of a folder, a device or a pipe, which a page must not replace.
    """
    if out.is_dir():
        raise UsageError(f"--out {out} is a folder: name a file in it, such as {out / OUT.name}")
    if out.exists() and not out.is_file():
        raise UsageError(f"--out {out} is a device or a pipe, which the page would replace: name a file")
    out = out.resolve() if out.is_symlink() else out
    runs = gather(names, reader)
    text = page(runs, folders=names or [f"{OUTPUTS}/"], reload_seconds=reload_seconds)
    with writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        write_text(out, text)
    running = sum(run.state == Status.RUNNING for run in runs)
    running_runs = f", {running} of them running" if running else ""
    return f"{out}: {counted(len(runs), 'run')}{running_runs}"


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


def page(runs: Sequence[Run], *, folders: Sequence[str], reload_seconds: int) -> str:
    """Render the page.

    folders: the names as they were typed.
    reload_seconds: the interval at which the page reloads itself; 0 means never.
    """
    data = page_data(runs) | {"reload_seconds": reload_seconds, "published": published_rounds(runs)}
    script = "".join(["(() => {\n'use strict';\n", *map(_file, SCRIPTS), "})();\n"])
    refresh = f'<noscript><meta http-equiv="refresh" content="{reload_seconds}"></noscript>' if reload_seconds else ""
    made = time.strftime("%Y-%m-%d %H:%M:%S %Z")
    short = ", ".join(dict.fromkeys(Path(folder).name or folder for folder in folders))
    title = f"{counted(len(runs), 'run')}: {short}"
    return Template(_file("page.html")).substitute(
        title=html.escape(clean(title)),
        origin=html.escape(clean(f"{', '.join(folders)} · made {made} by tinystories_lm {__version__}")),
        refresh=refresh,
        style=_file("page.css"),
        search=clean(describe_searches(runs)),
        data=to_json(data, separators=(",", ":")).replace("<", "\\u003c"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def page_data(runs: Sequence[Run]) -> dict[str, Any]:
    """Return the table with the curves and stories of each run, and the means of each setting with several seeds."""
    limit = max(FEWEST_POINTS, min(POINTS_PER_CURVE, POINTS_IN_ALL // max(1, len(runs))))
    data = to_record(runs)
    for run, entry in zip(runs, data["runs"], strict=True):
        entry["training"] = encode(run.rows, TRAINING, limit=limit)
        entry["validation"] = encode(run.rows, VALIDATION, limit=limit)
        entry["samples"] = [asdict(sample) for sample in run.samples]
    mean_limit = max(FEWEST_POINTS, limit // 3)  # a mean is smoother than its runs
    for setting, entry in zip(gather_settings(runs, label_runs(runs)), data["settings"], strict=True):
        if len(setting.seeds) > 1:
            rows = [runs[number].rows for number in setting.finished or setting.seeds]
            entry["training"] = encode_means(rows, TRAINING, limit=mean_limit)
            entry["validation"] = encode_means(rows, VALIDATION, limit=mean_limit)
    return data


def published_rounds(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Return the published rounds that the runs replay, each with its points and final perplexity.

    The keys of a point are those of metrics.jsonl. A value that was not published and does not follow
    from published ones is absent.
    """
    found = []
    for config in {run.config.name: run.config for run in runs if run.config is not None}.values():
        if (figures := read_published(config.name)) is not None:
            per_token = flops_per_token(config.model, vocab_size=config.data.vocab_size)
            points = _published_points(figures, flops_per_token=per_token)
            found.append({"name": config.name, "points": points, "perplexity": figures["perplexity"]})
    return found


def _published_points(figures: Mapping[str, Any], *, flops_per_token: float) -> list[dict[str, float]]:
    """Return one point per published validation loss, or the last step alone where none was published.

    Perplexity is exp(loss), except at the last point, which has the published perplexity, time and dollars.
    """
    steps, batch_size, perplexity = figures["steps"], figures["batch_size"], figures["perplexity"]
    losses = figures.get("validation_loss") or ({steps: math.log(perplexity)} if steps else {})
    points = []
    for step, loss in sorted(losses.items()):
        point: dict[str, float] = {STEP: step, "val/loss": loss, "val/perplexity": math.exp(loss)}
        if batch_size:
            tokens = step * batch_size * figures["model"]["context_tokens"]
            point |= {TOKENS: tokens, FLOPS: tokens * flops_per_token}
        points.append(point)
    if points:
        seconds = figures["wall_clock_minutes"] * 60
        points[-1] |= {"val/perplexity": perplexity, SECONDS: seconds, DOLLARS: figures["cost_usd"]}
    return points


def _file(name: str) -> str:
    return resources.files("tinystories_lm.analysis.report").joinpath(name).read_text(encoding="utf-8")
