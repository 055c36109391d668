"""The token cache holds exactly the corpus, is built once and as a whole, and is never read when damaged."""

import errno
import json
import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.test_corpus import (
    REAL_DATA,
    REPOSITORY,
    data_config,
    folder_of,
    jsonl,
    needs_real_data,
    read,
    write_parquet,
)
from tinystories_lm.config.choices import DecodeErrors
from tinystories_lm.config.schema import DataConfig
from tinystories_lm.data import cache_header, encoding, token_cache, tokenizer
from tinystories_lm.data.corpus import Split
from tinystories_lm.data.token_cache import TokenCache, open_cache, prepare
from tinystories_lm.data.tokenizer import END_OF_TEXT, load_tokenizer, train_tokenizer
from tinystories_lm.system.errors import CannotReadError, CannotWriteError, DamagedError, NewerFormatError, UsageError
from tinystories_lm.system.hashing import sha256_of
from tinystories_lm.system.json_files import seal


def some_stories(count: int = 200, seed: int = 0) -> list[str]:
    choose = random.Random(seed).choice
    who, how, what = ["Tom", "Mia", "Zoë"], ["red", "big", "old"], ["ball", "cat", "猫"]
    where, mood = ["garden", "house", "forest"], ["happy", "sad", "afraid"]
    return [
        f"One day, {choose(who)} saw a {choose(how)} {choose(what)} in the {choose(where)}.\n\n"
        f"She was {choose(mood)}. The end."
        for _ in range(count)
    ]


TRAIN, VALID = some_stories(), some_stories(30, seed=1)


@pytest.fixture
def config(tmp_path: Path) -> DataConfig:
    text = ["\n<|endoftext|>\n".join(stories) for stories in (TRAIN, VALID)]
    return data_config(path=folder_of(tmp_path / "corpus", *text), cache_dir=tmp_path / "cache")


def content(found: TokenCache) -> dict[str, Any]:
    """Return all that a run reads of a cache, without its folder."""
    splits = {split: (part.tokens.tolist(), part.documents, part.bytes) for split, part in found.splits.items()}
    return {"tokenizer": found.tokenizer_sha256, "vocab_size": found.vocab_size, "splits": splits}


def start(config: DataConfig, before: str = "") -> "subprocess.Popen[str]":
    """Start prepare() in a process of its own, which prints its log."""
    program = (
        "import logging, resource, sys, time\n"
        "from tests.data.test_corpus import data_config\n"
        "from tinystories_lm.data import token_cache\n"
        f"logging.basicConfig(level=logging.INFO, stream=sys.stdout)\n{before}\n"
        f"config = data_config(path={config.path!r}, cache_dir={config.cache_dir!r})\n"
        "print(token_cache.prepare(config).tokenizer_sha256)\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_tokens_are_the_documents_each_followed_by_end_of_text(config: DataConfig) -> None:
    found = prepare(config)
    tokenizer = load_tokenizer(found.folder / "tokenizer.json")
    assert found.vocab_size == tokenizer.get_vocab_size() == config.vocab_size
    for split, stories in ((Split.TRAIN, TRAIN), (Split.VALIDATION, VALID)):
        part = found.splits[split]
        assert part.tokens.dtype == np.uint16
        assert not part.tokens.flags.writeable
        text = tokenizer.decode(part.tokens.tolist(), skip_special_tokens=False)
        assert text == "".join(story + END_OF_TEXT for story in stories)
        assert part.documents == len(stories)
        assert part.bytes == sum(len(story.encode()) for story in stories)


def test_a_long_document_ends_once(config: DataConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "BATCH_CHARS", 3000)
    story = " ".join(TRAIN)
    found = prepare(data_config(path=folder_of(tmp_path / "long", story, "v v"), cache_dir=config.cache_dir))
    part = found.splits[Split.TRAIN]
    assert (part.documents, int((part.tokens == 0).sum()), int(part.tokens[-1])) == (1, 1, 0)
    assert load_tokenizer(found.folder / "tokenizer.json").decode(part.tokens.tolist()) == story


def test_text_json_parquet_crlf_and_bom_give_the_same_tokens(config: DataConfig, tmp_path: Path) -> None:
    want = content(prepare(config))
    folder_of(tmp_path / "jsonl", jsonl(TRAIN), jsonl(VALID), ".jsonl")
    write_parquet(tmp_path / "parquet" / "train.parquet", text=TRAIN)
    write_parquet(tmp_path / "parquet" / "valid.parquet", text=VALID)
    crlf = ["\ufeff" + "<|endoftext|>".join(stories).replace("\n", "\r\n") for stories in (TRAIN, VALID)]
    folder_of(tmp_path / "crlf", *crlf)
    for name in ("jsonl", "parquet", "crlf"):
        assert content(prepare(data_config(path=tmp_path / name, cache_dir=tmp_path / "other"))) == want, name


def test_special_text_in_a_row_is_not_the_end_of_a_document(config: DataConfig, tmp_path: Path) -> None:
    rows = [f"{story} {END_OF_TEXT} {story}" for story in TRAIN]
    folder_of(tmp_path / "rows", jsonl(rows), jsonl(VALID), ".jsonl")
    found = prepare(data_config(path=tmp_path / "rows", cache_dir=config.cache_dir)).splits[Split.TRAIN]
    assert found.documents == int((found.tokens == 0).sum()) == len(rows)


def test_a_moved_corpus_keeps_its_cache_and_a_changed_one_does_not(config: DataConfig, tmp_path: Path) -> None:
    first = prepare(config)
    moved = Path(config.path or "").rename(tmp_path / "moved")
    again = data_config(path=moved, cache_dir=config.cache_dir)
    assert prepare(again).folder == first.folder
    assert prepare(data_config(path=moved, cache_dir=config.cache_dir, vocab_size=280)).folder != first.folder
    (moved / "train.txt").write_text((moved / "train.txt").read_text().replace("Tom", "Tim", 1))
    changed = prepare(again)
    assert changed.folder != first.folder
    assert content(changed) != content(first)


def test_a_ready_cache_opens_fast_and_without_heavy_imports(config: DataConfig) -> None:
    prepare(config)
    program = (
        "import sys, time; began = time.perf_counter()\n"
        "from tests.data.test_corpus import data_config\n"
        "from tinystories_lm.data.token_cache import prepare\n"
        f"prepare(data_config(path={config.path!r}, cache_dir={config.cache_dir!r}))\n"
        "assert not {'datasets', 'torch', 'pyarrow'} & set(sys.modules), sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", program.replace("tests.data.test_corpus", "config_here")], check=True,
                   env=os.environ | {"PYTHONPATH": str(helper_without_pytest(Path(config.cache_dir)))})  # fmt: skip
    seconds = []
    for _ in range(5):  # the fastest: other processes may have the core
        began = time.perf_counter()
        prepare(config)
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 0.3


