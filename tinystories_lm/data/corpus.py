"""A corpus as a stream of documents: local files, a dataset of the hub, or the project's own stories.

White space around a document is no part of it, and a line ends in LF: the same stories give the same tokens
whichever form they come in. Nothing else is changed: a lone CR, U+2028 and decomposed accents stay.
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
from tinystories_lm.data.segmentation import Chunk, at_separators, at_titles, documents_of_rows, held_out, normalise
from tinystories_lm.data.table_reader import ROWS, Rows, file_rows, first_line, no_column, texts
from tinystories_lm.data.text_reader import Block, blocks, reading
from tinystories_lm.system.errors import DamagedError, UsageError
from tinystories_lm.system.hashing import remembered_sha256

RULES_VERSION = 1  # of what makes a document, here below: raise it when the same files would give others
VALIDATION_SHARE = 0.02  # of grammar_bytes
VALIDATION_BYTES = 200_000  # at least


class Split(StrEnum):
    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


FORMATS = dict.fromkeys((".txt", ".text", ".tokens", ""), "text")
FORMATS |= {".jsonl": "json", ".json": "json", ".parquet": "parquet"}
COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip", ".7z", ".tar", ".tgz")
HOW_TO_BRING = "name a file or a folder of train*, valid* and test* files (.txt, .jsonl, .parquet): data.path=FOLDER"


class File(NamedTuple):
    path: Path
    format: str  # "text", or what `datasets` calls it


def documents(config: DataConfig, split: Split) -> Iterator[str]:
    """The split's documents, whole. What may be longer than memory is better read with pieces()."""
    parts = []
    for text, ends_document in pieces(config, split):
        parts.append(text)
        if ends_document:
            yield "".join(parts)
            parts.clear()


def pieces(config: DataConfig, split: Split) -> Iterator[Chunk]:
    """The split's documents in pieces that a tokenizer takes in its stride; memory does not grow with the corpus.

    A document is cut only before white space that follows a word, where GPT-2's pre-tokenizer cuts as well: its
    tokens are the same, but for "words" of more than PIECE_CHARS.

    Raises UsageError where there is no such corpus or split, DamagedError for broken files.
    """
    if config.path is not None:
        files = _local_files(Path(config.path))
        if isinstance(files, File):
            whole = normalise(_local([files], config))
            yield from held_out(whole, config.held_out_fraction, for_validation=split is Split.VALIDATION)
        elif split in files:
            yield from normalise(_local(files[split], config))
    elif config.source is Source.grammar:
        yield from normalise(_grammar(config, split))
    else:
        yield from normalise(documents_of_rows(_hub_rows(config, split), config))


def splits(config: DataConfig) -> list[Split]:
    """The splits there are: training and validation always, test where the corpus has one.

    Raises UsageError where one of the two is missing.
    """
    if config.path is not None:
        files = _local_files(Path(config.path))
        return list(files) if isinstance(files, dict) else [Split.TRAIN, Split.VALIDATION]
    if config.source is Source.grammar:
        return [Split.TRAIN, Split.VALIDATION]
    names = list(_hub_dataset(config))
    if missing := {Split.TRAIN, Split.VALIDATION}.difference(names):
        raise UsageError(f"{config.hub_path} has no split {' and no '.join(sorted(missing))}: it has {names}")
    return [split for split in Split if split in names]


def file_names(config: DataConfig) -> dict[Split, list[str]]:
    """What of a folder is read as which split: two releases of a corpus may lie in one."""
    files = {} if config.path is None else _local_files(Path(config.path))
    if isinstance(files, File):
        return {}
    return {split: [file.path.name for file in found] for split, found in files.items()}


def file_sizes(config: DataConfig) -> dict[Split, int]:
    """Bytes of each split of a local corpus; one file counts as training text."""
    assert config.path is not None
    found = _local_files(Path(config.path))
    files = found if isinstance(found, dict) else {Split.TRAIN: [found]}
    with reading(Path(config.path)):
        return {split: sum(file.path.stat().st_size for file in parts) for split, parts in files.items()}


def training_bytes(config: DataConfig) -> int:
    """About how much training text there is, without reading it."""
    if config.path is not None:
        return file_sizes(config)[Split.TRAIN]
    if config.source is Source.grammar:
        return config.grammar_bytes
    return int(_hub_dataset(config)[Split.TRAIN].data.nbytes)


def replaced(config: DataConfig, split: Split) -> int:
    """Places of invalid UTF-8 that the split's files have and data.decode_errors=replace made U+FFFD.

    Those of a single file, from which the validation text is cut, count as the training text's.
    """
    if config.path is None or config.decode_errors is DecodeErrors.strict:
        return 0
    files = _local_files(Path(config.path))
    if isinstance(files, File):
        files = {Split.TRAIN: [files]}
    found = files.get(split, [])
    return sum(part.replaced for file in found for part in _parts(file, config))


