"""Convert another program's byte-level BPE tokenizer: the end of text becomes entry 0, under the name used here."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from tokenizers import Tokenizer, pre_tokenizers

from tinystories_lm.data.tokenizer import END_OF_TEXT, END_OF_TEXT_ID
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.json_files import read_json

FILE = "tokenizer.json"
CUTS = ("Split", "Digits")  # pre-tokenizers that only split a text
# Required values in `model`, so that every text can be encoded and decodes exactly; a missing key is accepted.
MODEL_ONLY = {
    "byte_fallback": (False,),
    "dropout": (None, 0.0),
    "unk_token": (None,),
    "continuing_subword_prefix": (None, ""),
    "end_of_word_suffix": (None, ""),
}


class OwnTokenizer(NamedTuple):
    """A converted tokenizer."""

    text: str  # content of tokenizer.json
    end_token: str  # the source's name of the end-of-text token
    end_id: int  # its id there: rows 0 and `end_id` of the embedding must be swapped


def own_tokenizer(folder: Path, *, end_id: int, vocab_size: int) -> OwnTokenizer:
    """Swap entries 0 and `end_id` of the folder's vocabulary, and name the new entry 0 END_OF_TEXT.

    A tokenizer that already has this form is copied byte for byte.

    Raises UsageError naming what is not byte-level BPE, what it would add to a text, or a size other than `vocab_size`;
    DamagedError for a broken file.
    """
    path = folder / FILE
    if not path.is_file():
        raise UsageError(f"{folder} has no {FILE}: save the model's tokenizer in that format")
    try:
        return _own_tokenizer(folder, read_json(path.resolve()), end_id=end_id, vocab_size=vocab_size)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UsageError(f"{FILE} is not a byte-level BPE tokenizer: {error!r}") from error


def _own_tokenizer(folder: Path, stored: dict[str, Any], *, end_id: int, vocab_size: int) -> OwnTokenizer:
    vocabulary, added = _byte_level_vocabulary(stored)
    if len(vocabulary) != vocab_size or sorted(vocabulary.values()) != list(range(vocab_size)):
        raise UsageError(
            f"vocab_size={vocab_size}: {FILE} has {len(vocabulary)} entries, numbered to {max(vocabulary.values())}: "
            "each row of the embedding needs one entry"
        )
    end_token = next((token for token, index in vocabulary.items() if index == end_id), None)
    if end_token is None:
        raise UsageError(f"eos_token_id={end_id}: {FILE} has no such entry")
    if end_token != END_OF_TEXT and END_OF_TEXT in vocabulary:
        raise UsageError(f"eos_token_id={end_id} is {end_token}, but {FILE} has {END_OF_TEXT} as another entry")
    _refuse_additions(folder, stored)
    if (end_token, end_id) == (END_OF_TEXT, END_OF_TEXT_ID) and _is_own(stored, added):
        return OwnTokenizer((folder / FILE).read_text(encoding="utf-8"), end_token, end_id)
    return OwnTokenizer(_rewritten(stored, vocabulary, added, end_id), end_token, end_id)


def _byte_level_vocabulary(stored: dict[str, Any]) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """Return all entries with their ids, and the added tokens alone."""
    model, added = stored["model"], list(stored.get("added_tokens") or [])
    if model.get("type") != "BPE":
        raise _refused("model.type", model.get("type"), "this program reads byte-level BPE")
    for key, part in (("decoder", stored.get("decoder") or {}), ("pre_tokenizer", _last_cut(stored))):
        if part.get("type") != "ByteLevel":
            raise _refused(f"{key}.type", part.get("type"), "this program reads byte-level BPE")
    if stored.get("normalizer") is not None:
        raise _refused("normalizer.type", stored["normalizer"].get("type"), "this program does not normalise texts")
    for key, allowed in MODEL_ONLY.items():
        if model.get(key, allowed[0]) not in allowed:
            raise _refused(f"model.{key}", model[key], "this program reads byte-level BPE that can encode every text")
    vocabulary: dict[str, int] = dict(model["vocab"])
    if missing := set(pre_tokenizers.ByteLevel.alphabet()) - set(vocabulary):
        raise _refused("model.vocab", f"without {sorted(missing)[0]!r}", "each of the 256 bytes needs an entry")
    for token in added:
        if not token.get("special"):
            raise _refused("added_tokens", repr(token["content"]), "only special tokens may be added to a vocabulary")
        vocabulary[token["content"]] = token["id"]
    return vocabulary, added


def _last_cut(stored: dict[str, Any]) -> dict[str, Any]:
    """Return the pre-tokenizer, or the last of a sequence in which the others only split."""
    part = stored.get("pre_tokenizer") or {}
    *cuts, last = part["pretokenizers"] if part.get("type") == "Sequence" else [part]
    for cut in cuts:
        if cut["type"] not in CUTS:
            raise _refused("pre_tokenizer.type", cut["type"], "this program reads byte-level BPE")
    return dict(last)


def _refuse_additions(folder: Path, stored: dict[str, Any]) -> None:
    """Refuse a tokenizer that adds tokens to texts: without them the model would read unfamiliar input."""
    settings = folder / "tokenizer_config.json"
    for key in ("add_bos_token", "add_eos_token", "add_prefix_space"):
        if settings.is_file() and read_json(settings.resolve()).get(key):
            raise UsageError(f"tokenizer_config.json: {key}=true: this program adds nothing to a text")
    if _last_cut(stored).get("add_prefix_space"):
        raise _refused("pre_tokenizer.add_prefix_space", True, "this program adds nothing to a text")
    try:
        tokenizer = Tokenizer.from_str(json.dumps(stored))
    except Exception as error:  # tokenizers raises plain Exception
        raise UsageError(f"{FILE} cannot be read as a tokenizer: {error}") from error
    tokenizer.no_padding()
    if tokenizer.encode("a").ids != tokenizer.encode("a", add_special_tokens=False).ids:
        kind = stored["post_processor"].get("type")
        raise _refused("post_processor.type", kind, "it adds tokens to a text, which this program does not do")


def _is_own(stored: dict[str, Any], added: list[dict[str, Any]]) -> bool:
    """Return whether the file has only what this program's own tokenizers have."""
    extras = ("truncation", "padding", "post_processor")
    return all(stored.get(key) is None for key in extras) and any(token["id"] == END_OF_TEXT_ID for token in added)


def _rewritten(stored: dict[str, Any], vocabulary: dict[str, int], added: list[dict[str, Any]], end_id: int) -> str:
    swapped = {END_OF_TEXT_ID: end_id, end_id: END_OF_TEXT_ID}

    def renamed(token: str) -> str:
        return END_OF_TEXT if vocabulary[token] == end_id else token

    entries = {renamed(token): swapped.get(index, index) for token, index in vocabulary.items()}
    others = [token | {"id": entries[token["content"]]} for token in added if vocabulary[token["content"]] != end_id]
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    end = {"id": END_OF_TEXT_ID, "content": END_OF_TEXT, **plain, "special": True}
    changed = {
        "added_tokens": sorted([end, *others], key=lambda token: token["id"]),
        "model": stored["model"] | {"vocab": dict(sorted(entries.items(), key=lambda entry: entry[1]))},
        **dict.fromkeys(("truncation", "padding", "post_processor")),
    }
    return json.dumps(stored | changed, ensure_ascii=False, indent=2)


def _refused(key: str, value: object, why: str) -> UsageError:
    return UsageError(f"{FILE}: {key}={value}: {why}")
