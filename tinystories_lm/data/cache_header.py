"""The header of a token cache: what its files are and must contain.

The keys and their order are the format on disk; caches of every version so far are format 1.
"""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from tinystories_lm.data.corpus import Split
from tinystories_lm.system.errors import DamagedError, NewerFormatError
from tinystories_lm.system.files import read_plain, unreadable
from tinystories_lm.system.json_files import from_json, seal

FORMAT = "tinystories_lm token cache"
VERSION = 1
FILE_NAME = "header.json"
Count = Annotated[int, Meta(ge=0)]


class SplitHeader(Struct, frozen=True, kw_only=True):
    """One split: a `.bin` file of token ids."""

    tokens: Count
    documents: Count
    bytes: Count  # of the documents as UTF-8
    sha256: str  # of the file
    replaced: Count = 0  # places of invalid UTF-8
    also_in_train: Count | UnsetType = UNSET  # documents that occur in the training split; UNSET where not counted


class Header(Struct, frozen=True, kw_only=True):
    """All of header.json but its seal."""

    format: str = FORMAT
    version: int = VERSION
    key: str  # name of the cache's folder
    corpus: str
    fingerprint: str
    tokenizer_sha256: str
    vocab_size: Count
    splits: dict[Split, SplitHeader]


def read_header(folder: Path) -> Header:
    """Return the header of the cache in a folder.

    Raises DamagedError where it cannot be read or was changed, NewerFormatError.
    """
    path = folder / FILE_NAME
    try:
        stored = from_json(read_plain(path))
        foreign = stored["format"] != FORMAT or not isinstance(stored["version"], int)
    except OSError as error:
        raise unreadable(path, error) from error
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"{path} cannot be read: {error!r}") from error
    if foreign:
        raise DamagedError(f"{path} is not the header of a {FORMAT}")
    if stored["version"] > VERSION:
        raise NewerFormatError(f"{path} has format {stored['version']}, this program reads {VERSION}: update it")
    recorded = stored.pop("sha256", None)
    if recorded != seal(stored) or stored.get("key") != folder.name:
        raise DamagedError(f"{path} is damaged: it was changed after it was written")
    try:
        return msgspec.convert(stored, Header)
    except msgspec.ValidationError as error:
        raise DamagedError(f"{path} is damaged: {error}") from error
