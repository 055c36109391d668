"""YAML of somebody else: plain values, or a ValueError in a moment."""

import pytest

from tinystories_lm.system.yaml_files import from_yaml


def test_plain_values_are_read() -> None:
    assert from_yaml("a: 1\nb: [x, 1.5, null, true]\n") == {"a": 1, "b": ["x", 1.5, None, True]}


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "a: &x [1]\nb: [*x, *x]",
        "[" * 30 + "]" * 30,
        "[" * 100_000,
        "!!python/object/apply:os.system [ls]",
        "\0",
    ],
)
def test_what_is_not_plain_or_has_no_end_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        from_yaml(text)
