"""Every file format of a corpus gives the same documents, each once and in order."""

import codecs
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinystories_lm.config.choices import Boundary, DecodeErrors, Source
from tinystories_lm.config.schema import DataConfig
from tinystories_lm.data import corpus, segmentation
from tinystories_lm.data.corpus import Split, chunks, count_replaced, documents, splits
from tinystories_lm.system.errors import DamagedError, UsageError

REPOSITORY = Path(__file__).resolve().parents[2]
REAL_DATA = Path(os.environ.get("TINYSTORIES_DATA", REPOSITORY / "../shared/data"))
needs_real_data = pytest.mark.skipif(
    not (REAL_DATA / "tinystories").is_dir(), reason=f"no real data in {REAL_DATA}: set TINYSTORIES_DATA"
)

STORIES = ["Tom sat.\nHe was glad.", "Mia said <|endoftext|> and left.", "Ünïcödé 猫 🐈.", "The end."]
WIKITEXT = (
    " \n = Cat = \n \n A cat x = y = z . \n \n = = Food = = \n \n Fish . \n \n"
    " = = = Raw = = = \n \n Yes . \n = No title = \n\n"
    " = Dog ( animal ) = \n \n A dog . \n \n = Nor here = \n Yes . \n \n \n = E = mc = \n \n Light . \n"
)
ARTICLES = [
    "= Cat = \n\n A cat x = y = z . \n\n = = Food = = \n\n Fish . \n\n = = = Raw = = = \n\n Yes . \n = No title =",
    "= Dog ( animal ) = \n\n A dog . \n\n = Nor here = \n Yes .",
    "= E = mc = \n\n Light .",
]


def fingerprint(config: DataConfig) -> str:
    return corpus.fingerprint(config, notes=Path("nowhere"))


def data_config(**settings: Any) -> DataConfig:
    """Return a small corpus with the given settings."""
    defaults: dict[str, Any] = {
        "name": "test corpus",
        "source": Source.grammar,
        "path": None,
        "hub_path": "",
        "hub_name": "",
        "hub_revision": "",
        "published_tokens": 0,
        "text_column": "text",
        "boundary": Boundary.endoftext,
        "decode_errors": DecodeErrors.strict,
        "held_out_fraction": 0.1,
        "grammar_bytes": 20_000,
        "grammar_seed": 0,
        "vocab_size": 300,
        "tokenizer_bytes": 50_000_000,
        "allow_smaller_vocabulary": False,
        "version": 2,
        "cache_dir": "nowhere",
    }
    return DataConfig(**defaults | {name: str(v) if isinstance(v, Path) else v for name, v in settings.items()})


def folder_of(path: Path, train: bytes | str, valid: bytes | str = "v", suffix: str = ".txt") -> Path:
    path.mkdir(exist_ok=True)
    for name, data in (("train", train), ("valid", valid)):
        (path / (name + suffix)).write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def read(path: Path, split: Split = Split.TRAIN, **settings: Any) -> list[str]:
    return list(documents(data_config(path=path, **settings), split))


def write_parquet(path: Path, **columns: list[Any]) -> None:
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), path)


def jsonl(texts: list[str]) -> str:
    return "".join(json.dumps({"id": 1, "text": text}) + "\n" for text in texts)


