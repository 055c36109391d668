"""Any input is read correctly or refused quickly, in one line."""

import codecs
import gzip
import json
import os
import random
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.data import trials
from tests.data.test_corpus import data_config, folder_of, jsonl, read, write_parquet
from tests.data.test_token_cache import TRAIN, VALID, content
from tinystories_lm.cli.main import run as run_command
from tinystories_lm.config.choices import DecodeErrors
from tinystories_lm.data import table_reader, token_cache
from tinystories_lm.data.corpus import Split, count_replaced
from tinystories_lm.data.token_cache import prepare
from tinystories_lm.system.errors import CommandError, DamagedError, ExitCode, UsageError

T, V = ("\n<|endoftext|>\n".join(stories) for stories in (TRAIN, VALID))
J, W = jsonl(TRAIN), jsonl(VALID)
USAGE, DAMAGED = ExitCode.USAGE, ExitCode.DAMAGED
Refusal = tuple[bytes | str, str, ExitCode, str]  # the training file, its suffix, the exit code, the message
DEEP = '{"text": ' + "[" * 10_000 + "]" * 10_000 + "}\n"

REFUSED: dict[str, Refusal] = {
    "empty": ("", ".txt", USAGE, "train split .* has 0 tokens"),
    "only separators": ("<|endoftext|>\n" * 500, ".txt", USAGE, "train split .* has 0 tokens"),
    "only blanks": (" \n\t\r\n\u2028" * 500, ".txt", USAGE, "train split .* has 0 tokens"),
    "rows of blanks": (jsonl([" "] * 30), ".jsonl", USAGE, "train split .* has 0 tokens"),
    "rows of null": ('{"text": null}\n' * 30, ".jsonl", USAGE, "train split .* has 0 tokens"),
    "one story": (TRAIN[0], ".txt", USAGE, "fills only [0-9]+ entries of data.vocab_size=300"),
    "the same story": (f"{TRAIN[0]}<|endoftext|>" * 300, ".txt", USAGE, "fills only [0-9]+ entries"),
    "invalid UTF-8": (T.encode() + b"\nab\xffcd", ".txt", DAMAGED, "train.txt .*0xff at offset [0-9]+, line 800;"),
    "Latin-1": (T.encode("latin-1", "replace"), ".txt", DAMAGED, "byte 0xeb at offset [0-9]+, line [0-9]+;"),
    "half a character": (T.encode() + "猫".encode()[:2], ".txt", DAMAGED, "byte 0xe7 at offset [0-9]+, line 799"),
    "UTF-16": (T.encode("utf-16"), ".txt", DAMAGED, "offset 0, line 1: it looks like UTF-16: save it as UTF-8"),
    "UTF-16, no BOM": (T.encode("utf-16-le"), ".txt", DAMAGED, "offset 1, line 1, a NUL: if it is UTF-16"),
    "UTF-32": (T.encode("utf-32"), ".txt", DAMAGED, "looks like UTF-32"),
    "UTF-16 rows": (J.encode("utf-16"), ".jsonl", DAMAGED, "train.jsonl .*looks like UTF-16"),
    "a NUL": (T + "\0", ".txt", DAMAGED, "byte 0x00 at offset [0-9]+, line 799, a NUL"),
    "a NUL in rows": (J + '{"text": "\0"}', ".jsonl", DAMAGED, "byte 0x00 at offset [0-9]+, line 201, a NUL"),
    "gzip by another name": (gzip.compress(T.encode()), ".txt", DAMAGED, "looks like gzip: unpack it"),
    "gzip as rows": (gzip.compress(J.encode()), ".jsonl", DAMAGED, "looks like gzip: unpack it"),
    "gzip as Parquet": (gzip.compress(J.encode()), ".parquet", DAMAGED, "train.parquet cannot be read as Parquet"),
    "a lone surrogate": (J + '{"text": "a\\ud800b"}\n', ".jsonl", DAMAGED, r"line 201 at .*: \\ud800 is half"),
    "surrogates swapped": (J + '{"text": "\\ude00\\ud83d"}\n', ".jsonl", DAMAGED, r"line 201 .*\\ude00 is half"),
    "no such column": ('{"story": "a", "id": 1}\n', ".jsonl", USAGE, "line 1 .*no column 'text': .*one of story, id"),
    "an object of nothing": ("{}\n", ".jsonl", USAGE, "no column 'text'.*there is none"),
    "a column not everywhere": (J + '{"story": "a"}\n', ".jsonl", USAGE, "line 201 .* has no column 'text'"),
    "a column of numbers": (J + '{"text": 5}\n', ".jsonl", USAGE, "line 201 .*: column 'text' holds int, not text"),
    "a column of lists": ('{"text": ["a"]}\n' * 9, ".jsonl", USAGE, "line 1 .*: column 'text' holds list, not text"),
    "rows that are not objects": ('"a"\n' * 9, ".jsonl", USAGE, r'1 .*not an object: a document is \{"text": "…"\}'),
    "rows that are lists": ('["a"]\n["b"]\n', ".jsonl", DAMAGED, "cannot be read as JSON: the array, character 6"),
    "an array of numbers": ("[1, 2]", ".json", USAGE, "row 1, is not an object"),
    "half an array": ('[{"text": "a"}, {"te', ".json", DAMAGED, "cannot be read as JSON: the array"),
    "half a row": (J + '{"text": "a\n' + J, ".jsonl", DAMAGED, "line 201 at offset [0-9]+, character 9: Unterminated"),
    "a deep nest": (J + DEEP, ".jsonl", DAMAGED, "cannot be read as JSON: line 201 .*recursion"),
    "a long number": (J + '{"n": ' + "9" * 5000 + "}", ".jsonl", DAMAGED, "cannot be read as JSON: line 201 .*4300"),
    "an object over many lines": (json.dumps({"text": "a"}, indent=1), ".json", DAMAGED, "line 1 .*character 2: "),
}  # fmt: skip


