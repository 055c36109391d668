"""Render the runs, the template, the style and the scripts as one HTML page."""

import base64
import hashlib
import html
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from tinystories_lm import __version__
from tinystories_lm.analysis.report.curves import TRAINING, VALIDATION, encode
from tinystories_lm.analysis.report.published_points import published_rounds
from tinystories_lm.analysis.report.read_runs import Run, clean, differences, shown
from tinystories_lm.config.swept import swept_settings
from tinystories_lm.system.json_files import to_json

POINTS_PER_CURVE, POINTS_IN_ALL, FEWEST_POINTS = 600, 60_000, 60
SCRIPTS = ("elements.js", "chart.js", "table.js", "page.js")  # in the order of their dependencies


def page(runs: Sequence[Run], *, folders: Sequence[str], reload_seconds: int = 0) -> str:
    """Render the page.

    folders: the names as they were typed.
    reload_seconds: the interval at which the page reloads itself; 0 means never.
    """
    limit = max(FEWEST_POINTS, min(POINTS_PER_CURVE, POINTS_IN_ALL // max(1, len(runs))))
    data = to_record(runs) | {"reload_seconds": reload_seconds, "published": published_rounds(runs)}
    for run, entry in zip(runs, data["runs"], strict=True):
        entry["training"] = encode(run.rows, TRAINING, limit=limit)
        entry["validation"] = encode(run.rows, VALIDATION, limit=limit)
        entry["samples"] = [asdict(sample) for sample in run.samples]
    script = "".join(["(() => {\n'use strict';\n", *map(_file, SCRIPTS), "})();\n"])
    refresh = f'<noscript><meta http-equiv="refresh" content="{reload_seconds}"></noscript>' if reload_seconds else ""
    made = time.strftime("%Y-%m-%d %H:%M:%S %Z")
    short = ", ".join(dict.fromkeys(Path(folder).name or folder for folder in folders))
    title = f"{len(runs)} run{'s' * (len(runs) != 1)}: {short}"
    return Template(_file("page.html")).substitute(
        title=html.escape(clean(title)),
        origin=html.escape(clean(f"{', '.join(folders)} · made {made} by tinystories_lm {__version__}")),
        refresh=refresh,
        style=_file("page.css"),
        data=to_json(data, separators=(",", ":")).replace("<", "\\u003c"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def to_record(runs: Sequence[Run]) -> dict[str, Any]:
    """Return the table as JSON types, for programs."""
    labels = _labels(runs)
    return {
        "made": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "runs": [
            {
                "run": run.path,
                "label": labels[number],
                "group": run.group,
                "group_name": run.group_name,
                "name": None if run.config is None else clean(run.config.name),
                "status": str(run.state),
                "reason": run.reason,
                "updated": run.updated,
                "verdict": None if run.verdict is None else asdict(run.verdict),
                "figures": dict(run.figures),
                "problems": list(run.problems),
            }
            for number, run in enumerate(runs)
        ],
        "differences": [
            {"setting": key, "kind": str(kind), "values": values} for key, kind, values in differences(runs)
        ],
    }


def _labels(runs: Sequence[Run]) -> list[str]:
    """Label each run: in a sweep by the settings that distinguish it from the others, else by its folder's name."""
    labels = [run.folder for run in runs]
    groups: dict[str, list[int]] = {}
    for number, run in enumerate(runs):
        if run.group_name.startswith("sweep ") and run.overrides:
            groups.setdefault(run.group, []).append(number)
    for numbers in groups.values():
        for number, swept in zip(numbers, swept_settings([runs[one].overrides for one in numbers]), strict=True):
            label = " ".join(f"{key.lstrip('+').rpartition('.')[2]}={shown(value)}" for key, value in swept.items())
            labels[number] = label or labels[number]
    return labels


def _file(name: str) -> str:
    return resources.files("tinystories_lm.analysis.report").joinpath(name).read_text(encoding="utf-8")
