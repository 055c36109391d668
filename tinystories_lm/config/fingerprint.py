"""Hash the settings that affect results: equal hashes mean the same run."""

import hashlib
import json
from pathlib import Path

from tinystories_lm.config.fields import Effect
from tinystories_lm.config.schema import SETTINGS, Config, settings


def corpus_signature(path: str) -> object:
    """Return the names and sizes of a local corpus: equal after it is moved, different for another corpus.

    In the config's hash they stand for the contents, which are hashed only when the corpus is read.
    """
    found = Path(path)
    try:
        if found.is_dir():
            return sorted((file.name, file.stat().st_size) for file in found.iterdir() if file.is_file())
        return (found.name, found.stat().st_size)
    except OSError:
        return path


def config_hash(config: Config) -> str:
    """Return eight hex digits that name the run: equal for two configs that give the same numbers.

    A setting that was added later, at the value that older runs meant, is left out: their hash stays as it was.
    """
    identity = {
        key: value
        for key, value in settings(config).items()
        if SETTINGS[key].effect is not Effect.changes_nothing and value != SETTINGS[key].before
    }
    if config.data.path is not None:
        identity["data.path"] = corpus_signature(config.data.path)
    return short_hash(identity)


def short_hash(value: object) -> str:
    """Return eight hex digits for plain values."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