def refusal(config: Any) -> CommandError:
    """Return the error of prepare(), which leaves nothing but locks."""
    with pytest.raises(CommandError) as caught:
        prepare(config)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500, caught.value
    assert not [path for path in Path(config.cache_dir).glob("*") if path.suffix != ".lock"]
    return caught.value


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused_in_one_line_with_its_place_and_the_fix(tmp_path: Path, name: str) -> None:
    train, suffix, code, says = REFUSED[name]
    folder = folder_of(tmp_path / "corpus", train, W if suffix.startswith(".json") else V, suffix)
    if suffix == ".parquet":
        (folder / "valid.parquet").unlink()
        (folder / "valid.txt").write_text(V)
    said = refusal(data_config(path=folder, cache_dir=tmp_path / "cache"))
    assert said.exit_code == code, said
    assert pytest.raises(CommandError, match=says).matches(said), said  # type: ignore[call-overload]


READ_ALIKE: dict[str, tuple[bytes | str, str]] = {
    "no newline at the end": (T.rstrip(), ".txt"),
    "newlines at the end": (T + "\n\n\n", ".txt"),
    "a separator at the end": (T + "<|endoftext|>", ".txt"),
    "BOM": (codecs.BOM_UTF8 + T.encode(), ".txt"),
    "CRLF": (T.replace("\n", "\r\n"), ".txt"),
    "BOM and CRLF": (codecs.BOM_UTF8 + T.replace("\n", "\r\n").encode(), ".txt"),
    "rows": (J, ".jsonl"),
    "rows with a BOM": (codecs.BOM_UTF8 + J.encode(), ".jsonl"),
    "rows with CRLF": (J.replace("\n", "\r\n"), ".jsonl"),
    "rows with no newline at the end": (J.rstrip(), ".jsonl"),
    "rows with blank lines between": (J.replace("\n", "\n\n \n"), ".jsonl"),
    "rows with raw letters": ("\n".join(json.dumps({"text": text}, ensure_ascii=False) for text in TRAIN), ".jsonl"),
    "rows with nulls between": (J.replace("\n", '\n{"text": null}\n'), ".jsonl"),
    "an array": (json.dumps([{"text": text} for text in TRAIN]), ".json"),
    "an array over many lines": ("\n " + json.dumps([{"text": text} for text in TRAIN], indent=2), ".json"),
}


@pytest.mark.parametrize("name", READ_ALIKE)
def test_the_same_stories_give_the_same_tokens_in_every_format(tmp_path: Path, name: str) -> None:
    train, suffix = READ_ALIKE[name]
    want = content(prepare(data_config(path=folder_of(tmp_path / "plain", T, V), cache_dir=tmp_path / "cache")))
    folder = folder_of(tmp_path / "formatted", train, "", suffix)
    (folder / f"valid{suffix}").unlink()
    (folder / "valid.txt").write_text(V)
    assert content(prepare(data_config(path=folder, cache_dir=tmp_path / "cache2"))) == want


