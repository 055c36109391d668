"""Read a corpus as a stream of documents: local files, a dataset of the hub, or the built-in stories.

The white space around a document is stripped and lines end in LF, so that the same stories give the same tokens in
every file format. Nothing else is changed: a lone CR, U+2028 and decomposed accents stay.
"""

import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from tinystories_lm.config.choices import Boundary, DecodeErrors, Source
from tinystories_lm.config.schema import DataConfig
from tinystories_lm.data.hub import load_dataset
from tinystories_lm.data.segmentation import Chunk, at_separators, at_titles, documents_of_rows, held_out, normalise
from tinystories_lm.data.table_reader import ROWS, Rows, estimate_parquet_text, file_rows, no_column, texts
from tinystories_lm.data.text_reader import HOW_TO_PROVIDE, Block, blocks, reading
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.hashing import remembered_sha256

RULES_VERSION = 1  # raise it when a change here makes other documents of the same files
VALIDATION_SHARE = 0.02  # of data.grammar_bytes
NOTES = "hashes.json"  # hashes of large files, kept beside the token caches; see remembered_sha256
VALIDATION_BYTES = 200_000  # lower limit


class Split(StrEnum):
    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


FORMATS = dict.fromkeys((".txt", ".text", ".tokens", ".raw", ""), "text")
FORMATS |= {".jsonl": "json", ".json": "json", ".parquet": "parquet"}
COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip", ".7z", ".tar", ".tgz")


class LocalFiles(NamedTuple):
    """The files of a local corpus; a single one is training text, from which validation text is split off."""

    of: dict[Split, list[Path]]
    is_single: bool


def documents(config: DataConfig, split: Split) -> Iterator[str]:
    """Yield the split's documents, each as a whole; `chunks` bounds the memory."""
    parts = []
    for text, ends_document in chunks(config, split):
        parts.append(text)
        if ends_document:
            yield "".join(parts)
            parts.clear()


def chunks(config: DataConfig, split: Split) -> Iterator[Chunk]:
    """Yield the split's documents in chunks of bounded length; memory does not grow with the corpus.

    A document is cut only where GPT-2's pre-tokenizer splits too, so its tokens stay the same, except for "words" of
    more than CHUNK_CHARS.

    Raises UsageError where the corpus or the split is missing, DamagedError for broken files.
    """
    if config.path is not None:
        files = _local_files(Path(config.path))
        if files.is_single:
            whole = normalise(_local(files.of[Split.TRAIN], config))
            yield from held_out(whole, config.held_out_fraction, for_validation=split is Split.VALIDATION)
        elif split in files.of:
            yield from normalise(_local(files.of[split], config))
    elif config.source is Source.grammar:
        yield from normalise(_grammar(config, split))
    else:
        yield from normalise(documents_of_rows(_hub_rows(config, split), config))


def splits(config: DataConfig) -> list[Split]:
    """List the corpus's splits: training and validation, and test where it has one.

    Raises UsageError where training or validation is missing.
    """
    if config.path is not None:
        files = _local_files(Path(config.path))
        return [Split.TRAIN, Split.VALIDATION] if files.is_single else list(files.of)
    if config.source is Source.grammar:
        return [Split.TRAIN, Split.VALIDATION]
    names = list(load_dataset(config))
    if missing := {Split.TRAIN, Split.VALIDATION}.difference(names):
        raise UsageError(
            f"{config.hub_path} lacks the split {' and '.join(sorted(missing))}: it has {names}; name another dataset"
        )
    return [split for split in Split if split in names]


def file_names(config: DataConfig, split: Split) -> list[str]:
    """List the files of a split in a folder, which may hold several releases of a corpus."""
    if config.path is None:
        return []
    files = _local_files(Path(config.path))
    return [] if files.is_single else [file.name for file in files.of[split]]


def file_sizes(config: DataConfig) -> dict[Split, int]:
    """Return the bytes of each split of a local corpus; a single file counts as training text."""
    assert config.path is not None
    files = _local_files(Path(config.path)).of
    with reading(Path(config.path)):
        return {split: sum(file.stat().st_size for file in parts) for split, parts in files.items()}


def text_bytes(config: DataConfig) -> int:
    """Estimate the bytes of a local corpus's training text: a Parquet file is compressed, and counted by a sample."""
    assert config.path is not None
    files = _local_files(Path(config.path)).of[Split.TRAIN]
    with reading(Path(config.path)):
        return sum(
            estimate_parquet_text(path, config) if _format(path) == "parquet" else path.stat().st_size for path in files
        )


def is_compressed(config: DataConfig) -> bool:
    """Return whether a local corpus has Parquet files, which may hold more text than they have bytes."""
    if config.path is None:
        return False
    return any(_format(file) == "parquet" for file in _local_files(Path(config.path)).of[Split.TRAIN])


def training_bytes(config: DataConfig) -> int:
    """Estimate the bytes of training text without reading it."""
    if config.path is not None:
        return file_sizes(config)[Split.TRAIN]
    if config.source is Source.grammar:
        return config.grammar_bytes
    return int(load_dataset(config)[Split.TRAIN].data.nbytes)


def count_replaced(config: DataConfig, split: Split) -> int:
    """Count the invalid places in the split's files that data.decode_errors=replace turned into U+FFFD.

    Those of a single file, from which validation text is split off, count for the training split.
    """
    if config.path is None or config.decode_errors is DecodeErrors.strict:
        return 0
    files = _local_files(Path(config.path)).of.get(split, [])
    return sum(part.replaced for file in files for part in _parts(file, config))


