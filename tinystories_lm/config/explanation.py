"""Explain a setting, a section, a group or a choice to a person, and describe them all to a program."""

import difflib
from collections.abc import Iterator
from typing import Any

from tinystories_lm.config.presets import check_config_dir, choice_files, question_of
from tinystories_lm.config.reference import Setting, describe_value, reference, section_types
from tinystories_lm.config.stated import defaults, groups, setters, stated
from tinystories_lm.system.errors import UsageError

FORMAT = 1  # of the record; raised when a key changes its meaning
EFFECTS = {
    "results": "results: another value is another run",
    "rounding": "rounding: a run resumes with another value, and is then not exact",
    "nothing": "nothing: the results stay the same",
}


def explain(name: str, config_dir: str | None = None) -> str:
    """Return what a setting, a section, a group, or a choice such as model=gpt_28m is.

    Raises UsageError with the nearest name for what does not exist.
    """
    check_config_dir(config_dir)
    key, equals, choice = name.lstrip("+").partition("=")
    if key in reference():
        return "\n".join(_explain_setting(reference()[key], config_dir))
    if not key or key not in (*groups(), "sweep", *section_types()):
        raise UsageError(_describe_unknown(key))
    if not equals:
        return "\n".join(_explain_section(key, config_dir))
    if choice not in (known := choice_files(key, config_dir)):
        near = difflib.get_close_matches(choice, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(known)}"
        raise UsageError(f"{key}={choice}: there is no such {key}; {hint}")
    return "\n".join(_explain_choice(key, choice, config_dir))


def _describe_unknown(key: str) -> str:
    from tinystories_lm.config.messages import describe_unknown  # imports Hydra

    if key.startswith("hydra"):
        return f"{key} belongs to Hydra: `tinystories-lm train --cfg hydra` prints its settings"
    return describe_unknown(key)


def _explain_setting(setting: Setting, config_dir: str | None) -> Iterator[str]:
    unit = f", in {setting.unit}" if setting.unit else ""
    yield f"{setting.key}: {setting.meaning or setting.type}"
    yield f"  type     {', '.join(setting.words) or setting.type}{unit}"
    yield f"  default  {describe_value(defaults()[setting.key])}"
    if range_ := setting.rules.describe_range():
        yield f"  range    {range_}"
    for rule in setting.rules.others:
        yield f"  rule     {rule if rule.startswith('must') else f'refused where it {rule}'}"
    yield f"  changes  {EFFECTS[setting.changes]}"
    label = "set by"
    for choice, value in setters(setting.key, config_dir):
        yield f"  {label:<8} {choice}: {describe_value(value)}"
        label = ""


def _explain_choice(group: str, choice: str, config_dir: str | None) -> Iterator[str]:
    file = choice_files(group, config_dir)[choice]
    yield f"{'+' * (group == 'sweep')}{group}={choice}: {question_of(file)}".removesuffix(": ")
    for key, value in stated(group, choice, config_dir).items():
        yield f"  {key}: {describe_value(value)}"
    yield f"  ({file})"


def _explain_section(name: str, config_dir: str | None) -> Iterator[str]:
    """Yield the choices of a group and the settings of a section; most names are both."""
    if files := choice_files(name, config_dir):
        yield f"{name}: a choice; {'+' * (name == 'sweep')}{name}=NAME selects one"
        width = max(map(len, files))
        for choice, file in files.items():
            mark = "  (default)" if groups().get(name) == choice else ""
            yield f"  {choice:<{width}}  {question_of(file)}{mark}"
    settings = [setting for key, setting in reference().items() if key.startswith(f"{name}.")]
    if settings:
        yield f"{name}: the settings; `tinystories-lm explain {settings[0].key}` explains one"
        width = max(len(setting.key) for setting in settings)
        for setting in settings:
            yield f"  {setting.key:<{width}}  {setting.meaning}"


def describe_all() -> str:
    """Return a line for each setting: its default and meaning."""
    rows = [(key, describe_value(value), reference()[key].meaning) for key, value in defaults().items()]
    keys, values = (max(len(row[column]) for row in rows if len(row[column]) <= 40) for column in (0, 1))
    return "\n".join(f"{key:<{keys}}  {value:<{values}}  {meaning}" for key, value, meaning in rows)


def as_record(config_dir: str | None = None) -> dict[str, Any]:
    """Return the groups, choices and settings as plain values, for programs."""
    check_config_dir(config_dir)
    return {
        "format": FORMAT,
        "groups": [_group_record(group, choice, config_dir) for group, choice in (groups() | {"sweep": ""}).items()],
        "settings": [_setting_record(setting, defaults()[key]) for key, setting in reference().items()],
    }


def _group_record(group: str, default: str, config_dir: str | None) -> dict[str, Any]:
    return {
        "group": group,
        "override": f"+{group}=" if group == "sweep" else f"{group}=",
        "default": default or None,
        "choices": [
            {"choice": choice, "help": question_of(file), "settings": stated(group, choice, config_dir)}
            for choice, file in choice_files(group, config_dir).items()
        ],
    }


def _setting_record(setting: Setting, default: object) -> dict[str, Any]:
    """Return a setting with its range; `default` is an interpolation where it follows from another setting.

    A bound is a number, or the key of the setting that it equals.
    """
    bounds = {"minimum": setting.rules.lower, "maximum": setting.rules.upper}
    return {
        "key": setting.key,
        "type": setting.type.removesuffix(" or null"),
        "choices": list(setting.words) or None,
        "nullable": setting.takes_null,
        "unit": setting.unit or None,
        "default": default,
        **{name: bound.value if bound is not None else None for name, bound in bounds.items()},
        **{f"{name}_allowed": bound.is_inside if bound is not None else None for name, bound in bounds.items()},
        "rules": list(setting.rules.others),
        "changes": setting.changes,
        "help": setting.meaning,
    }
