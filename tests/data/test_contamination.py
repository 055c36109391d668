"""Held-out documents that occur in the training text are counted, and reported whenever the cache is opened."""

import json
import logging
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.test_corpus import data_config, folder_of, jsonl, read
from tests.data.test_token_cache import TRAIN, forge
from tinystories_lm.config.schema import DataConfig
from tinystories_lm.data import cache_header, segmentation
from tinystories_lm.data.contamination import Contamination
from tinystories_lm.data.corpus import Split, chunks
from tinystories_lm.data.token_cache import open_cache, prepare

SEPARATOR = "\n<|endoftext|>\n"
TEXTS = st.lists(st.sampled_from(["a", "b", "a b", "b a", "long " * 9, "long " * 8 + "lone", "猫 " * 20, " a ", ""]))


def counted(config: DataConfig) -> int:
    contamination = Contamination()
    for split in (Split.VALIDATION, Split.TRAIN):
        assert list(contamination.watch(split, chunks(config, split))) == list(chunks(config, split))
    return contamination.count(Split.VALIDATION)


@settings(deadline=None)
@given(train=TEXTS, valid=TEXTS)
def test_documents_are_compared_as_a_whole(
    tmp_path_factory: pytest.TempPathFactory, train: list[str], valid: list[str]
) -> None:
    folder = folder_of(tmp_path_factory.getbasetemp() / "contamination", SEPARATOR.join(train), SEPARATOR.join(valid))
    known = set(read(folder))
    with pytest.MonkeyPatch.context() as patch:  # documents come in many chunks
        patch.setattr(segmentation, "BLOCK_BYTES", 7)
        patch.setattr(segmentation, "CHUNK_CHARS", 12)
        assert counted(data_config(path=folder)) == sum(text in known for text in read(folder, Split.VALIDATION))


def test_a_part_of_a_document_or_other_white_space_inside_makes_another_document(tmp_path: Path) -> None:
    story = "Tom sat. " * 1000
    valid = [story + "x", "x" + story, story.replace(" ", "  ", 1), story[: segmentation.CHUNK_CHARS], "  " + story]
    folder = folder_of(tmp_path, story + SEPARATOR + "Mia ran.", SEPARATOR.join(valid))
    assert counted(data_config(path=folder)) == 1, "white space around a document is stripped"


def header(folder: Path) -> dict[str, dict[str, dict[str, int]]]:
    found: dict[str, dict[str, dict[str, int]]] = json.loads((folder / "header.json").read_text())
    return found


LINE = "validation: 3 of 5 documents occur word for word in the training text, so its loss will be too low"


def test_one_line_per_split_warns_when_the_cache_is_built_and_when_it_is_opened(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    valid = [TRAIN[5], "New.", TRAIN[7], TRAIN[5], "Newer."]
    folder = folder_of(tmp_path / "rows", jsonl(TRAIN), jsonl(valid), ".jsonl")
    (folder / "test.txt").write_text(SEPARATOR.join([TRAIN[0], "Newest."]))
    config = data_config(path=folder, cache_dir=tmp_path / "cache")
    test_line = LINE.replace("validation: 3 of 5", "test: 1 of 2")
    for _ in range(2):
        caplog.clear()
        found = prepare(config)
        assert caplog.messages == [LINE, test_line]
    assert [part.also_in_train for part in found.splits.values()] == [0, 3, 1]
    assert list(found.splits) == list(Split), "in the order of the enum"
    assert "also_in_train" not in header(found.folder)["splits"]["train"]


def test_splits_without_common_documents_give_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = folder_of(tmp_path / "apart", SEPARATOR.join(TRAIN), "New." + SEPARATOR + "Newer.")
    found = prepare(data_config(path=folder, cache_dir=tmp_path / "cache"))
    assert caplog.messages == []
    assert header(found.folder)["splits"]["validation"]["also_in_train"] == 0


def test_a_repeated_document_of_a_single_file_is_counted(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text(SEPARATOR.join([*TRAIN[:100], *TRAIN[:100]]))
    config = data_config(path=tmp_path / "one.txt", held_out_fraction=0.3, cache_dir=tmp_path / "cache")
    known, held_out = set(read(tmp_path / "one.txt", held_out_fraction=0.3)), read(
        tmp_path / "one.txt", Split.VALIDATION, held_out_fraction=0.3
    )  # fmt: skip
    want = sum(text in known for text in held_out)
    assert prepare(config).splits[Split.VALIDATION].also_in_train == want > 0


def test_a_cache_from_before_the_count_stays_readable(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = folder_of(tmp_path / "same", SEPARATOR.join(TRAIN), SEPARATOR.join(TRAIN))
    config = data_config(path=folder, cache_dir=tmp_path / "cache")
    ready = prepare(config).folder
    splits = header(ready)["splits"]
    del splits["validation"]["also_in_train"]
    forge(ready, splits=splits)
    caplog.clear()
    assert open_cache(ready).splits[Split.VALIDATION].also_in_train == 0
    assert prepare(config).folder == ready and caplog.messages == [], "it is not rebuilt"
    assert cache_header.VERSION == 1
