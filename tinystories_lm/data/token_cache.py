"""The token cache: a corpus as token ids in plain files, in a folder named by a hash of its inputs.

A split is a `.bin` file of little-endian uint16: the ids of each document, then END_OF_TEXT. The header records each
file's size and sha256. A cache that does not match its header is rebuilt, never used.
"""

import contextlib
import hashlib
import logging
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tinystories_lm.config.choices import DecodeErrors, Source
from tinystories_lm.config.schema import DataConfig
from tinystories_lm.data.cache_header import FILE_NAME, FORMAT, VERSION, Header, SplitHeader, read_header
from tinystories_lm.data.contamination import Contamination
from tinystories_lm.data.corpus import (
    NOTES,
    Split,
    chunks,
    count_replaced,
    file_names,
    fingerprint,
    is_compressed,
    notes_of,
    splits,
    training_bytes,
)
from tinystories_lm.data.encoding import encode_all
from tinystories_lm.data.tokenizer import END_OF_TEXT, TrainingText, train_tokenizer
from tinystories_lm.system import failpoints
from tinystories_lm.system.console import progress_bar
from tinystories_lm.system.errors import CannotReadError, CannotWriteError, DamagedError, UsageError
from tinystories_lm.system.files import new_folder, remove_folder, unreadable, write_text, writing
from tinystories_lm.system.hashing import remembered_sha256, sha256_of
from tinystories_lm.system.json_files import to_json, write_sealed
from tinystories_lm.system.locks import lock

TOKENIZER_KIND = "byte-level BPE"
READ_BYTES = 1 << 24  # of tokens, read at a time
REPLACEMENT_BYTES = 3  # of U+FFFD, which stands for a byte of invalid UTF-8
LEAST_TOKENS = 2  # one to read and one to predict

log = logging.getLogger(__name__)


class TokenSplit(NamedTuple):
    tokens: NDArray[np.uint16]  # the token stream [N], mapped from its file, read-only
    documents: int
    bytes: int  # of the documents as UTF-8
    also_in_train: int  # documents that occur word for word in the training split; 0 where not counted


@dataclass(frozen=True)
class TokenCache:
    folder: Path  # also holds tokenizer.json
    fingerprint: str
    tokenizer_sha256: str
    vocab_size: int  # entries of the tokenizer as trained [V]
    splits: dict[Split, TokenSplit]


def prepare(config: DataConfig) -> TokenCache:
    """Open the token cache of a corpus; where there is none, one process builds it while others wait.

    Raises UsageError where the corpus is missing or too short, DamagedError where its files are broken,
    CannotWriteError and NewerFormatError.
    """
    try:
        found = _open_or_build(config)
    except OSError as error:  # errors of reading the corpus are UsageErrors already
        where = error.filename or config.cache_dir
        raise CannotWriteError(
            f"cannot write {where}: {error.strerror or error}: name another data.cache_dir"
        ) from error
    for split, part in found.splits.items():
        if part.also_in_train:
            log.warning(
                "%s: %s of %s documents occur word for word in the training text, so its loss will be too low",
                split, f"{part.also_in_train:,}", f"{part.documents:,}",
            )  # fmt: skip
    return found


def _open_or_build(config: DataConfig) -> TokenCache:
    source = fingerprint(config, notes=notes_of(config))
    folder = Path(config.cache_dir) / _key(config, source)
    if folder.is_dir():
        try:
            return open_cache(folder)
        except CannotReadError:
            raise
        except DamagedError:
            pass  # said under the lock
    with _exclusively(folder):
        if folder.is_dir():  # another process built it, or it is damaged
            try:
                return open_cache(folder)
            except CannotReadError:
                raise
            except DamagedError as error:
                log.warning("%s: rebuilding it", error)
                with writing(folder):
                    remove_folder(folder)
        _remove_leftovers(folder)
        try:
            _build(config, folder, source)
        except (OSError, CannotWriteError):
            if not folder.is_dir():  # otherwise another process built it, on a file system without working locks
                raise
    return open_cache(folder)


def _key(config: DataConfig, source: str) -> str:
    """Hash all that decides a cache's contents: the corpus by its fingerprint, and the tokenizer's settings."""
    identity = [FORMAT, VERSION, TOKENIZER_KIND, source, config.vocab_size, config.allow_smaller_vocabulary]
    if _may_be_sampled(config):
        identity.append(config.tokenizer_bytes)
        if config.version > 1 and not _is_grammar(config):
            identity.append("a share of the text")  # earlier, of the files
    return hashlib.sha256(to_json(identity).encode()).hexdigest()[:16]


