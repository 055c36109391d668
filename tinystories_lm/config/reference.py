"""Describe the settings for people, from the schema's own source: what each means, and which words it takes.

Imports no Hydra, so that a shell can complete settings.
"""

import ast
import enum
import functools
import io
import tokenize
import types
import typing
from pathlib import Path
from typing import Any

from tinystories_lm.config import schema


@functools.cache
def comments(section: str) -> dict[str, str]:
    """Return the comment behind each field of a dataclass of the schema, which is the field's description."""
    return {
        ast.unparse(node.target): _comments_by_line().get(node.end_lineno or 0, "")
        for node in _classes()[section].body
        if isinstance(node, ast.AnnAssign)
    }


@functools.cache
def _source() -> str:
    return Path(str(schema.__file__)).read_text(encoding="utf-8")


@functools.cache
def _classes() -> dict[str, ast.ClassDef]:
    return {node.name: node for node in ast.parse(_source()).body if isinstance(node, ast.ClassDef)}


@functools.cache
def _comments_by_line() -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(_source()).readline)
    return {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}


def words_of(kind: Any) -> list[str]:
    """Return the words that a setting of this type takes; none for numbers and text."""
    if kind is bool:
        return ["true", "false"]
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return [str(choice.value) for choice in kind]
    if isinstance(kind, types.UnionType):
        return [word for part in typing.get_args(kind) for word in words_of(part)]
    return ["null"] if kind is types.NoneType else []
