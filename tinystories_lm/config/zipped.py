"""Read settings whose values belong together: `model=tiny,gpt_2m:optimizer.lr=3e-3,1e-3` is two runs, not four."""

import re

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser

from tinystories_lm.system.errors import UsageError

NEXT_SETTING = re.compile(r":(?=[\w./@]+=)")


def zip_values(group: str, loader: ConfigLoader) -> list[list[str]]:
    """Return the overrides of the first values, of the second ones, and so on.

    Raises UsageError where one setting has more values than another, or a range in the place of values.
    """
    parser, columns = OverridesParser.create(config_loader=loader), []
    for part in NEXT_SETTING.split(group):
        override = parser.parse_override(part)
        if not override.is_sweep_override() or not override.is_discrete_sweep():
            raise UsageError(f"--zip {group}: {part} has no values to pair: write KEY=A,B:KEY=C,D")
        key = override.get_key_element()
        columns.append([f"{key}={value}" for value in override.sweep_string_iterator()])
    counts = {len(column) for column in columns}
    if len(columns) == 1 or len(counts) > 1:
        shown = " and ".join(f"{column[0].partition('=')[0]} has {len(column)}" for column in columns)
        raise UsageError(f"--zip {group}: {shown} values: give two or more settings as many values each")
    return [list(row) for row in zip(*columns, strict=True)]
