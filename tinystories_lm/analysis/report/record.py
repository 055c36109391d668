"""Return the report's table as JSON types, for the page and for programs."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import msgspec

from tinystories_lm.analysis.report.differences import choices_behind, differences
from tinystories_lm.analysis.report.labels import Label, label_runs
from tinystories_lm.analysis.report.read_runs import Run, clean
from tinystories_lm.analysis.report.seeds import Setting, average_figures, gather_settings


def to_record(runs: Sequence[Run]) -> dict[str, Any]:
    """Return the runs, the settings that they are seeds of, and what distinguishes them."""
    labels, differing = label_runs(runs), differences(runs)
    return {
        "made": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "runs": [_run(run, label) for run, label in zip(runs, labels, strict=True)],
        "settings": [_setting(setting, runs) for setting in gather_settings(runs, labels)],
        "choices": [
            {"choice": one.setting, "kind": str(one.kind), "values": one.values}
            for one in choices_behind(runs, differing)
        ],
        "differences": [
            {"setting": one.setting, "kind": str(one.kind), "values": one.values, "choice": one.choice or None}
            for one in differing
        ],
    }


def _run(run: Run, label: Label) -> dict[str, Any]:
    return {
        "run": run.path,
        "label": label.text,
        "group": run.group,
        "group_name": run.group_name,
        "name": None if run.config is None else clean(run.config.name),
        "status": run.state,
        "reason": run.reason,
        "updated": run.updated,
        "verdict": msgspec.to_builtins(run.verdict),
        "figures": run.figures,
        "problems": run.problems,
    }


def _setting(setting: Setting, runs: Sequence[Run]) -> dict[str, Any]:
    """Return a setting; its figures are averaged over the finished seeds."""
    figures = average_figures([runs[number] for number in setting.finished])
    return {
        "label": setting.label,
        "values": setting.values,
        "runs": [runs[number].path for number in setting.runs],
        "seeds": len(setting.seeds),
        "finished": len(setting.finished),
        "figures": {name: asdict(found) for name, found in figures.items()},
    }
