"""JSON files: seals, and texts that are not JSON as this program reads it."""

from pathlib import Path

import pytest

from tinystories_lm.system.errors import DamagedError
from tinystories_lm.system.json_files import from_json, read_json, seal, write_sealed


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "[1e999]", "[" * 10**5, '{"a": ' * 10**5, "", "nul", "9" * 5000])
def test_json_without_a_number_or_an_end_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        from_json(text)


def test_a_sealed_file_is_read_without_its_seal_and_no_change_goes_unnoticed(tmp_path: Path) -> None:
    path, value = tmp_path / "a.json", {"b": 1, "a": [1.5, "ü", None]}
    write_sealed(path, value)
    assert read_json(path) == value and list(read_json(path)) == ["b", "a"]
    path.write_text(path.read_text().replace("1.5", "1.6"))
    with pytest.raises(DamagedError, match="was changed"):
        read_json(path)


def test_a_seal_does_not_depend_on_the_order_of_keys_nor_on_spaces() -> None:
    assert seal({"a": 1, "b": {"c": 2, "d": 3}}) == seal({"b": {"d": 3, "c": 2}, "a": 1}) != seal({"a": 1})


def test_a_file_without_a_seal_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": 1}')
    assert read_json(tmp_path / "a.json") == {"a": 1}
    for text in ("[1]", "{", ""):
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(DamagedError, match="a.json"):
            read_json(tmp_path / "a.json")
