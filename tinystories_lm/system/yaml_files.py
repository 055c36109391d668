"""Read YAML that somebody else may have written."""

from typing import Any

import yaml

DEEPEST = 20  # levels of nesting
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # makes plain values only


def from_yaml(text: str) -> Any:
    """Return the plain values of a YAML text.

    Raises ValueError for invalid YAML, for deep nesting and for aliases, which make a million values of one line.
    """
    try:
        depth = 0
        for event in yaml.parse(text, Loader=LOADER):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST or isinstance(event, yaml.AliasEvent):
                raise ValueError("it has aliases, or is nested too deep")
        return yaml.load(text, Loader=LOADER)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(str(error) or "it is nested too deep") from error