def test_invalid_bytes_can_be_replaced_and_are_counted(tmp_path: Path) -> None:
    rows = b'{"text": "a\xffb"}\n{"text": "\\ud83d\\ude00 \\ud800 \\udc00"}\n{"text": "\\ufffd \0"}\n'
    folder = folder_of(tmp_path, rows, "", ".jsonl")
    lenient = data_config(path=folder, decode_errors=DecodeErrors.replace)
    assert read(folder, decode_errors=DecodeErrors.replace) == ["a\ufffdb", "😀 \ufffd \ufffd", "\ufffd \ufffd"]
    assert count_replaced(lenient, Split.TRAIN) == 4
    for data in (gzip.compress(T.encode()), T.encode("utf-16")):
        with pytest.raises(DamagedError, match="looks like"):
            read(folder_of(tmp_path / "not_this", data), decode_errors=DecodeErrors.replace)


def bad_parquet(path: Path) -> None:
    """Write a string column with invalid UTF-8, as careless writers do."""
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    offsets = pa.py_buffer(b"\0\0\0\0\5\0\0\0\n\0\0\0")
    texts = pa.StringArray.from_buffers(2, offsets, pa.py_buffer(b"wholeab\xff\xed\xa0"))
    pq.write_table(pa.table({"text": texts}), path)


def test_parquet_is_refused_as_text_is(tmp_path: Path) -> None:
    bad_parquet(tmp_path / "bad.parquet")
    with pytest.raises(DamagedError, match=r"bad.parquet, row 2, .* 0xff at offset 2 of column 'text'; .*=replace"):
        read(tmp_path / "bad.parquet")
    lenient = {"decode_errors": DecodeErrors.replace, "held_out_fraction": 0.01}
    assert read(tmp_path / "bad.parquet", **lenient) == ["whole"]
    assert read(tmp_path / "bad.parquet", Split.VALIDATION, **lenient) == ["ab\ufffd\ufffd\ufffd"]
    assert count_replaced(data_config(path=tmp_path / "bad.parquet", **lenient), Split.TRAIN) == 3
    for column, says in (("story", "no column 'text': .*one of story"), ("text", "'text' holds int, not text")):
        write_parquet(tmp_path / "odd.parquet", **{column: [1, 2]})
        with pytest.raises(UsageError, match=says):
            read(tmp_path / "odd.parquet")
    write_parquet(tmp_path / "none.parquet", text=[])
    assert read(tmp_path / "none.parquet") == []


def outcome(path: Path) -> str:
    """Return the message by which a file is refused, or ""."""
    try:
        read(path)
    except CommandError as error:
        return str(error)
    return ""


def test_damaged_parquet_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    write_parquet(path, text=TRAIN)
    whole, choose, refused = path.read_bytes(), random.Random(0), 0
    for trial in range(300):
        data = bytearray(whole[: choose.randrange(len(whole))] if trial % 3 == 0 else whole)
        for _ in range(choose.randint(0 if trial % 3 == 0 else 1, 4)):
            if data:
                data[choose.randrange(len(data))] = choose.randrange(256)
        path.write_bytes(data)
        said = outcome(path)
        assert "\n" not in said and "cannot read" not in said
        refused += bool(said)
    assert refused > 100, "a flipped letter is only noticed where the writer stored checksums"


def test_a_flipped_bit_of_parquet_with_checksums_is_found(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "train.parquet"
    pq.write_table(pa.table({"text": TRAIN}), path, write_page_checksum=True, compression="none", use_dictionary=False)
    whole = path.read_bytes()
    place = whole.index(TRAIN[100].encode())
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    with pytest.raises(DamagedError, match="cannot be read as Parquet: .*(?i:checksum|corrupt)"):
        read(path)


def other_than_a_file(folder: Path, name: str) -> Path:
    """Make a path of this kind below the folder."""
    path = folder / "train.txt"
    folder.mkdir()
    (folder / "valid.txt").write_text(V)
    match name:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "dangling link":
            path.symlink_to("nowhere")
        case "link to itself":
            path.symlink_to(path)
    return path


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("folder", "is a folder"),
        ("pipe", "is a pipe or a device"),
        ("device", "is a pipe or a device"),
        ("dangling link", "is a link to nowhere, which does not exist"),
        ("link to itself", "is a link to .*train.txt, which does not exist"),
        ("nothing", "does not exist"),
    ],
)
def test_a_path_that_is_not_a_file_is_refused_without_waiting(tmp_path: Path, name: str, says: str) -> None:
    path = other_than_a_file(tmp_path / "corpus", name)
    for where in (path, path.parent):
        child = trials.run(lambda where=where: refusal(data_config(path=where, cache_dir=tmp_path / "c")), seconds=20)  # type: ignore[misc]
        assert child.code == 0, child.said
        if where == path.parent and name == "nothing":
            assert "has no train* file" in child.said and child.said.strip().endswith("it has valid.txt")
        elif where == path.parent or name != "folder":
            assert pytest.raises(CommandError, match=says).matches(UsageError(child.said)), child.said  # type: ignore[call-overload]
    (tmp_path / "empty").mkdir()
    assert "it has no files" in str(refusal(data_config(path=tmp_path / "empty", cache_dir=tmp_path / "c")))