def open_cache(folder: Path) -> TokenCache:
    """Memory-map a cache whose bytes were all checked, now or since its last change.

    Raises DamagedError where anything differs from the header, NewerFormatError.
    """
    header = read_header(folder)
    try:
        _check_hash(folder / "tokenizer.json", header.tokenizer_sha256)
        return TokenCache(
            folder=folder,
            fingerprint=header.fingerprint,
            tokenizer_sha256=header.tokenizer_sha256,
            vocab_size=header.vocab_size,
            splits={
                split: _open_split(folder / f"{split}.bin", recorded, header.vocab_size)
                for split, recorded in header.splits.items()
            },
        )
    except OSError as error:
        raise unreadable(folder, error) from error
    except ValueError as error:
        raise DamagedError(f"{folder} is damaged: {error!r}") from error


def _open_split(path: Path, recorded: SplitHeader, vocab_size: int) -> TokenSplit:
    size = path.stat().st_size
    if size != 2 * recorded.tokens or recorded.tokens < LEAST_TOKENS:
        raise DamagedError(f"{path} has {size:,} bytes for {recorded.tokens:,} tokens of 2 bytes each")
    just_now = _check_hash(path, recorded.sha256)
    if just_now and (largest := _largest(path)) >= vocab_size:
        raise DamagedError(f"{path} has token {largest}, but its tokenizer has {vocab_size} entries")
    return TokenSplit(
        np.memmap(path, dtype="<u2", mode="r"),
        documents=recorded.documents,
        bytes=recorded.bytes,
        also_in_train=recorded.also_in_train or 0,
    )


def _largest(path: Path) -> int:
    """Return the largest token, read in parts, since mapping the whole file would count as this process's memory."""
    largest = 0
    with path.open("rb") as file:
        while part := file.read(READ_BYTES):
            largest = max(largest, int(np.frombuffer(part, dtype="<u2").max()))
    return largest


def _check_hash(path: Path, recorded: str) -> bool:
    """Check the file's hash; return whether the file was read for it, which an unchanged large file is not."""
    found, just_now = remembered_sha256(path, path.parent.with_name(NOTES))
    if found != recorded:
        raise DamagedError(f"{path} is damaged: its sha256 is {found[:16]}…, recorded is {recorded[:16]}…")
    return just_now


@contextlib.contextmanager
def _exclusively(folder: Path) -> Iterator[None]:
    """Hold the cache's lock within the block; wait for a process that holds it."""
    path = folder.with_name(f"{folder.name}.lock")
    with lock(path, wait=False) as holder:
        if holder is None:
            yield
            return
    log.info("process %s is preparing the same corpus; waiting for it", holder.get("pid", "unknown"))
    with lock(path, wait=True):
        yield


def _remove_leftovers(folder: Path) -> None:
    """Remove what a killed builder of this cache left; other caches may be in progress beside it."""
    for pattern in (f".tmp-{folder.name}-*", f".del-{folder.name}-*"):
        for leftover in folder.parent.glob(pattern):
            shutil.rmtree(leftover, ignore_errors=True)


def _build(config: DataConfig, folder: Path, source: str) -> None:
    """Write the tokenizer, the splits and the header into a folder that appears when it is complete."""
    with new_folder(folder) as new:
        found = splits(config)
        tokenizer = _train(config)
        write_text(new / "tokenizer.json", tokenizer.to_str())
        contamination, written = Contamination(), {}
        for split in sorted(found, key=lambda split: split is Split.TRAIN):  # the others are compared with it
            written[split] = _encode(config, split, tokenizer, contamination, new)
        for split in found:
            if split is not Split.TRAIN:
                count = contamination.count(split)
                written[split] = msgspec.structs.replace(written[split], also_in_train=count)
        header = Header(
            key=folder.name,
            corpus=config.name,
            fingerprint=source,
            tokenizer_sha256=sha256_of(new / "tokenizer.json"),
            vocab_size=tokenizer.get_vocab_size(),
            splits={split: written[split] for split in found},
        )
        write_sealed(new / FILE_NAME, msgspec.to_builtins(header))
        if fingerprint(config, notes=folder.with_name(NOTES)) != source:
            raise DamagedError(f"the corpus {config.name} changed while it was read: run the command again")


