"""TEMPORARY stand-in until the real module lands."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
import hashlib
import numpy as np
from .corpus import Split, documents
from .tokenizer import *


class TokenSplit(NamedTuple):
    tokens: np.ndarray
    documents: int
    bytes: int


@dataclass(frozen=True)
class TokenCache:
    folder: Path
    fingerprint: str
    tokenizer_sha256: str
    vocab_size: int
    splits: dict


def prepare(config, *, progress=True):
    key = hashlib.sha256(str(config.path).encode()).hexdigest()[:8]
    folder = Path(config.cache_dir) / ("stub" + key)
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "tokenizer.json").exists():
        t = train_tokenizer(documents(config, Split.TRAIN), config.vocab_size)
        for s in (Split.TRAIN, Split.VALIDATION):
            ids = []
            for e in t.encode_batch(list(documents(config, s))):
                ids += e.ids + [0]
            np.array(ids, dtype=np.uint16).tofile(folder / f"{s}.bin")
        (folder / "tokenizer.json").write_text(t.to_str())
    t = load_tokenizer(folder / "tokenizer.json")
    return TokenCache(
        folder,
        "f",
        "t",
        t.get_vocab_size(),
        {
            s: TokenSplit(np.memmap(folder / f"{s}.bin", dtype=np.uint16, mode="r"), 1, 1)
            for s in (Split.TRAIN, Split.VALIDATION)
        },
    )