def test_an_unreadable_file_or_folder_is_refused() -> None:
    with trials.folder_for_all() as folder:
        corpus = folder_of(folder / "corpus", T, V)
        corpus.chmod(0o755)
        for path in (corpus / "train.txt", corpus):
            path.chmod(0)

            def work() -> CommandError:
                trials.give_up_root()
                return refusal(data_config(path=corpus, cache_dir=folder / "cache"))

            child = trials.run(work)
            assert child.code == 0 and f"cannot read {path}: Permission denied" in child.said, child.said
            path.chmod(0o755)


def test_an_archive_is_refused(tmp_path: Path) -> None:
    packed = tmp_path / "train.txt.gz"
    packed.write_bytes(gzip.compress(T.encode())[:50])
    with zipfile.ZipFile(tmp_path / "stories.txt", "w") as archive:
        archive.writestr("train.txt", T)
    for path, says in ((packed, "is compressed: decompress it first"), (tmp_path / "stories.txt", "looks like zip")):
        assert says in str(refusal(data_config(path=path, cache_dir=tmp_path / "cache")))


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\nmore")


def replace(path: Path) -> None:
    path.with_suffix(".new").write_text(T.replace("Tom", "Tim"))
    path.with_suffix(".new").replace(path)


CHANGES: dict[str, Callable[[Path], object]] = {
    "grows": grow,
    "vanishes": Path.unlink,
    "is cut": lambda path: os.truncate(path, 1000),
    "is emptied": lambda path: os.truncate(path, 0),
    "is replaced": replace,
    "becomes a folder": lambda path: (path.unlink(), path.mkdir()),
    "becomes a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
}


@pytest.mark.parametrize("moment", ["train_tokenizer", "_encode", "encode_all"])
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".parquet"])
def test_a_file_that_changes_while_it_is_read_leaves_no_cache(
    tmp_path: Path, suffix: str, change: str, moment: str
) -> None:
    folder = folder_of(tmp_path / "corpus", J if suffix == ".jsonl" else T, W if suffix == ".jsonl" else V, suffix)
    if suffix == ".parquet":
        write_parquet(folder / "train.parquet", text=TRAIN)
        write_parquet(folder / "valid.parquet", text=VALID)
    config = data_config(path=folder, cache_dir=tmp_path / "cache")
    with pytest.MonkeyPatch.context() as patch:
        original, done = getattr(token_cache, moment), []

        def meddle(*arguments: Any, **options: Any) -> Any:
            if not done:
                done.append(CHANGES[change](folder / f"train{suffix}"))
            return original(*arguments, **options)

        patch.setattr(token_cache, moment, meddle)
        child = trials.run(lambda: refusal(config).exit_code, seconds=20)
    assert child.code == 0, child.said
    assert int(child.said.split()[-1]) in (USAGE, DAMAGED)


def test_a_file_that_never_stops_growing_is_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "corpus", T, V)

    def write() -> None:
        while True:
            grow(folder / "train.txt")

    writer = trials.begin(write)
    try:
        said = trials.run(lambda: refusal(data_config(path=folder, cache_dir=tmp_path / "cache")), seconds=30).said
    finally:
        os.kill(writer.pid, 9)
        trials.end(writer)
    assert "changed while it was read: run the command again" in said