def helper_without_pytest(folder: Path) -> Path:
    """Write data_config into a module that imports neither pytest nor hypothesis."""
    import inspect

    head = "from pathlib import Path\nfrom typing import Any\nfrom tinystories_lm.config.schema import *\n"
    (folder / "config_here.py").write_text(head + inspect.getsource(data_config))
    return folder


def test_processes_that_want_the_same_cache_build_it_once(config: DataConfig) -> None:
    slow = "encode = token_cache._encode\ntoken_cache._encode = lambda *a, **k: (time.sleep(0.3), encode(*a, **k))[1]"
    outputs = [process.communicate(timeout=60)[0] for process in [start(config, slow) for _ in range(3)]]
    assert sum("tokenizer: training" in output for output in outputs) == 1, outputs
    assert len({output.split()[-1] for output in outputs}) == 1, outputs
    assert {output.split()[-1] for output in outputs} == {prepare(config).tokenizer_sha256}


def test_a_killed_builder_leaves_nothing_and_the_next_takes_over(config: DataConfig) -> None:
    killed = start(config, "token_cache._encode = lambda *a, **k: (print('encoding', flush=True), time.sleep(60))")
    assert killed.stdout is not None
    while killed.stdout.readline() not in ("encoding\n", ""):
        pass
    waiting = start(config)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    (left,) = Path(config.cache_dir).glob(".tmp-*")
    output, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == 0, output
    assert "tokenizer: training" in output
    assert not left.exists()
    assert open_cache(prepare(config).folder).tokenizer_sha256 == output.split()[-1]


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize("name", ["train.bin", "validation.bin", "tokenizer.json", "header.json"])
def test_a_damaged_cache_is_rebuilt_and_never_read(
    config: DataConfig, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = prepare(config)
    want, path = content(first), first.folder / name
    whole = path.read_bytes()
    damages = [flipped(whole, place) for place in (0, len(whole) // 2, len(whole) - 2)]
    damages += [whole[:size] for size in (0, 1, len(whole) // 2, len(whole) - 2)]
    for damage in (*damages, whole + b"\0\0", None):
        path.unlink()
        if damage is not None:
            path.write_bytes(damage)
        with pytest.raises(DamagedError):
            open_cache(first.folder)
        caplog.clear()
        assert content(prepare(config)) == want
        assert "rebuilding it" in caplog.text
        assert path.read_bytes() == whole, "the same corpus gives the same bytes"


def forge(folder: Path, **changes: Any) -> None:
    """Change the header, and its hash accordingly."""
    header = json.loads((folder / "header.json").read_text()) | changes
    header.pop("sha256")
    (folder / "header.json").write_text(json.dumps(header | {"sha256": seal(header)}))


def test_a_header_with_wrong_contents_is_refused(config: DataConfig) -> None:
    found = prepare(config)
    splits = json.loads((found.folder / "header.json").read_text())["splits"]
    lies: list[dict[str, Any]] = [
        {"vocab_size": int(found.splits[Split.TRAIN].tokens.max())},
        {"splits": splits | {"train": splits["train"] | {"tokens": 5}}},
        {"splits": splits | {"train": splits["validation"]}},
        {"splits": splits | {"nonsense": splits["train"]}},
        {"splits": []},
        {"key": "another"},
        {"format": "foreign"},
        {"version": "1"},
    ]
    whole = (found.folder / "header.json").read_text()
    (found.folder / "header.json").write_text(whole.replace(f'"documents": {len(TRAIN)}', '"documents": 1'))
    with pytest.raises(DamagedError, match="was changed after it was written"):
        open_cache(found.folder)
    for lie in lies:
        (found.folder / "header.json").write_text(whole)
        forge(found.folder, **lie)
        with pytest.raises(DamagedError):
            open_cache(found.folder)
    forge(found.folder, format=cache_header.FORMAT, version=cache_header.VERSION + 1)
    with pytest.raises(NewerFormatError, match=r"format 2.*reads 1"):
        prepare(config)


@pytest.mark.parametrize(
    ("data", "tokens", "says"),
    [
        (b"", 0, "0 bytes for 0 tokens"),
        (b"\1\0", 1, "2 bytes for 1 tokens"),
        (b"\1\0\2", 1, "3 bytes for 1 tokens"),
        (b"\1\0\2\0\3", 2, "5 bytes for 2 tokens"),
        (b"\1\0\x2c\1", 2, "has token 300, but its tokenizer has 300 entries"),
        (b"\1\0\xff\xff", 2, "has token 65535, but its tokenizer has 300 entries"),
    ],
)
def test_impossible_token_files_are_refused_although_their_hash_is_right(
    config: DataConfig, data: bytes, tokens: int, says: str
) -> None:
    folder = prepare(config).folder
    (folder / "train.bin").write_bytes(data)
    splits = json.loads((folder / "header.json").read_text())["splits"]
    splits["train"] |= {"tokens": tokens, "sha256": sha256_of(folder / "train.bin")}
    forge(folder, splits=splits)
    with pytest.raises(DamagedError, match=says):
        open_cache(folder)


def test_a_token_beyond_the_vocabulary_is_refused_while_the_cache_is_built(
    config: DataConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(*arguments: Any, **options: Any) -> Any:
        found = train_tokenizer(*arguments, **options)
        monkeypatch.setattr("tokenizers.Tokenizer.get_vocab_size", lambda self: 290)
        return found

    monkeypatch.setattr(token_cache, "train_tokenizer", train)
    with pytest.raises(DamagedError, match="the tokenizer gave token 2.., but has 290 entries"):
        prepare(config)
    assert [path.suffix for path in Path(config.cache_dir).iterdir()] == [".lock"]


def test_a_full_disk_leaves_no_cache(config: DataConfig) -> None:
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))"
    output, _ = start(config, limit).communicate(timeout=60)
    assert "CannotWriteError: cannot write" in output
    assert [path.suffix for path in Path(config.cache_dir).iterdir()] == [".lock"]
    assert content(prepare(config))["vocab_size"] == 300


def test_a_cache_folder_below_a_file_is_refused(config: DataConfig, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWriteError):
        prepare(data_config(path=config.path, cache_dir=tmp_path / "file"))


@pytest.mark.parametrize(
    ("train", "valid", "says"),
    [
        ("", "v v", "train split of test corpus has 0 tokens and needs at least 2"),
        (" \n<|endoftext|>\n", "v v", "train split of test corpus has 0 tokens and needs at least 2"),
        (" ".join(TRAIN), "", "validation split of test corpus has 0 tokens and needs at least 2"),
        ("one story", "v v", "fills only [0-9]+ entries of data.vocab_size=300"),
    ],
)
def test_too_little_text_is_refused(tmp_path: Path, train: str, valid: str, says: str) -> None:
    small = data_config(path=folder_of(tmp_path / "small", train, valid), cache_dir=tmp_path / "cache")
    with pytest.raises(UsageError, match=says):
        prepare(small)
    assert not list((tmp_path / "cache").glob("*[!k]")), "nothing but the lock is left"


def test_a_smaller_vocabulary_can_be_allowed(config: DataConfig) -> None:
    found = prepare(
        data_config(path=config.path, cache_dir=config.cache_dir, vocab_size=5000, allow_smaller_vocabulary=True)
    )
    assert 300 < found.vocab_size < 5000


def test_replaced_bytes_are_counted_in_the_header(
    config: DataConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = folder_of(tmp_path / "bad", " ".join(TRAIN).encode() + b" \xff\xfe", "v v")
    lenient = data_config(path=folder, cache_dir=config.cache_dir, decode_errors=DecodeErrors.replace)
    header = json.loads((prepare(lenient).folder / "header.json").read_text())
    assert [header["splits"][split]["replaced"] for split in ("train", "validation")] == [2, 0]
    assert "train: 2 places of invalid UTF-8" in caplog.text


def test_a_corpus_that_changes_during_the_build_is_refused(config: DataConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    encode = token_cache._encode

    def meddle(*arguments: Any, **options: Any) -> Any:
        (Path(config.path or "") / "train.txt").write_text("another")
        return encode(*arguments, **options)

    monkeypatch.setattr(token_cache, "_encode", meddle)
    with pytest.raises(DamagedError, match="changed while it was read"):
        prepare(config)


def test_the_log_reports_entries_megabytes_and_seconds(config: DataConfig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    prepare(config)
    assert "tokenizer: 300 entries from 0.0 MB in 0." in caplog.text
    assert caplog.messages[2] == "validation: encoding valid.txt"
    assert f"of {len(VALID)} documents in" in caplog.messages[3]
    assert caplog.messages[4] == "train: encoding train.txt", "both of two releases in one folder are named"


def test_a_tokenizer_learns_from_a_share_of_a_giant_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learned: list[str] = []

    def train(texts: Iterable[str], *arguments: Any, **options: Any) -> Any:
        learned.extend(texts)
        return train_tokenizer(learned, *arguments, **options)

    monkeypatch.setattr(tokenizer, "GIANT_WORD_CHARS", 100_000)
    monkeypatch.setattr(token_cache, "train_tokenizer", train)
    choose = random.Random(0)
    text = " ".join(TRAIN) + "".join(choose.choices("abcdefgh", k=500_000)) + "\n" * 500_000 + "end"
    found = prepare(data_config(path=folder_of(tmp_path / "giant", text, "v v"), cache_dir=tmp_path / "cache"))
    assert found.splits[Split.TRAIN].bytes == len(text.encode())
    assert len(" ".join(TRAIN)) + 90_000 < sum(map(len, learned)) < len(" ".join(TRAIN)) + 110_000
    assert load_tokenizer(found.folder / "tokenizer.json").decode(found.splits[Split.TRAIN].tokens.tolist()) == text


@needs_real_data
def test_real_stories_are_decoded_exactly(tmp_path: Path) -> None:
    config = data_config(path=REAL_DATA / "tinystories/valid.txt", vocab_size=4096, cache_dir=tmp_path)
    found = prepare(config)
    tokenizer = load_tokenizer(found.folder / "tokenizer.json")
    stories = read(REAL_DATA / "tinystories/valid.txt", Split.VALIDATION)
    tokens = found.splits[Split.VALIDATION].tokens.tolist()
    assert tokenizer.decode(tokens, skip_special_tokens=False) == "".join(story + END_OF_TEXT for story in stories)
    train = found.splits[Split.TRAIN]
    assert 3.8 < train.bytes / train.tokens.size < 4.3, "bytes per token; GPT-2's vocabulary has 4.06"


def test_checking_a_large_cache_takes_no_memory(config: DataConfig) -> None:
    folder, tokens = prepare(config).folder, 200_000_000
    with (folder / "train.bin").open("wb") as file:
        file.truncate(2 * tokens)
    splits = json.loads((folder / "header.json").read_text())["splits"]
    forge(
        folder,
        splits=splits | {"train": splits["train"] | {"tokens": tokens, "sha256": sha256_of(folder / "train.bin")}},
    )
    program = (
        "import resource\n"
        "from pathlib import Path\n"
        "from tinystories_lm.data.token_cache import open_cache\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"open_cache(Path({str(folder)!r}))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    kilobytes = int(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout)
    assert kilobytes < 100_000, "for 400 MB of tokens"


def test_a_single_document_cannot_be_divided(tmp_path: Path) -> None:
    path = tmp_path / "input.txt"
    path.write_text("\n\n".join(f"The cat number {number} sat." for number in range(2000)))
    with pytest.raises(UsageError, match=r"a single document.*<\|endoftext\|>"):
        prepare(data_config(path=str(path), cache_dir=str(tmp_path / "cache"), vocab_size=280))
    path.write_text(path.read_text().replace("\n\n", "\n<|endoftext|>\n"))
    prepare(data_config(path=str(path), cache_dir=str(tmp_path / "cache"), vocab_size=280))


def test_a_cache_that_may_not_be_read_is_not_rebuilt(config: DataConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    found = prepare(config)

    def refuse(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(cache_header, "read_plain", refuse)
    with pytest.raises(CannotReadError, match="it may be intact"):
        prepare(config)
    monkeypatch.undo()
    assert (found.folder / "header.json").is_file()
