"""A corpus that is larger than the tokenizer's sample: the text alone decides the sample, not how it is stored."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.data.test_corpus import data_config, folder_of, jsonl, read, write_parquet
from tests.data.test_token_cache import TRAIN, VALID, content, some_stories
from tinystories_lm.config.schema import DataConfig
from tinystories_lm.data import token_cache
from tinystories_lm.data.corpus import Split
from tinystories_lm.data.token_cache import prepare
from tinystories_lm.data.tokenizer import train_tokenizer

STORIES = some_stories(600, seed=5)
BETWEEN = "\n<|endoftext|>\n"
SAMPLE_BYTES = 7_000  # about a tenth


def as_text(folder: Path, end: str = "\n") -> Path:
    train, valid = (BETWEEN.join(stories).replace("\n", end) for stories in (STORIES, VALID))
    folder.mkdir()
    (folder / "train.txt").write_bytes(train.encode())
    (folder / "valid.txt").write_bytes(valid.encode())
    return folder


def corpora(folder: Path) -> dict[str, Path]:
    write_parquet(folder / "parquet" / "train.parquet", text=STORIES)
    write_parquet(folder / "parquet" / "valid.parquet", text=VALID)
    return {
        "text": as_text(folder / "text"),
        "crlf": as_text(folder / "crlf", "\r\n"),
        "jsonl": folder_of(folder / "jsonl", jsonl(STORIES), jsonl(VALID), ".jsonl"),
        "parquet": folder / "parquet",
    }


def config_of(path: Path, cache: Path, **settings: int) -> DataConfig:
    return data_config(path=path, cache_dir=cache, vocab_size=320, tokenizer_bytes=SAMPLE_BYTES, **settings)


def test_one_text_has_one_vocabulary_and_the_same_ids_in_every_format(tmp_path: Path) -> None:
    found = {name: content(prepare(config_of(path, tmp_path / "c"))) for name, path in corpora(tmp_path).items()}
    assert all(each == found["text"] for each in found.values())
    all_of_it = data_config(path=tmp_path / "text", cache_dir=tmp_path / "c", vocab_size=320)
    assert content(prepare(all_of_it))["tokenizer"] != found["text"]["tokenizer"], "the sample is smaller"


def test_the_older_rule_counts_the_files_and_has_caches_of_its_own(tmp_path: Path) -> None:
    paths, cache = corpora(tmp_path), tmp_path / "c"
    older = {name: content(prepare(config_of(path, cache, version=1)))["tokenizer"] for name, path in paths.items()}
    assert len(set(older.values())) > 1
    newer = content(prepare(config_of(paths["parquet"], cache)))["tokenizer"]
    assert newer != older["parquet"]
    again = content(prepare(config_of(paths["parquet"], cache, version=1)))["tokenizer"]
    assert again == older["parquet"]


@pytest.mark.parametrize("kept", [10, 300])
def test_a_small_corpus_has_the_same_cache_by_both_rules(tmp_path: Path, kept: int) -> None:
    path = folder_of(tmp_path / "text", BETWEEN.join(STORIES[:kept] * 3), BETWEEN.join(VALID))
    settings = {"path": path, "cache_dir": tmp_path / "c", "tokenizer_bytes": 1_000_000}
    older = prepare(data_config(**settings, version=1))
    assert prepare(data_config(**settings)).folder == older.folder


def test_the_tokenizer_is_trained_on_a_share_of_a_large_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = (BETWEEN.join(stories) for stories in (TRAIN, VALID))
    config = data_config(path=folder_of(tmp_path / "corpus", *texts), cache_dir=tmp_path / "cache")
    learned: list[list[str]] = []

    def train(texts: Iterable[str], *arguments: Any, **options: Any) -> Any:
        learned.append(list(texts))
        return train_tokenizer(learned[-1], *arguments, **options)

    monkeypatch.setattr(token_cache, "train_tokenizer", train)
    whole = prepare(config)
    size = (Path(config.path or "") / "train.txt").stat().st_size
    text_bytes = sum(len(story.encode()) for story in TRAIN)
    third = prepare(dataclasses.replace(config, tokenizer_bytes=text_bytes // 3))
    same = prepare(dataclasses.replace(config, tokenizer_bytes=size))
    assert third.folder != whole.folder == same.folder, "a limit without an effect does not change the key"
    stories = read(Path(config.path or ""), Split.TRAIN)
    assert learned[0] == stories
    assert learned[1] == stories[2::3] or len(learned[1]) == pytest.approx(len(stories) / 3, abs=2)
    assert set(learned[1][:3]) < set(stories[:10]) and set(learned[1][-3:]) < set(stories[-10:]), "evenly spaced"


def test_the_tokenizer_is_trained_on_a_share_of_a_long_document(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "one", " ".join(TRAIN * 40), "v v")
    size = (folder / "train.txt").stat().st_size
    found = prepare(data_config(path=folder, cache_dir=tmp_path / "cache", tokenizer_bytes=size // 3))
    assert found.vocab_size == 300 and found.splits[Split.TRAIN].documents == 1
