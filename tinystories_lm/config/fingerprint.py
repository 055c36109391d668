"""What makes two runs the same run: the settings that move its numbers, and the text."""

import hashlib
import json
from pathlib import Path
from typing import Any

from tinystories_lm.config.choices import Kind
from tinystories_lm.config.schema import Config, settings

# Settings that came after the first runs were stored, with the value that was meant while they were not there.
ADDED_LATER: dict[str, dict[str, Any]] = {
    "data": {"published_tokens": 0, "tokenizer_bytes": 25_000_000},
    "model": {"mlp": "swiglu", "zero_init": False},
    "optimizer": {"kind": "adamw", "tuned_at_width": 0},
    "training": {
        "batch_doublings": 0,
        "rows_begin": "anywhere",
        "profile_steps": 0,
        "max_skipped_steps": 10,
        "on_write_error": "stop",
    },
    "hardware": {"residual": "float32"},
    "sampling": {"no_repeat_ngram": 0, "stop": [], "beyond_context": False},
    "tracking": {"artifacts": False},
    "verdict": {
        "least_evaluations": 3,
        "least_fall_nats": 0.5,
        "diverged_rise_nats": 1.0,
        "gap_nats": 0.2,
        "rise_nats": 0.03,
        "steep_nats": 0.1,
        "flat_nats": 0.05,
        "sated_tokens_per_parameter": 20.0,
        "glutted_tokens_per_parameter": 100.0,
        "looping_share": 0.34,
    },
}


def corpus_signature(path: str) -> object:
    """Names and sizes of a local corpus: the same after it is moved, another for another corpus.

    A cheap stand-in for its contents in the config's hash; the contents themselves are hashed when they are read.
    """
    found = Path(path)
    try:
        if found.is_dir():
            return sorted((file.name, file.stat().st_size) for file in found.iterdir() if file.is_file())
        return (found.name, found.stat().st_size)
    except OSError:
        return path


def config_hash(config: Config) -> str:
    """Eight hex digits that name the run: equal for two configs that give the same numbers.

    A setting that was added later, at the value that was meant before, leaves the name as it was.
    """
    identity = {key: value for key, (value, kind) in settings(config).items() if kind is not Kind.free}
    for section, meant in ADDED_LATER.items():
        for key, value in meant.items():
            if identity.get(f"{section}.{key}") == value:
                del identity[f"{section}.{key}"]
    if config.data.path is not None:
        identity["data.path"] = corpus_signature(config.data.path)
    return short_hash(identity)


def short_hash(value: object) -> str:
    """Eight hex digits for plain values."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
