"""Small pieces of Markdown that the generated parts share."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[int] = ()) -> str:
    """Return a Markdown table; the columns in `right` are aligned to the right."""
    rule = ["---:" if column in set(right) else "---" for column in range(len(header))]
    lines = [header, rule, *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def head(file: Path) -> list[str]:
    """Return the comment lines that a YAML file begins with, without their marks and without Hydra's directives."""
    lines = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            lines.append(line.removeprefix("#").strip())
    return lines


def cell_comment(comment: str) -> str:
    """Return a source comment as a cell's text: with a capital, without a final full stop."""
    text = re.sub(r"\s+", " ", comment).strip().rstrip(".")
    return text[:1].upper() + text[1:] if re.match(r"[a-z]+(?![\w.])", text) else text


def names(*parts: Callable[[], str]) -> dict[str, Callable[[], str]]:
    """Return the functions of generated parts by the names that the pages use."""
    return {part.__name__.replace("_", "-"): part for part in parts}
