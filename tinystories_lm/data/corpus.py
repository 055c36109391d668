"""TEMPORARY stand-in until the real module lands."""

from enum import StrEnum
from pathlib import Path


class Split(StrEnum):
    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


def documents(config, split):
    import re

    prefix = "valid" if split == "validation" else str(split)
    for f in sorted(Path(config.path).glob(prefix + "*")):
        t = f.read_text()
        parts = t.split("<|endoftext|>") if config.boundary == "endoftext" else re.split(r"\n(?= = [^=].* = \n)", t)
        yield from (p.strip() for p in parts if p.strip())