def fingerprint(config: DataConfig, *, notes: Path) -> str:
    """Return a sha256 of everything that determines the documents: file contents (not paths) and relevant settings.

    notes: file that remembers the hashes of large unchanged files.
    """
    identity: dict[str, Any] = {"rules": RULES_VERSION}
    if config.path is not None:
        files = _local_files(Path(config.path))
        if files.is_single:
            identity["held_out_fraction"] = config.held_out_fraction
        for split, found in files.of.items():
            identity[split] = [[_format(file) for file in found], _hashes(found, notes)]
        identity["text"] = [config.boundary, config.decode_errors.value]
        if any(_format(file) != "text" for found in files.of.values() for file in found):
            identity["column"] = config.text_column
    elif config.source is Source.grammar:
        from tinystories_lm.data.grammar.grammar import GRAMMAR_IDENTITY

        identity["grammar"] = [config.grammar_seed, config.grammar_bytes, *GRAMMAR_IDENTITY]
    elif not config.hub_path:
        raise UsageError(f"data.hub_path is empty: name a dataset of the hub, or {HOW_TO_PROVIDE}")
    else:
        identity["hub"] = [config.hub_name, config.text_column, config.boundary]
        if (folder := Path(config.hub_path)).is_dir():
            identity["hub"] += _hashes((path for path in sorted(folder.rglob("*")) if path.is_file()), notes)
        else:
            identity["hub"] += [config.hub_path, config.hub_revision]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def notes_of(config: DataConfig) -> Path:
    """Return the file that remembers the hashes of large corpora."""
    return Path(config.cache_dir) / NOTES


def _hashes(paths: Iterable[Path], notes: Path) -> list[str]:
    with reading(Path("the corpus")):
        return [remembered_sha256(path, notes).sha256 for path in paths]


# Local files


def _local_files(path: Path) -> LocalFiles:
    with reading(path):
        if path.is_file() and path.suffix.lower() in COMPRESSED:
            raise UsageError(f"data.path={path} is compressed: decompress it first")
        if path.is_file():
            return LocalFiles({Split.TRAIN: [path]}, is_single=True)
        if not path.is_dir():
            raise UsageError(f"data.path={path} {_describe_other(path)}: {HOW_TO_PROVIDE}")
        entries = sorted(path.iterdir())
        names = [entry.name for entry in entries if entry.is_file()]
    files: dict[Split, list[Path]] = {}
    for split in Split:
        found = [path / name for name in names if _split_of(name) is split and Path(name).suffix.lower() in FORMATS]
        if found:
            files[split] = found
        elif split is not Split.TEST:
            seen = [
                entry.name if entry.name in names else f"{entry.name} ({_describe_other(entry)})" for entry in entries
            ]
            listed = ", ".join(seen[:8]) + ", …" * (len(seen) > 8)
            raise UsageError(
                f"data.path={path} has no {split[:5]}* file ending in .txt, .text, .tokens, .raw, .jsonl, .json or "
                f".parquet (unpacked, in the folder itself); it has {listed or 'no files'}"
            )
    return LocalFiles(files, is_single=False)


def _format(file: Path) -> str:
    return FORMATS.get(file.suffix.lower(), "text")


def _describe_other(path: Path) -> str:
    """Describe a path that is not a regular file."""
    if path.is_dir():
        return "is a folder"
    if path.exists():
        return "is a pipe or a device"
    return f"is a link to {path.readlink()}, which does not exist" if path.is_symlink() else "does not exist"


def _split_of(name: str) -> Split | None:
    """Return the split that a file name starts with (train-1.txt) or contains (wiki.valid.tokens)."""
    if name.startswith("."):
        return None
    parts = re.split(r"[._-]", name.lower())
    for split in Split:
        if parts[0].startswith(split[:5]):
            return split
    exact = {"val": Split.VALIDATION, "valid": Split.VALIDATION} | {str(split): split for split in Split}
    return next((exact[part] for part in parts if part in exact), None)


def _local(files: list[Path], config: DataConfig) -> Iterator[Chunk]:
    for format_, group in itertools.groupby(files, key=_format):
        if format_ == "text":
            for file in group:
                parts = (block.text for block in blocks(file, config.decode_errors))
                yield from at_titles(parts) if config.boundary is Boundary.wikitext else at_separators(parts)
        else:  # a WikiText article may continue in the next file
            rows = (rows.texts for file in group for rows in file_rows(file, format_, config))
            yield from documents_of_rows(rows, config)


def _parts(file: Path, config: DataConfig) -> Iterator[Block] | Iterator[Rows]:
    format_ = _format(file)
    return blocks(file, config.decode_errors) if format_ == "text" else file_rows(file, format_, config)


# The hub and the grammar


def _hub_rows(config: DataConfig, split: Split) -> Iterator[list[str]]:
    found = load_dataset(config)
    if split in found:
        for batch in found[split].iter(batch_size=ROWS):
            if config.text_column not in batch:
                raise no_column(config.hub_path, config.text_column, batch)
            yield texts(batch[config.text_column], config.text_column, config.hub_path)


def _grammar(config: DataConfig, split: Split) -> Iterator[Chunk]:
    from tinystories_lm.data.grammar.grammar import stories

    seed, n_bytes = config.grammar_seed, config.grammar_bytes
    wanted = {Split.TRAIN: (seed, n_bytes)}
    wanted[Split.VALIDATION] = (~seed, max(int(VALIDATION_SHARE * n_bytes), VALIDATION_BYTES))  # of other stories
    for text in stories(*wanted[split]) if split in wanted else ():
        yield Chunk(text, True)