@pytest.fixture
def tiny_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read files and cut documents after a few bytes, so that every place is a border in some example."""
    monkeypatch.setattr(segmentation, "BLOCK_BYTES", 7)
    monkeypatch.setattr(segmentation, "CHUNK_CHARS", 12)


PARTS = ["<|endoftext|>", "<|end", "of", "text|>", "a b", "\r\n", "\r", "é", "\u2028", " ", "\n\n", "猫", "long" * 9]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=30))
def test_plain_text_is_split_and_stripped_as_the_whole_text_would_be(
    tmp_path: Path, tiny_blocks: None, parts: list[str]
) -> None:
    text = "".join(parts)
    want = [part.strip() for part in text.replace("\r\n", "\n").split("<|endoftext|>")]
    assert read(folder_of(tmp_path, text)) == [part for part in want if part]


def test_chunks_have_a_bounded_length_and_join_to_the_document(tmp_path: Path) -> None:
    text = "word " * 1000 + "x" * 10_000 + " " * 5000 + "\n" * 100 + "end"
    found = list(chunks(data_config(path=folder_of(tmp_path, text + "<|endoftext|>" + text)), Split.TRAIN))
    assert max(len(chunk.text) for chunk in found) <= segmentation.CHUNK_CHARS
    last = [index for index, chunk in enumerate(found) if chunk.ends_document]
    assert len(last) == 2
    assert last[-1] == len(found) - 1
    assert "".join(chunk.text for chunk in found[: last[0] + 1]) == text
    assert "".join(chunk.text for chunk in found[last[0] + 1 :]) == text


@pytest.mark.parametrize("block_bytes", [60, 64, 71, 1 << 20])
def test_wikitext_is_cut_at_level_one_titles_between_blank_lines(
    tmp_path: Path, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segmentation, "BLOCK_BYTES", block_bytes)
    folder = folder_of(tmp_path, WIKITEXT)
    assert read(folder, boundary=Boundary.wikitext) == ARTICLES
    assert len(read(folder, boundary=Boundary.endoftext)) == 1


def test_half_a_giant_line_is_not_a_title(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segmentation, "BLOCK_BYTES", 50)
    giant = "x" * 100 + " = No title = \n\nend"
    assert read(folder_of(tmp_path, "\n\n" + giant), boundary=Boundary.wikitext) == [giant]
    assert max(map(len, segmentation._lines(["x" * 40] * 100))) <= 2 * 50, "no line is held in memory as a whole"


@pytest.mark.parametrize("end", ["\n", ""])
def test_wikitext_rows_are_lines(tmp_path: Path, end: str) -> None:
    rows = [line.strip(" ") and f"{line}{end}" for line in WIKITEXT.splitlines()]  # blank ones are "", as on the hub
    assert read(folder_of(tmp_path, jsonl(rows), jsonl(["v"]), ".jsonl"), boundary=Boundary.wikitext) == ARTICLES


def test_an_article_may_continue_in_the_next_file_of_rows(tmp_path: Path) -> None:
    rows = WIKITEXT.splitlines()
    write_parquet(tmp_path / "train-0.parquet", text=rows[:4])
    write_parquet(tmp_path / "train-1.parquet", text=rows[4:])
    write_parquet(tmp_path / "validation.parquet", text=["v"])
    assert read(tmp_path, boundary=Boundary.wikitext) == ARTICLES


@pytest.fixture
def hub_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("hub"))


def test_the_same_stories_are_read_from_json_parquet_and_a_dataset_folder(tmp_path: Path, hub_cache: None) -> None:
    odd = tmp_path / "a [folder] * of ünïcödé"  # the name is not taken for a pattern
    padded = ["\r\n " + story.replace("\n", "\r\n") + "\n" for story in STORIES]
    rows = [padded[0], None, "", " \n", *padded[1:]]
    folder_of(odd, "".join(json.dumps({"text": row}) + "\n" for row in rows), jsonl(["v"]), ".jsonl")
    write_parquet(tmp_path / "parquet" / "train-1.parquet", n=list(range(len(rows))), text=rows)
    write_parquet(tmp_path / "parquet" / "validation-1.parquet", n=[1], text=["v"])
    assert read(odd) == STORIES
    assert read(tmp_path / "parquet") == STORIES
    assert read(tmp_path / "parquet", Split.VALIDATION) == ["v"]

    hub = data_config(source=Source.hub, hub_path=tmp_path / "parquet", hub_revision="main")
    assert list(documents(hub, Split.TRAIN)) == STORIES
    assert list(documents(hub, Split.VALIDATION)) == ["v"]
    assert splits(hub) == [Split.TRAIN, Split.VALIDATION]
    before = fingerprint(hub)
    write_parquet(tmp_path / "parquet" / "validation-1.parquet", n=[1], text=["w"])
    assert fingerprint(hub) != before
    (tmp_path / "parquet" / "validation-1.parquet").unlink()
    with pytest.raises(UsageError, match="lacks the split validation"):
        splits(hub)


def test_separators_are_text_in_rows_and_separate_documents_in_plain_text(tmp_path: Path) -> None:
    assert "<|endoftext|>" in read(folder_of(tmp_path / "rows", jsonl(STORIES), jsonl(["v"]), ".jsonl"))[1]
    assert len(read(folder_of(tmp_path / "text", "<|endoftext|>".join(STORIES)))) == len(STORIES) + 1


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train.txt", Split.TRAIN),
        ("train-v1-head.txt", Split.TRAIN),
        ("training", Split.TRAIN),
        ("wiki.train.tokens", Split.TRAIN),
        ("TinyStories-train.txt", Split.TRAIN),
        ("train-00000-of-00004.parquet", Split.TRAIN),
        ("valid.text", Split.VALIDATION),
        ("validation-0.jsonl", Split.VALIDATION),
        ("val.json", Split.VALIDATION),
        ("TinyStoriesV2-GPT4-valid.txt", Split.VALIDATION),
        ("wiki.test.tokens", Split.TEST),
        ("Test.TXT", Split.TEST),
        (".train.txt", None),
        ("README.md", None),
        ("values.txt", None),
        ("constraint.txt", None),
    ],
)
def test_a_files_name_decides_its_split(name: str, split: Split | None) -> None:
    assert corpus._split_of(name) is split


def test_a_folders_files_are_read_in_the_order_of_their_names_without_subfolders(tmp_path: Path) -> None:
    folder_of(tmp_path, "one", "two")
    (tmp_path / "train-2.txt").write_text("<|endoftext|>zero")
    (tmp_path / "train.py").write_text("ignored")
    (tmp_path / "README.md").write_text("ignored")
    folder_of(tmp_path / "train", "not read")
    assert read(tmp_path) == ["zero", "one"]
    assert splits(data_config(path=tmp_path)) == [Split.TRAIN, Split.VALIDATION]
    assert read(tmp_path, Split.TEST) == []


@pytest.mark.parametrize("count", [2, 3, 10, 57])
@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.3, 0.5])
def test_a_single_file_is_divided_into_two_whole_parts(tmp_path: Path, count: int, fraction: float) -> None:
    path = tmp_path / "book.md"
    path.write_text("<|endoftext|>".join(map(str, range(count))))
    train = read(path, held_out_fraction=fraction)
    held_out = read(path, Split.VALIDATION, held_out_fraction=fraction)
    assert sorted([*train, *held_out], key=int) == list(map(str, range(count)))
    assert train
    assert abs(len(held_out) - max(1, count * fraction)) < 1.01
    assert held_out[0] == "1"


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ([], "no train.* file.*it has no files"),
        (["train.txt", "b.txt"], "no valid.* file.*b.txt, train.txt"),
        (["valid.txt", "train.txt.gz"], "no train.* file.*train.txt.gz"),
    ],
)
def test_a_missing_split_is_refused_with_the_names_that_exist(tmp_path: Path, names: list[str], says: str) -> None:
    for name in names:
        (tmp_path / name).write_text("text")
    with pytest.raises(UsageError, match=says):
        read(tmp_path)


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(b"\x1f\x8b")
    for path, says in ((tmp_path / "a.txt.gz", "compressed"), (tmp_path / "b", "does not exist.*data.path=FOLDER")):
        with pytest.raises(UsageError, match=says):
            read(path)


@pytest.mark.parametrize("bom", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("block_bytes", [1, 4, 1 << 20])
def test_a_bom_and_crlf_change_nothing(
    tmp_path: Path, bom: bytes, end: str, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segmentation, "BLOCK_BYTES", block_bytes)
    text = "a\n\nb\u2028c\rd\n<|endoftext|>\n\ufeffe\n"
    got = read(folder_of(tmp_path, bom + text.replace("\n", end).encode()))
    assert got == ["a\n\nb\u2028c\rd", "\ufeffe"], "only the BOM at the start of a file is removed"


@pytest.mark.parametrize("block_bytes", [1, 5, 1 << 20])
@pytest.mark.parametrize(
    ("data", "offset", "line"),
    [
        ("good\nüber\n".encode() + b"\xff" + b"more", 11, 3),
        (codecs.BOM_UTF8 + b"a\r\n\xe2\x82", 6, 2),
        ("Tom".encode("utf-16"), 0, 1),
        ("Tom".encode("utf-16-le"), 1, 1),
        (b"a\nb\0\xff", 3, 2),
        (b"\n" + "\ud800".encode("utf-8", "surrogatepass"), 1, 2),
    ],
)
def test_invalid_utf8_is_found_by_file_offset_and_line(
    tmp_path: Path, block_bytes: int, data: bytes, offset: int, line: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segmentation, "BLOCK_BYTES", block_bytes)
    with pytest.raises(
        DamagedError, match=rf"train.txt .*byte 0x{data[offset]:02x} at offset {offset}, line {line}[;:,]"
    ):
        read(folder_of(tmp_path, data))


@pytest.mark.parametrize("block_bytes", [1, 3, 1 << 20])
def test_invalid_utf8_can_be_replaced_and_is_counted(
    tmp_path: Path, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segmentation, "BLOCK_BYTES", block_bytes)
    data = "a\ufffdé".encode() + b"\xff\xfe b\0 \xe2\x82 c \xf0\xef\xbf\xbd"
    folder = folder_of(tmp_path, data)
    assert read(folder, decode_errors=DecodeErrors.replace) == [data.decode(errors="replace").replace("\0", "\ufffd")]
    assert count_replaced(data_config(path=folder, decode_errors=DecodeErrors.replace), Split.TRAIN) == 5
    assert count_replaced(data_config(path=folder), Split.TRAIN) == 0


def test_damaged_rows_are_found(tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match=r"train.jsonl .*offset 18, line 2"):
        read(folder_of(tmp_path / "1", b'{"text": "a"}\n"xyz\xff"\n', "", ".jsonl"))
    with pytest.raises(DamagedError, match=r"train.jsonl cannot be read as JSON"):
        read(folder_of(tmp_path / "2", b'{"text": "a"}\n{"text": "b', "", ".jsonl"))
    with pytest.raises(DamagedError, match=r"train.jsonl, line 2 at offset 1: \\ud800 is half of a character"):
        read(folder_of(tmp_path / "3", b'\n{"text": "\\ud800"}\n', "", ".jsonl"))
    write_parquet(tmp_path / "whole.parquet", text=["a story"] * 100)
    data = (tmp_path / "whole.parquet").read_bytes()
    for cut in (0, 1, len(data) // 2, len(data) - 1):
        with pytest.raises(DamagedError, match=r"train.parquet cannot be read as Parquet"):
            read(folder_of(tmp_path / "4", data[:cut], "", ".parquet"))
    replaced_row = folder_of(tmp_path / "5", b'{"text": "a\xffb"}\n', "", ".jsonl")
    assert read(replaced_row, decode_errors=DecodeErrors.replace) == ["a\ufffdb"]
    assert read(folder_of(tmp_path / "6", "", "", ".jsonl")) == []


def test_a_wrong_column_is_refused_with_the_columns_that_exist(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, '{"story": "a", "id": 0}\n', "", ".jsonl")
    with pytest.raises(UsageError, match=r"no column 'text'.*story, id"):
        read(folder)
    with pytest.raises(UsageError, match=r"'id' holds int"):
        read(folder, text_column="id")
    assert read(folder, text_column="story") == ["a"]


def test_the_grammars_validation_stories_are_not_in_the_training_text() -> None:
    config = data_config()
    train, validation = (list(documents(config, split)) for split in (Split.TRAIN, Split.VALIDATION))
    assert not set(train) & set(validation)
    assert sum(map(len, train)) == pytest.approx(config.grammar_bytes, rel=0.2)
    assert sum(map(len, validation)) == pytest.approx(corpus.VALIDATION_BYTES, rel=0.05)
    assert list(documents(config, Split.TEST)) == []
    assert fingerprint(config) == fingerprint(data_config()) != fingerprint(data_config(grammar_seed=1))


def test_grammar_version_1_keeps_the_fingerprint_of_the_runs_and_caches_made_before_it_was_numbered() -> None:
    made_before = "f210b7e7cafff51307557c164aba372a2353810e2d8c5e1c394d72c28812eb13"
    assert fingerprint(data_config(grammar_seed=0, grammar_bytes=1000)) == made_before


def test_the_fingerprint_depends_on_contents_and_on_settings_with_an_effect(tmp_path: Path) -> None:
    here, there = (folder_of(tmp_path / name, "a<|endoftext|>b") for name in ("here", "there"))
    first = fingerprint(data_config(path=here))
    assert re.fullmatch("[0-9a-f]{64}", first)
    assert fingerprint(data_config(path=there, vocab_size=400, grammar_seed=9, held_out_fraction=0.3)) == first
    assert fingerprint(data_config(path=here, boundary=Boundary.wikitext)) != first
    assert fingerprint(data_config(path=there, text_column="story")) == first, "plain text has no columns"
    (there / "notes.txt").write_text("not in the corpus")
    assert fingerprint(data_config(path=there)) == first
    (there / "valid.txt").write_text("w")
    assert fingerprint(data_config(path=there)) != first
    single = here / "train.txt"
    assert len({fingerprint(data_config(path=single, held_out_fraction=share)) for share in (0.1, 0.2)} | {first}) == 3


def test_an_empty_hub_name_is_refused() -> None:
    with pytest.raises(UsageError, match=r"data.hub_path is empty.*data.path=FOLDER"):
        fingerprint(data_config(source=Source.hub))


def test_without_a_network_one_line_names_the_corpus_and_the_fix(tmp_path: Path) -> None:
    program = (
        "from tests.data.test_corpus import *\n"
        "hub = data_config(name='tinystories', source=Source.hub, hub_path='roneneldan/TinyStories')\n"
        "print(len(fingerprint(hub)))\n"
        "try: splits(hub)\n"
        "except UsageError as error: print(error)\n"
    )
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    length, line = done.stdout.splitlines()
    assert length == "64", "a fingerprint needs no network"
    assert "corpus tinystories (roneneldan/TinyStories)" in line
    assert "data.path=FOLDER" in line


@needs_real_data
def test_the_published_counts_of_the_real_corpora() -> None:
    stories = {split: read(REAL_DATA / "tinystories", split) for split in (Split.TRAIN, Split.VALIDATION)}
    assert {split: len(found) for split, found in stories.items()} == {Split.TRAIN: 14_829, Split.VALIDATION: 6_458}
    whole = (REAL_DATA / "tinystories" / "valid.txt").read_text(encoding="utf-8")
    assert stories[Split.VALIDATION] == [part.strip() for part in whole.split("<|endoftext|>") if part.strip()]
    wikitext = [len(read(REAL_DATA / "wikitext2", split, boundary=Boundary.wikitext)) for split in Split]
    assert wikitext == [600, 60, 60], "articles, as published"


def test_files_as_wikitext_s_own_release_names_them_are_read(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        (tmp_path / f"wiki.{split}.raw").write_text(WIKITEXT, encoding="utf-8")
    config = data_config(path=str(tmp_path), boundary=Boundary.wikitext)
    assert splits(config) == [Split.TRAIN, Split.VALIDATION, Split.TEST]
    assert [*documents(config, Split.TRAIN)]
