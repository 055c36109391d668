"""Read UTF-8 text in blocks of bounded size, and locate invalid bytes by offset and line."""

import codecs
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tinystories_lm.config.choices import DecodeErrors
from tinystories_lm.data import segmentation
from tinystories_lm.system.errors import DamagedError, UsageError

# First bytes of files that are not text, whatever their name.
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
HOW_TO_PROVIDE = "name a file or a folder of train*, valid* and test* files (.txt, .jsonl, .parquet): data.path=FOLDER"
HEAD_BYTES = 16  # length of the longest of them, at least


class Block(NamedTuple):
    """A part of a file's text, without a byte-order mark and with LF line ends."""

    text: str
    replaced: int  # invalid places, replaced by U+FFFD


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Raise UsageError in one line where the system cannot read `path`."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"cannot read {error.filename or path}: {error.strerror or error}") from error


def blocks(path: Path, decode_errors: DecodeErrors) -> Iterator[Block]:
    """Yield the file's text. A NUL counts as invalid, because it indicates UTF-16.

    Raises DamagedError at the first invalid byte unless it is to be replaced, UsageError where the file cannot be read.
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
            if read and text.endswith("\r"):  # possibly the first half of CR LF
                text, used = text[:-1], used - 1
            fresh = text.count("\ufffd") - data.count("\ufffd".encode(), 0, used) + text.count("\0")
            yield Block(text.replace("\r\n", "\n").replace("\0", "\ufffd"), fresh)
            if not read:
                return
            offset, line, data = offset + used, line + data.count(b"\n", 0, used), data[used:]


def refuse_foreign(path: Path, head: bytes) -> None:
    """Raise DamagedError for a file whose first bytes identify another format."""
    for mark, kind in FOREIGN.items():
        if head.startswith(mark):
            raise DamagedError(f"{_not_text(path, head, 0, offset=0, line=1)}: it looks like {kind}")


def decoded(path: Path, data: bytes, *, strict: bool, final: bool, offset: int, line: int) -> tuple[str, int]:
    """Decode bytes that start at `offset` and `line` of the file; return the text and the number of bytes used."""
    bad = data.find(b"\0") if strict else -1
    why = ", a NUL: if it is UTF-16, save it as UTF-8" if bad >= 0 else ""
    try:
        text, used = codecs.utf_8_decode(data, "strict" if strict else "replace", final)
    except UnicodeDecodeError as error:
        if bad < 0 or error.start < bad:
            bad, why = error.start, ""
    if bad >= 0:
        raise DamagedError(
            f"{_not_text(path, data, bad, offset=offset, line=line)}{why}; data.decode_errors=replace skips it"
        )
    return text, used


def _not_text(path: Path, data: bytes, bad: int, *, offset: int, line: int) -> str:
    return (
        f"{path} is not UTF-8 text: byte 0x{data[bad]:02x} at offset {offset + bad}, "
        f"line {line + data.count(bytes([10]), 0, bad)}"
    )