def test_the_command_line_prints_the_same_one_line(tmp_path: Path) -> None:
    cases = [(T, 0), ("", 2), (T.encode() + b"\xff", 3), (gzip.compress(T.encode()), 3)]
    for number, (train, code) in enumerate(cases):
        folder = folder_of(tmp_path / f"a folder of ünïcödé {number}", train, V)
        cache_dir = tmp_path / f"cache 猫 {number}"
        arguments = ["prepare", f"data.path='{folder}'", "data.vocab_size=300", f"data.cache_dir='{cache_dir}'"]
        child = trials.run(lambda arguments=arguments: exit(run_command(arguments)))  # type: ignore[misc]
        assert child.code == code, child.said
        assert "Traceback" not in child.said
        if code:
            assert child.said.splitlines()[-1].startswith("tinystories-lm: ")
            assert child.said.count("tinystories-lm:") == 1
            assert not [path for path in cache_dir.glob("*") if path.suffix != ".lock"]


# One giant line

GIANT = "".join(random.Random(0).choices("abcdefgh", k=1_000_000))
LINES: dict[str, Callable[[int], str]] = {
    "words": lambda n: " ".join(TRAIN * (n // 13_000)),
    "letters": lambda n: " ".join(TRAIN) + (GIANT * (n // len(GIANT) + 1))[:n],
    "blanks": lambda n: " ".join(TRAIN) + " " * n + "end",
    "empty lines": lambda n: " ".join(TRAIN) + "\n" * n + "end",
    "blanks at the end": lambda n: " ".join(TRAIN) + " " * n,
}  # fmt: skip


def prepare_one_line(folder: Path, text: str, suffix: str) -> tuple[float, float]:
    """Return the CPU seconds of a process, and its peak memory above the start in MB."""
    import resource

    (folder / "corpus").mkdir(parents=True)
    (folder / "corpus" / f"train{suffix}").write_text(json.dumps({"text": text}) if suffix == ".jsonl" else text)
    (folder / "corpus" / "valid.txt").write_text(V)
    # The share of the text that the tokenizer is trained on may be all white space.
    config = data_config(path=folder / "corpus", cache_dir=folder / "cache", allow_smaller_vocabulary=True)

    def work() -> str:
        began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found = prepare(config).splits[Split.TRAIN]
        assert found.documents == 1 and found.bytes == len(text.strip().encode())
        kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        return f"{time.process_time() - began} {kilobytes / 1024}"

    child = trials.run(work, seconds=600)
    assert child.code == 0, child.said
    seconds, megabytes = map(float, child.said.splitlines()[-1].split())
    return seconds, megabytes


def check_time_is_linear(folder: Path, kind: str, suffix: str, n_bytes: int, times: int) -> float:
    """Prepare one line, and one so many times as long: the machine's speed falls out of the comparison.

    Returns the peak memory of the longer one in MB.
    """
    short, _ = prepare_one_line(folder / "short", LINES[kind](n_bytes), suffix)
    long, megabytes = prepare_one_line(folder / "long", LINES[kind](times * n_bytes), suffix)
    print(f"{kind}: {short:.1f} s, {times} times as long {long:.1f} s, {megabytes:.0f} MB")
    assert long < 2 * times * short, (short, long)
    return megabytes


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        ("words", ".txt"),
        ("letters", ".txt"),
        ("blanks", ".txt"),
        ("empty lines", ".txt"),
        ("blanks at the end", ".txt"),
        ("words", ".jsonl"),
        ("blanks", ".jsonl"),
    ],
)
def test_a_giant_line_takes_no_more_time_and_memory_than_other_text(tmp_path: Path, kind: str, suffix: str) -> None:
    assert check_time_is_linear(tmp_path, kind, suffix, 400_000, times=5) < 300


@pytest.mark.slow
@pytest.mark.parametrize("kind", LINES)
def test_a_line_of_200_mb_takes_no_more_time_and_memory_than_other_text(tmp_path: Path, kind: str) -> None:
    assert check_time_is_linear(tmp_path, kind, ".txt", 20_000_000, times=10) < 800


def test_a_row_above_the_limit_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_reader, "MOST_LINE_BYTES", 1000)
    monkeypatch.setattr(table_reader, "MOST_ARRAY_BYTES", 1000)
    with pytest.raises(DamagedError, match="line 201 at offset [0-9]+, has more than 1,000 bytes: .* plain text"):
        read(folder_of(tmp_path / "line", J + jsonl(["x" * 2000]), "", ".jsonl"))
    with pytest.raises(UsageError, match=r"one JSON array of [0-9,]+ bytes: convert it to .jsonl"):
        read(folder_of(tmp_path / "array", json.dumps([{"text": "x" * 2000}]), "", ".json"))
