"""Plain text from a file: UTF-8 in blocks of bounded size, and where it is none, in which byte of which line."""

import codecs
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tinystories_lm.config.choices import DecodeErrors
from tinystories_lm.data import segmentation
from tinystories_lm.system.errors import DamagedError, UsageError

# How a file begins that is no text whatever its name: replacing its bytes would give nothing to learn from.
FOREIGN = {
    b"\xff\xfe\0\0": "UTF-32: save it as UTF-8",
    b"\xff\xfe": "UTF-16: save it as UTF-8",
    b"\xfe\xff": "UTF-16: save it as UTF-8",
    b"\x1f\x8b": "gzip: unpack it",
    b"\x28\xb5\x2f\xfd": "zstd: unpack it",
    b"\xfd7zXZ\0": "xz: unpack it",
    b"BZh91AY&SY": "bzip2: unpack it",
    b"PK\3\4": "zip: unpack it",
    b"PAR1\x15": "Parquet: name it .parquet",
    b"%PDF-1.": "PDF: save it as text",
}
HEAD_BYTES = 16  # enough for each of them


class Block(NamedTuple):
    """Some text of a file, without a BOM at its start and with LF at line ends."""

    text: str
    replaced: int  # places that are U+FFFD because they were no text


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn the system's refusal to read `path` into one clear line."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"cannot read {error.filename or path}: {error.strerror or error}") from error


def blocks(path: Path, decode_errors: DecodeErrors) -> Iterator[Block]:
    """The file's text. A NUL is none: it tells of UTF-16.

    Raises DamagedError at the first byte that is no text, or has it replaced; UsageError where it cannot be read.
    """
    strict = decode_errors is DecodeErrors.strict
    with reading(path), path.open("rb") as file:
        data = file.read(HEAD_BYTES)
        refuse_foreign(path, data)
        bom = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
        data, offset, line = data[bom:], bom, 1
        while True:
            read = file.read(segmentation.BLOCK_BYTES)
            data += read
            text, used = decoded(path, data, strict=strict, final=not read, offset=offset, line=line)
            if read and text.endswith("\r"):  # perhaps half of a line's end
                text, used = text[:-1], used - 1
            fresh = text.count("\ufffd") - data.count("\ufffd".encode(), 0, used) + text.count("\0")
            yield Block(text.replace("\r\n", "\n").replace("\0", "\ufffd"), fresh)
            if not read:
                return
            offset, line, data = offset + used, line + data.count(b"\n", 0, used), data[used:]


def refuse_foreign(path: Path, head: bytes) -> None:
    """Raises DamagedError for a file that begins as no text does."""
    for mark, kind in FOREIGN.items():
        if head.startswith(mark):
            raise DamagedError(f"{_no_text(path, head, 0, offset=0, line=1)}: it looks like {kind}")


def decoded(path: Path, data: bytes, *, strict: bool, final: bool, offset: int, line: int) -> tuple[str, int]:
    """The text of some bytes that stand at this offset and line of the file, and how many of them it takes."""
    bad = data.find(b"\0") if strict else -1
    why = ", a NUL: if it is UTF-16, save it as UTF-8" if bad >= 0 else ""
    try:
        text, used = codecs.utf_8_decode(data, "strict" if strict else "replace", final)
    except UnicodeDecodeError as error:
        if bad < 0 or error.start < bad:
            bad, why = error.start, ""
    if bad >= 0:
        raise DamagedError(
            f"{_no_text(path, data, bad, offset=offset, line=line)}{why}; data.decode_errors=replace reads over it"
        )
    return text, used


def _no_text(path: Path, data: bytes, bad: int, *, offset: int, line: int) -> str:
    return (
        f"{path} is no UTF-8 text: byte 0x{data[bad]:02x} at offset {offset + bad}, "
        f"line {line + data.count(bytes([10]), 0, bad)}"
    )
