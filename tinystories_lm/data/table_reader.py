"""Read the text column of JSON Lines and Parquet files, a few rows at a time.

`datasets` could read both, but takes seconds to import and does not report the line of a damaged row.
"""

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tinystories_lm.config.choices import DecodeErrors
from tinystories_lm.config.schema import DataConfig
from tinystories_lm.data import segmentation
from tinystories_lm.data.text_reader import HEAD_BYTES, blocks, decoded, reading, refuse_foreign
from tinystories_lm.system.errors import CommandError, DamagedError, UsageError

ROWS = 256  # read at a time
MOST_LINE_BYTES = 1 << 26  # longest line of JSON, which is held in memory several times over
MOST_ARRAY_BYTES = 1 << 30  # largest JSON array, which is held in memory as a whole
SURROGATE = re.compile("[\ud800-\udfff]")
JSON = json.JSONDecoder(strict=False)  # accepts a raw tab within a string


class Rows(NamedTuple):
    texts: list[str]
    replaced: int  # invalid places, replaced by U+FFFD


def file_rows(path: Path, format_: str, config: DataConfig) -> Iterator[Rows]:
    """Yield the file's rows.

    Raises UsageError where the column is missing or does not hold text, DamagedError for a broken file.
    """
    return _parquet(path, config) if format_ == "parquet" else _json(path, config)


def texts(values: Iterable[Any], column: str, where: str) -> list[str]:
    """Return the texts without missing values; raises UsageError for a value that is not text."""
    found = [value for value in values if value is not None]
    for value in found:
        if not isinstance(value, str):
            raise UsageError(f"{where}: column {column!r} holds {type(value).__name__}, not text: set data.text_column")
    return found


def no_column(where: str, column: str, names: Iterable[str]) -> UsageError:
    there = ", ".join(names) or "(there is none)"
    return UsageError(f"{where} has no column {column!r}: set data.text_column to one of {there}")


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


# JSON


def _json(path: Path, config: DataConfig) -> Iterator[Rows]:
    with reading(path), path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        refuse_foreign(path, head)
        is_array = head.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"[")
    yield from _array(path, config) if is_array else _lines(path, config)


def _lines(path: Path, config: DataConfig) -> Iterator[Rows]:
    """Read one object per line; blank lines are skipped."""
    offset, size, found, replaced = 0, 0, list[str](), 0
    with reading(path), path.open("rb") as file:
        for number, data in enumerate(iter(lambda: file.readline(MOST_LINE_BYTES + 1), b""), 1):
            row = _line(path, data, config, offset=offset, number=number)
            found, replaced = found + row.texts, replaced + row.replaced
            offset, size = offset + len(data), size + len(data)
            if len(found) >= ROWS or size >= segmentation.BLOCK_BYTES:
                yield Rows(found, replaced)
                size, found, replaced = 0, [], 0
    yield Rows(found, replaced)


def _line(path: Path, data: bytes, config: DataConfig, *, offset: int, number: int) -> Rows:
    where = f"line {number} at offset {offset}"
    if len(data) > MOST_LINE_BYTES:
        raise DamagedError(f"{path}, {where}, has more than {MOST_LINE_BYTES:,} bytes: convert it to plain text")
    strict = config.decode_errors is DecodeErrors.strict
    text, _ = decoded(path, data, strict=strict, final=True, offset=offset, line=number)
    fresh = 0 if strict else text.count("\ufffd") - data.count("\ufffd".encode()) + text.count("\0")
    text = text.removeprefix("\ufeff" if number == 1 else "").replace("\0", "\ufffd")
    if not text or text.isspace():
        return Rows([], fresh)
    row = _row(_parsed(path, text, where), path, where, config)
    return row._replace(replaced=row.replaced + fresh)