def fingerprint(config: DataConfig, *, notes: Path) -> str:
    """A sha256 over all that decides the documents: contents, not places, and no setting without an effect.

    notes: where the hashes of large unchanged files are remembered.
    """
    identity: dict[str, Any] = {"rules": RULES_VERSION}
    if config.path is not None:
        files = _local_files(Path(config.path))
        if isinstance(files, File):
            identity["held_out_fraction"] = config.held_out_fraction
            files = {Split.TRAIN: [files]}
        for split, found in files.items():
            identity[split] = [[file.format for file in found], _hashes((file.path for file in found), notes)]
        identity["text"] = [config.boundary, config.decode_errors.value]
        if any(file.format != "text" for found in files.values() for file in found):
            identity["column"] = config.text_column
    elif config.source is Source.grammar:
        from tinystories_lm.data.grammar.grammar import GRAMMAR_IDENTITY

        identity["grammar"] = [config.grammar_seed, config.grammar_bytes, *GRAMMAR_IDENTITY]
    elif not config.hub_path:
        raise UsageError(f"data.hub_path is empty: name a dataset of the hub, or {HOW_TO_BRING}")
    else:
        identity["hub"] = [config.hub_name, config.text_column, config.boundary]
        if (folder := Path(config.hub_path)).is_dir():
            identity["hub"] += _hashes((path for path in sorted(folder.rglob("*")) if path.is_file()), notes)
        else:
            identity["hub"] += [config.hub_path, config.hub_revision]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def _hashes(paths: Iterable[Path], notes: Path) -> list[str]:
    with reading(Path("the corpus")):
        return [remembered_sha256(path, notes).sha256 for path in paths]


# Local files


def _local_files(path: Path) -> File | dict[Split, list[File]]:
    """The one file, or the files of each split of a folder, by name."""
    with reading(path):
        if path.is_file() and path.suffix.lower() in COMPRESSED:
            raise UsageError(f"data.path={path} is compressed: unpack it first")
        if path.is_file():
            return File(path, FORMATS.get(path.suffix.lower(), "text"))
        if not path.is_dir():
            raise UsageError(f"data.path={path} {_what_else(path)}: {HOW_TO_BRING}")
        entries = sorted(path.iterdir())
        names = [entry.name for entry in entries if entry.is_file()]
    files: dict[Split, list[File]] = {}
    for split in Split:
        found = [name for name in names if _split_of(name) is split and Path(name).suffix.lower() in FORMATS]
        if found:
            files[split] = [File(path / name, FORMATS[Path(name).suffix.lower()]) for name in found]
        elif split is not Split.TEST:
            seen = [entry.name if entry.name in names else f"{entry.name} ({_what_else(entry)})" for entry in entries]
            listed = ", ".join(seen[:8]) + ", …" * (len(seen) > 8)
            raise UsageError(
                f"data.path={path} has no {split[:5]}* file ending in .txt, .text, .tokens, .jsonl, .json or .parquet "
                f"(unpacked, in the folder itself); it has {listed or 'no files'}"
            )
    return files


def _what_else(path: Path) -> str:
    """What a path is that is no file."""
    if path.is_dir():
        return "is a folder"
    if path.exists():
        return "is a pipe or a device, no file"
    return f"is a link to {path.readlink()}, which is not there" if path.is_symlink() else "does not exist"


def _split_of(name: str) -> Split | None:
    """Whose name a file begins with, train-1.txt, or has as a part: wiki.valid.tokens, TinyStoriesV2-GPT4-valid.txt."""
    if name.startswith("."):
        return None
    parts = re.split(r"[._-]", name.lower())
    for split in Split:
        if parts[0].startswith(split[:5]):
            return split
    exact = {"val": Split.VALIDATION, "valid": Split.VALIDATION} | {str(split): split for split in Split}
    return next((exact[part] for part in parts if part in exact), None)


def _local(files: list[File], config: DataConfig) -> Iterator[Chunk]:
    for format_, group in itertools.groupby(files, key=lambda file: file.format):
        if format_ == "text":
            for file in group:
                parts = (block.text for block in blocks(file.path, config.decode_errors))
                yield from at_titles(parts) if config.boundary is Boundary.wikitext else at_separators(parts)
        else:  # an article of WikiText may go on in the next file
            rows = (rows.texts for file in group for rows in file_rows(file.path, file.format, config))
            yield from documents_of_rows(rows, config)


def _parts(file: File, config: DataConfig) -> Iterator[Block] | Iterator[Rows]:
    if file.format == "text":
        return blocks(file.path, config.decode_errors)
    return file_rows(file.path, file.format, config)


# The hub and the grammar


def _hub_dataset(config: DataConfig) -> Any:
    """The dataset of that name and revision, downloaded once and then kept by `datasets`, by split."""
    import datasets

    corpus = f"the corpus {config.name} ({config.hub_path})"
    revision = None if Path(config.hub_path).is_dir() else config.hub_revision or None
    try:
        return datasets.load_dataset(config.hub_path, config.hub_name or None, revision=revision)
    except datasets.exceptions.DatasetGenerationError as error:
        raise DamagedError(f"{corpus} has a damaged file: {first_line(error.__cause__ or error)}") from error
    except Exception as error:  # no network, no such dataset, refused, not enough disk: each has its own
        raise UsageError(
            f"cannot load {corpus} from the Hugging Face hub ({first_line(error)}): "
            f"where there is no network, {HOW_TO_BRING}"
        ) from error


def _hub_rows(config: DataConfig, split: Split) -> Iterator[list[str]]:
    found = _hub_dataset(config)
    if split in found:
        for batch in found[split].iter(batch_size=ROWS):
            if config.text_column not in batch:
                raise no_column(config.hub_path, config.text_column, batch)
            yield texts(batch[config.text_column], config.text_column, config.hub_path)


def _grammar(config: DataConfig, split: Split) -> Iterator[Chunk]:
    from tinystories_lm.data.grammar.grammar import stories

    seed, n_bytes = config.grammar_seed, config.grammar_bytes
    wanted = {Split.TRAIN: (seed, n_bytes)}
    wanted[Split.VALIDATION] = (~seed, max(int(VALIDATION_SHARE * n_bytes), VALIDATION_BYTES))  # no training text's
    for text in stories(*wanted[split]) if split in wanted else ():
        yield Chunk(text, True)
