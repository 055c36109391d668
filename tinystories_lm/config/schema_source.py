"""Read the source of the schema: its classes, and the comment behind each field, which describes it."""

import ast
import functools
import io
import tokenize
from pathlib import Path

from tinystories_lm.config import schema


@functools.cache
def classes() -> dict[str, ast.ClassDef]:
    """Return the classes of the schema by name."""
    return {node.name: node for node in ast.parse(_source()).body if isinstance(node, ast.ClassDef)}


@functools.cache
def comments(section: str) -> dict[str, str]:
    """Return the comment behind each field of a dataclass."""
    return {
        ast.unparse(node.target): _comments_by_line().get(node.end_lineno or 0, "")
        for node in classes()[section].body
        if isinstance(node, ast.AnnAssign)
    }


@functools.cache
def _source() -> str:
    return Path(str(schema.__file__)).read_text(encoding="utf-8")


@functools.cache
def _comments_by_line() -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(_source()).readline)
    return {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}
