"""Read the ranges of settings from the checks of the schema, which are the only place that has them.

`self.require("must lie in (0, 1]", decay_fraction=0 < self.decay_fraction <= 1)` means: above 0 and at most 1. A check
of another form stays in the words of its message.
"""

import ast
import contextlib
import functools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from tinystories_lm.config import schema
from tinystories_lm.config.schema_source import classes

Number = int | float
LESS, MORE = (ast.Lt, ast.LtE), (ast.Gt, ast.GtE)


class Bound(NamedTuple):
    """An end of a range: a number, or the setting whose value it is."""

    value: Number | str
    is_inside: bool  # the value itself is allowed


class Rules(NamedTuple):
    """What the checks of a setting allow.

    only: the only values; None for no such check.
    excluded: words of its type that are refused.
    others: checks of another form, in words.
    """

    lower: Bound | None = None
    upper: Bound | None = None
    only: tuple[Number, ...] | None = None
    excluded: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    def describe_range(self) -> str:
        """Return the range in words; empty for none."""
        lower, upper = self.lower, self.upper
        if self.only is not None:
            return " or ".join(map(str, self.only))
        if lower is not None and upper is not None and lower.is_inside and upper.is_inside:
            return f"{_shown(lower)} to {_shown(upper)}"
        parts = []
        if lower is not None:
            parts.append(f"{'at least' if lower.is_inside else 'above'} {_shown(lower)}")
        if upper is not None:
            parts.append(f"{'at most' if upper.is_inside else 'below'} {_shown(upper)}")
        return ", ".join(parts)


def _shown(bound: Bound) -> str:
    if isinstance(bound.value, int) and bound.value >= 1 << 31 and not bound.value & (bound.value - 1):
        return f"2^{bound.value.bit_length() - 1}"
    return f"{bound.value:,}" if isinstance(bound.value, int) else f"{bound.value}"


@functools.cache
def rules_of(section: str) -> dict[str, Rules]:
    """Return the rules of each field of a dataclass of the schema that its __post_init__ checks."""
    found: dict[str, Rules] = {}
    for check in _checks(section):
        found[check.key] = _with(found.get(check.key, Rules()), check)
    return found


class _Check(NamedTuple):
    key: str
    condition: ast.expr
    message: ast.expr | None
    section: str  # the settings' name of it, such as training
    locals: dict[str, ast.expr]


def _checks(section: str) -> Iterator[_Check]:
    """Yield the checks of a dataclass: every keyword of every call of `self.require`."""
    name = section.removesuffix("Config").lower()
    functions = [node for node in classes()[section].body if isinstance(node, ast.FunctionDef)]
    body = [statement for node in functions if node.name == "__post_init__" for statement in node.body]
    values = {ast.unparse(node.targets[0]): node.value for node in body if isinstance(node, ast.Assign)}
    for statement in body:
        for call in (node for node in ast.walk(statement) if isinstance(node, ast.Call)):
            called = ast.unparse(call.func)
            if called == "self.require_at_least_1":
                for key in map(_text, call.args):
                    yield _Check(key, ast.parse(f"self.{key} >= 1", mode="eval").body, None, name, values)
            elif called == "self.require":
                for key, condition in _conditions(call, statement):
                    yield _Check(key, condition, call.args[0], name, values)


def _conditions(call: ast.Call, statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """Yield the keywords of a call; those of a loop over names are `**{name: getattr(self, name) > 0}`."""
    for keyword in call.keywords:
        if keyword.arg is not None:
            yield keyword.arg, keyword.value
        elif isinstance(statement, ast.For) and isinstance(keyword.value, ast.Dict):
            source = ast.unparse(keyword.value.values[0])
            for key in map(_text, getattr(statement.iter, "elts", [])):
                asked = source.replace(f"getattr(self, {ast.unparse(statement.target)})", f"self.{key}")
                yield key, ast.parse(asked, mode="eval").body


def _with(rules: Rules, check: _Check) -> Rules:
    """Return the rules with those of one more check."""
    condition = check.condition
    if isinstance(condition, ast.Name):
        condition = check.locals[condition.id]
    if isinstance(condition, ast.Compare):
        operands = [condition.left, *condition.comparators]
        places = [place for place, operand in enumerate(operands) if ast.unparse(operand) == f"self.{check.key}"]
        with contextlib.suppress(ValueError):  # a bound that is computed
            if places and (found := _from_comparison(rules, operands, condition.ops, places[0], check)) is not None:
                return found
    words = _words(check.message, check.section)
    return rules._replace(others=(*rules.others, words)) if words else rules


def _from_comparison(
    rules: Rules, operands: list[ast.expr], operators: list[ast.cmpop], place: int, check: _Check
) -> Rules | None:
    """Return the rules with those of a comparison of the setting, which stands at `place`; None for another form."""
    following = operators[place] if place < len(operators) else None
    if isinstance(following, ast.In):
        return rules._replace(only=tuple(ast.literal_eval(operands[place + 1])))
    if isinstance(following, ast.IsNot):
        kind, _, member = ast.unparse(operands[place + 1]).rpartition(".")
        return rules._replace(excluded=(*rules.excluded, str(getattr(schema, kind)[member].value)))
    if not all(isinstance(operator, LESS + MORE) for operator in operators):
        return None
    for other, operator, is_before in ((place - 1, place - 1, True), (place + 1, place, False)):
        if not 0 <= other < len(operands):
            continue
        sign = operators[operator]
        value = _value(operands[other], check.section)
        bound = Bound(value, isinstance(sign, ast.LtE | ast.GtE))
        if value == math.inf:
            continue
        is_lower = isinstance(sign, LESS) == is_before
        rules = rules._replace(lower=bound) if is_lower else rules._replace(upper=bound)
    return rules


def _value(node: ast.expr, section: str) -> Any:
    """Return the number that a bound is, or the name of the setting."""
    text = ast.unparse(node)
    if text.startswith("self."):
        return f"{section}.{text.removeprefix('self.')}"
    if text == "math.inf":
        return math.inf
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return ast.literal_eval(node.left) ** ast.literal_eval(node.right)
    return ast.literal_eval(node)


def _words(message: ast.expr | None, section: str) -> str:
    """Return a check's message without the values of a run: what a person types instead of them is not known here."""
    if not isinstance(message, ast.JoinedStr):
        return _text(message) if message is not None else ""
    words = ""
    for part in message.values:
        if isinstance(part, ast.FormattedValue):
            text = ast.unparse(part.value)
            if hasattr(schema, text):
                words += str(getattr(schema, text))
            elif text.startswith("self."):
                words = words.removesuffix("=") if words.endswith("=") else f"{words}{section}.{text[5:]}"
            else:
                return words.rpartition(";")[0]
        else:
            words += _text(part)
    return words


def _text(node: ast.expr) -> str:
    assert isinstance(node, ast.Constant)
    return str(node.value)
