"""List what distinguishes runs: the choices by which they were started, and the single settings."""

from collections.abc import Sequence
from dataclasses import dataclass

from tinystories_lm.analysis.report.read_runs import Run, shown
from tinystories_lm.config.fields import Effect
from tinystories_lm.config.schema import SETTINGS, settings


@dataclass(frozen=True)
class Difference:
    """A setting, or a choice such as `model`, in which runs differ.

    values: each run's; None where it is not known.
    choice: the choice that explains the setting; empty for a choice, and where none does.
    """

    setting: str
    kind: Effect
    values: list[str | None]
    choice: str = ""


def differences(runs: Sequence[Run]) -> list[Difference]:
    """Return the settings in which the runs differ, those first that affect results."""
    known = [None if run.config is None else settings(run.config) for run in runs]
    differing = []
    for key, (_, effect, _) in SETTINGS.items():
        if len({str(found[key]) for found in known if found is not None}) > 1:
            values = [None if found is None else shown(found[key]) for found in known]
            differing.append(Difference(key, effect, values, _explanation(runs, key, values)))
    return _sorted(differing)


def choices_behind(runs: Sequence[Run], differing: Sequence[Difference]) -> list[Difference]:
    """Return the choices that explain some of the differences, with the strongest effect of what they explain."""
    order = list(Effect)
    found = []
    for name in dict.fromkeys(one.choice for one in differing if one.choice):
        kind = min((one.kind for one in differing if one.choice == name), key=order.index)
        found.append(Difference(name, kind, [run.choices.get(name) for run in runs]))
    return _sorted(found)


def _explanation(runs: Sequence[Run], key: str, values: Sequence[str | None]) -> str:
    """Return the choice of the setting's section, or else the preset, if equal choices have equal values.

    A setting that was typed for a run is explained by no choice. Runs whose choices are unknown are left out.
    """
    if any(override.lstrip("+").partition("=")[0] == key for run in runs for override in run.overrides):
        return ""
    for name in (key.partition(".")[0], "experiment"):
        pairs = {
            (run.choices[name], value)
            for run, value in zip(runs, values, strict=True)
            if name in run.choices and value is not None
        }
        if 1 < len(pairs) == len({choice for choice, _ in pairs}):
            return name
    return ""


def _sorted(differing: Sequence[Difference]) -> list[Difference]:
    order = list(Effect)
    return sorted(differing, key=lambda found: order.index(found.kind))