def _train(config: DataConfig) -> Tokenizer:
    started, chosen = time.monotonic(), TrainingText(_share_to_train_on(config))
    log.info("tokenizer: training %s entries on %s", f"{config.vocab_size:,}", config.path or config.name)
    stream = chunks(config, Split.TRAIN)
    first = next(stream, None)
    if first is None:
        raise _too_short(config, Split.TRAIN, 0)
    with progress_bar("tokenizer", 0, "B") as bar:
        tokenizer = train_tokenizer(
            chosen.choose(chain([first], stream), advance=bar.update),
            config.vocab_size,
            allow_smaller_vocabulary=config.allow_smaller_vocabulary,
        )
    entries, seconds = tokenizer.get_vocab_size(), time.monotonic() - started
    log.info("tokenizer: %s entries from %.1f MB in %.1f s", f"{entries:,}", chosen.bytes / 1e6, seconds)
    return tokenizer


def _share_to_train_on(config: DataConfig) -> float:
    """Return the share of the documents (or portions of long ones) that the tokenizer is trained on.

    `tokenizers` counts words on one core, and more text changes little: on TinyStories, vocabularies trained on 3 and
    6 MB encode the validation text in 0.42 % and 0.12 % more tokens than one trained on 12 MB.

    The text itself is counted, so that one text has one vocabulary in every format and with every line end; by
    data.version=1, its files are.
    """
    if not _may_be_sampled(config):
        return 1.0
    if config.version == 1 or _is_grammar(config):
        text_bytes = training_bytes(config)
    else:
        text_bytes = sum(len(text.encode()) for text, _ in chunks(config, Split.TRAIN))
    return min(1.0, config.tokenizer_bytes / max(1, text_bytes))


def _may_be_sampled(config: DataConfig) -> bool:
    """Return whether there may be more training text than the tokenizer is trained on; nothing is read for it."""
    if config.path is None and config.source is Source.hub:
        return True  # its size is unknown before the download
    if config.version > 1 and is_compressed(config):
        return True
    grows = config.version > 1 and config.decode_errors is DecodeErrors.replace
    return training_bytes(config) * (REPLACEMENT_BYTES if grows else 1) > config.tokenizer_bytes


def _is_grammar(config: DataConfig) -> bool:
    return config.path is None and config.source is Source.grammar


def _encode(
    config: DataConfig, split: Split, tokenizer: Tokenizer, contamination: Contamination, folder: Path
) -> SplitHeader:
    """Write the split's tokens and return their entry of the header."""
    log.info("%s: encoding %s", split, ", ".join(file_names(config, split)) or config.name)
    stream = contamination.watch(split, chunks(config, split))
    started, digest, tokens, n_documents, n_bytes = time.monotonic(), hashlib.sha256(), 0, 0, 0
    with (folder / f"{split}.bin").open("wb") as file, progress_bar(split, 0, "B") as bar:
        for part in encode_all(tokenizer, stream):
            failpoints.hit("cache.before_part", folder)
            data = part.ids.tobytes()
            file.write(data)
            digest.update(data)
            bar.update(part.bytes)
            tokens, n_bytes, n_documents = tokens + part.ids.size, n_bytes + part.bytes, n_documents + part.documents
    if tokens < LEAST_TOKENS:
        raise _too_short(config, split, tokens)
    seconds = time.monotonic() - started
    log.info("%s: %s tokens of %s documents in %.1f s", split, f"{tokens:,}", f"{n_documents:,}", seconds)
    if n_replaced := count_replaced(config, split):
        log.warning("%s: %s places of invalid UTF-8 replaced by U+FFFD", split, f"{n_replaced:,}")
    return SplitHeader(
        tokens=tokens, documents=n_documents, bytes=n_bytes, sha256=digest.hexdigest(), replaced=n_replaced
    )


def _too_short(config: DataConfig, split: Split, tokens: int) -> UsageError:
    if config.path is not None and Path(config.path).is_file():
        ends = (chunk.ends_document for chunk in chunks(config, Split.TRAIN))
        if len([*islice(filter(None, ends), 2)]) < 2:
            return UsageError(
                f"data.path={config.path} is a single document, of which nothing can be held out for validation: put a "
                f"line {END_OF_TEXT} between its documents, or name a folder with train* and valid* files"
            )
    return UsageError(
        f"the {split} split of {config.name} has {tokens} tokens and needs at least {LEAST_TOKENS}: add text"
        + (" or raise data.held_out_fraction" if split is Split.VALIDATION else "")
    )
