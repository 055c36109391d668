"""The token cache: a corpus as token ids in plain files, in a folder named by a hash of its inputs.

A split is a `.bin` file of little-endian uint16: the ids of each document, then END_OF_TEXT. The header records each
file's size and sha256. A cache that does not match its header is rebuilt, never used.
"""

import contextlib
import hashlib
import logging
import shutil
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tqdm import tqdm

from tinystories_lm.config.choices import Source
from tinystories_lm.config.schema import DataConfig
from tinystories_lm.data.contamination import Overlap
from tinystories_lm.data.corpus import Split, chunks, file_names, fingerprint, replaced, splits, training_bytes
from tinystories_lm.data.encoding import Encode, make_encoder
from tinystories_lm.data.segmentation import CHUNK_CHARS, Chunk
from tinystories_lm.data.tokenizer import train_tokenizer
from tinystories_lm.system import failpoints
from tinystories_lm.system.errors import CannotWriteError, DamagedError, NewerFormatError, UsageError
from tinystories_lm.system.files import new_folder, read_plain, remove_folder, write_text, writing
from tinystories_lm.system.hashing import remembered_sha256, sha256_of
from tinystories_lm.system.json_files import from_json, seal, to_json, write_sealed
from tinystories_lm.system.locks import lock
from tinystories_lm.system.processes import usable_cores

FORMAT = "tinystories_lm token cache"
VERSION = 1
NOTES = "hashes.json"  # hashes of large files, kept beside the caches; see remembered_sha256
TOKENIZER_KIND = "byte-level BPE"
READ_BYTES = 1 << 24  # of tokens, read at a time
BATCH_CHARS = 1 << 20  # of text, encoded at a time
GIANT_WORD_CHARS = (
    2_000_000  # most text without white space to train a tokenizer on; each character costs 80 bytes and 2 us
)
PORTION_CHUNKS = 64  # a longer document counts as several when a share of the corpus is chosen for training
LEAST_TOKENS = 2  # one to read and one to predict

log = logging.getLogger(__name__)


class TokenSplit(NamedTuple):
    """One split of the cache."""

    tokens: NDArray[np.uint16]  # the token stream [N], mapped from its file, read-only
    documents: int
    bytes: int  # of the documents as UTF-8
    also_in_train: int  # documents that occur word for word in the training split; 0 where not counted


@dataclass(frozen=True)
class TokenCache:
    """An open token cache."""

    folder: Path  # also holds tokenizer.json
    fingerprint: str
    tokenizer_sha256: str
    vocab_size: int  # entries of the tokenizer as trained [V]
    splits: dict[Split, TokenSplit]


def prepare(config: DataConfig, *, progress: bool = True) -> TokenCache:
    """Open the token cache of a corpus; where there is none, one process builds it while others wait.

    progress: show a bar where standard error is a terminal.

    Raises UsageError where the corpus is missing or too short, DamagedError where its files are broken,
    CannotWriteError and NewerFormatError.
    """
    try:
        found = _prepare(config, progress=progress)
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


def _prepare(config: DataConfig, *, progress: bool) -> TokenCache:
    source = fingerprint(config, notes=Path(config.cache_dir) / NOTES)
    identity = [FORMAT, VERSION, TOKENIZER_KIND, source, config.vocab_size, config.allow_smaller_vocabulary]
    on_hub = config.path is None and config.source is Source.hub  # whose size is unknown before the download
    if on_hub or _share_to_train_on(config) < 1:
        identity.append(config.tokenizer_bytes)
    key = hashlib.sha256(to_json(identity).encode()).hexdigest()[:16]
    folder = Path(config.cache_dir) / key
    if folder.is_dir():
        with contextlib.suppress(DamagedError):
            return open_cache(folder)
    with _exclusively(folder):
        if folder.is_dir():  # another process built it, or it is damaged
            try:
                return open_cache(folder)
            except DamagedError as error:
                log.warning("%s: rebuilding it", error)
                with writing(folder):
                    remove_folder(folder)
        _sweep(folder)
        try:
            _build(config, folder, source, progress=progress and sys.stderr.isatty())
        except (OSError, CannotWriteError):
            if not folder.is_dir():  # otherwise another process built it, on a file system without working locks
                raise
    return open_cache(folder)