def _array(path: Path, config: DataConfig) -> Iterator[Rows]:
    """Read a file that is one list of objects, which is held in memory as a whole."""
    with reading(path):
        if (size := path.stat().st_size) > MOST_ARRAY_BYTES:
            raise UsageError(f"{path} is one JSON array of {size:,} bytes: convert it to .jsonl, one object per line")
    parts = list(blocks(path, config.decode_errors))
    values = _parsed(path, "".join(part.text for part in parts), "the array")
    yield Rows([], sum(part.replaced for part in parts))
    for number, value in enumerate(values, 1):
        yield _row(value, path, f"row {number}", config)


def _parsed(path: Path, text: str, where: str) -> Any:
    try:
        return JSON.decode(text)
    except json.JSONDecodeError as error:
        raise DamagedError(f"{path} cannot be read as JSON: {where}, character {error.pos}: {error.msg}") from error
    except (ValueError, RecursionError) as error:  # a number is too large, or the nesting too deep
        raise DamagedError(f"{path} cannot be read as JSON: {where}: {first_line(error)}") from error


def _row(value: Any, path: Path, where: str, config: DataConfig) -> Rows:
    column = config.text_column
    if not isinstance(value, dict):
        raise UsageError(f'{path}, {where}, is not an object: a document is {{"{column}": "…"}}')
    if column not in value:
        raise no_column(f"{path}, {where},", column, value)
    found = texts([value[column]], column, f"{path}, {where}")
    if not found or found[0].isascii() or not (lone := SURROGATE.findall(found[0])):
        return Rows(found, 0)
    if config.decode_errors is DecodeErrors.strict:
        raise DamagedError(
            f"{path}, {where}: \\u{ord(lone[0]):04x} is half of a character; data.decode_errors=replace skips it"
        )
    return Rows([SURROGATE.sub("\ufffd", found[0])], len(lone))


# Parquet


def _parquet(path: Path, config: DataConfig) -> Iterator[Rows]:
    import pyarrow.parquet  # type: ignore[import-untyped]

    column = config.text_column
    try:
        with path.open("rb") as file:
            found = pyarrow.parquet.ParquetFile(file, page_checksum_verification=True)
            if column not in found.schema_arrow.names:
                raise no_column(str(path), column, found.schema_arrow.names)
            first = 1
            for batch in found.iter_batches(batch_size=ROWS, columns=[column]):
                yield _cells(path, batch.column(0), config, first=first)
                first += batch.num_rows
    except CommandError:
        raise
    except Exception as error:  # pyarrow raises many types
        if isinstance(error, OSError) and error.errno is not None:  # of the system; those of pyarrow have no errno
            raise UsageError(f"cannot read {path}: {error.strerror}") from error
        raise DamagedError(f"{path} cannot be read as Parquet: {first_line(error)}") from error


def estimate_parquet_text(path: Path, config: DataConfig) -> int:
    """Return about how many bytes of text a Parquet file holds, from its first rows and its number of rows."""
    import pyarrow.parquet

    rows = next(_parquet(path, config), Rows([], 0)).texts
    sampled = sum(len(text.encode("utf-8", "replace")) for text in rows)
    return round(sampled / max(1, len(rows)) * pyarrow.parquet.read_metadata(path).num_rows)


def _cells(path: Path, cells: Any, config: DataConfig, *, first: int) -> Rows:
    """Return the texts of some rows; `first` is the number of the first row."""
    column, replaced = config.text_column, 0
    try:
        return Rows(texts(cells.to_pylist(), column, str(path)), 0)
    except UnicodeDecodeError:
        pass
    found: list[str] = []
    for number, cell in enumerate(cells, first):
        try:
            found += texts([cell.as_py()], column, str(path))
        except UnicodeDecodeError as error:
            if config.decode_errors is DecodeErrors.strict:
                raise DamagedError(
                    f"{path}, row {number}, is not UTF-8 text: byte 0x{error.object[error.start]:02x} at offset "
                    f"{error.start} of column {column!r}; data.decode_errors=replace skips it"
                ) from error
            text = error.object.decode(errors="replace")
            replaced += text.count("\ufffd") - error.object.count("\ufffd".encode())
            found.append(text)
    return Rows(found, replaced)