def open_cache(folder: Path) -> TokenCache:
    """Memory-map a cache whose bytes were all checked, now or since its last change.

    Raises DamagedError where anything differs from the header, NewerFormatError.
    """
    header = _read_header(folder)
    try:
        _check_hash(folder / "tokenizer.json", header["tokenizer_sha256"])
        return TokenCache(
            folder=folder,
            fingerprint=header["fingerprint"],
            tokenizer_sha256=header["tokenizer_sha256"],
            vocab_size=header["vocab_size"],
            splits={
                Split(name): _open_split(folder / f"{name}.bin", record, header["vocab_size"])
                for name, record in header["splits"].items()
            },
        )
    except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise DamagedError(f"{folder} is damaged: {error!r}") from error


def _open_split(path: Path, record: dict[str, Any], vocab_size: int) -> TokenSplit:
    size, tokens = path.stat().st_size, record["tokens"]
    if size != 2 * tokens or tokens < LEAST_TOKENS:
        raise DamagedError(f"{path} has {size:,} bytes for {tokens:,} tokens of 2 bytes each")
    just_now = _check_hash(path, record["sha256"])
    if just_now and (largest := _largest(path)) >= vocab_size:
        raise DamagedError(f"{path} has token {largest}, but its tokenizer has {vocab_size} entries")
    return TokenSplit(
        np.memmap(path, dtype="<u2", mode="r"),
        documents=record["documents"],
        bytes=record["bytes"],
        also_in_train=record.get("also_in_train", 0),
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


def _read_header(folder: Path) -> dict[str, Any]:
    path = folder / "header.json"
    try:
        header = from_json(read_plain(path))
        foreign = header["format"] != FORMAT or not isinstance(header["version"], int)
    except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise DamagedError(f"{path} cannot be read: {error!r}") from error
    if foreign:
        raise DamagedError(f"{path} is not the header of a {FORMAT}")
    if header["version"] > VERSION:
        raise NewerFormatError(f"{path} has format {header['version']}, this program reads {VERSION}: update it")
    recorded = header.pop("sha256", None)
    if recorded != seal(header) or header.get("key") != folder.name:
        raise DamagedError(f"{path} is damaged: it was changed after it was written")
    return dict(header)


@contextlib.contextmanager
def _exclusively(folder: Path) -> Iterator[None]:
    path = folder.with_name(f"{folder.name}.lock")
    with lock(path, wait=False) as holder:
        if holder is None:
            yield
            return
    log.info("process %s is preparing the same corpus; waiting for it", holder.get("pid", "unknown"))
    with lock(path, wait=True):
        yield


def _sweep(folder: Path) -> None:
    """Remove what a killed builder of this cache left; other caches may be in progress beside it."""
    for pattern in (f".tmp-{folder.name}-*", f".del-{folder.name}-*"):
        for leftover in folder.parent.glob(pattern):
            shutil.rmtree(leftover, ignore_errors=True)


def _build(config: DataConfig, folder: Path, source: str, *, progress: bool) -> None:
    with new_folder(folder) as new:
        found = splits(config)
        tokenizer = _train(config, progress=progress)
        write_text(new / "tokenizer.json", tokenizer.to_str())
        overlap, records = Overlap(), {}
        for split in sorted(
            found, key=lambda split: split is Split.TRAIN
        ):  # the training split last: it is compared with the others
            records[split] = _encode(config, split, tokenizer, overlap, new, progress=progress)
        for split in set(found) - {Split.TRAIN}:
            records[split]["also_in_train"] = overlap.count(split)
        header = {
            "format": FORMAT,
            "version": VERSION,
            "key": folder.name,
            "corpus": config.name,
            "fingerprint": source,
            "tokenizer_sha256": sha256_of(new / "tokenizer.json"),
            "vocab_size": tokenizer.get_vocab_size(),
            "splits": {split: records[split] for split in found},
        }
        write_sealed(new / "header.json", header)
        if fingerprint(config, notes=folder.with_name(NOTES)) != source:
            raise DamagedError(f"the corpus {config.name} changed while it was read: run the command again")


def _train(config: DataConfig, *, progress: bool) -> Tokenizer:
    started, n_bytes, giant_chars = time.monotonic(), 0, 0

    share, portion, n_chunks = _share_to_train_on(config), 0, 0

    def texts(stream: Iterable[Chunk], bar: Any) -> Iterator[str]:
        nonlocal n_bytes, giant_chars, portion, n_chunks
        for text, ends_document in stream:
            place, n_chunks = portion, n_chunks + 1
            if ends_document or n_chunks == PORTION_CHUNKS:
                portion, n_chunks = portion + 1, 0
            if int((place + 1) * share) == int(place * share):  # not in the share to train on
                continue
            n_bytes += (size := len(text.encode()))
            bar.update(size)
            if len(text) >= CHUNK_CHARS and len(text.split(None, 1)) < 2:
                giant_chars += len(text)
                if giant_chars > GIANT_WORD_CHARS:
                    continue
            yield text

    log.info("tokenizer: training %s entries on %s", f"{config.vocab_size:,}", config.path or config.name)
    stream = chunks(config, Split.TRAIN)
    first = next(stream, None)
    if first is None:
        raise _too_short(config, Split.TRAIN, 0)
    with _bar("tokenizer", progress) as bar:
        tokenizer = train_tokenizer(
            texts(chain([first], stream), bar),
            config.vocab_size,
            allow_smaller_vocabulary=config.allow_smaller_vocabulary,
        )
    entries, seconds = tokenizer.get_vocab_size(), time.monotonic() - started
    log.info("tokenizer: %s entries from %.1f MB in %.1f s", f"{entries:,}", n_bytes / 1e6, seconds)
    return tokenizer


def _share_to_train_on(config: DataConfig) -> float:
    """Return the share of the documents (or portions of long ones) that the tokenizer is trained on, evenly spaced.

    `tokenizers` counts words on one core, and more text changes little: on TinyStories, vocabularies trained on 3 and
    6 MB encode the validation text in 0.42 % and 0.12 % more tokens than one trained on 12 MB.
    """
    return min(1.0, config.tokenizer_bytes / max(1, training_bytes(config)))


class Encoded(NamedTuple):
    """The tokens of some documents: the ids of each document, then END_OF_TEXT."""

    ids: NDArray[np.uint16]
    documents: int  # that end in this part
    bytes: int  # of text as UTF-8


def encode(config: DataConfig, split: Split, tokenizer: Tokenizer) -> Iterator[Encoded]:
    """Yield the split's tokens in parts of bounded size."""
    return encode_all(make_encoder(tokenizer), _batches(chunks(config, split)))


def encode_all(encode_chunks: Encode, batches: Iterable[list[Chunk]]) -> Iterator[Encoded]:
    """Encode the batches on all cores and yield the results in order; the encoder releases the GIL."""

    def encoded(batch: list[Chunk]) -> Encoded:
        return Encoded(
            encode_chunks(batch),
            documents=sum(chunk.ends_document for chunk in batch),
            bytes=sum(len(chunk.text.encode()) for chunk in batch),
        )

    workers = usable_cores()
    with ThreadPoolExecutor(workers) as pool:
        ahead: deque[Future[Encoded]] = deque()
        try:
            for batch in batches:
                ahead.append(pool.submit(encoded, batch))
                if len(ahead) > 2 * workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _encode(
    config: DataConfig, split: Split, tokenizer: Tokenizer, overlap: Overlap, folder: Path, *, progress: bool
) -> dict[str, int | str]:
    """Write the split's tokens and return their entry of the header."""
    log.info("%s: encoding %s", split, ", ".join(file_names(config).get(split, [])) or config.name)
    batches = _batches(overlap.watch(split, chunks(config, split)))
    started, digest, tokens, n_documents, n_bytes = time.monotonic(), hashlib.sha256(), 0, 0, 0
    with (folder / f"{split}.bin").open("wb") as file, _bar(split, progress) as bar:
        for part in encode_all(make_encoder(tokenizer), batches):
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
    n_replaced = replaced(config, split)
    if n_replaced:
        log.warning("%s: %s places of invalid UTF-8 replaced by U+FFFD", split, f"{n_replaced:,}")
    return {
        "tokens": tokens,
        "documents": n_documents,
        "bytes": n_bytes,
        "sha256": digest.hexdigest(),
        "replaced": n_replaced,
    }


def _batches(stream: Iterable[Chunk]) -> Iterator[list[Chunk]]:
    batch, chars = [], 0
    for chunk in stream:
        batch.append(chunk)
        chars += len(chunk.text)
        if chars >= BATCH_CHARS:
            yield batch
            batch, chars = [], 0
    if batch:
        yield batch


def _bar(name: str, shown: bool) -> Any:
    return tqdm(desc=name, unit="B", unit_scale=True, file=sys.stderr, disable=not shown, leave=False, mininterval=0.5)


def _too_short(config: DataConfig, split: Split, tokens: int) -> UsageError:
    return UsageError(
        f"the {split} split of {config.name} has {tokens} tokens and needs at least {LEAST_TOKENS}: add text"
        + (" or raise data.held_out_fraction" if split is Split.VALIDATION else "")
    )
