"""Many processes share one cache: it is built once, and no lock, clock, folder or full disk needs manual repair."""

import json
import os
import random
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.data import trials
from tests.data.test_corpus import data_config, folder_of
from tests.data.test_input import refusal
from tests.data.test_token_cache import TRAIN, VALID, content
from tests.data.trials import as_root, begin, end
from tinystories_lm.cli.main import run as run_command
from tinystories_lm.config.schema import DataConfig
from tinystories_lm.data import token_cache
from tinystories_lm.data.corpus import Split
from tinystories_lm.data.token_cache import prepare
from tinystories_lm.system import hashing
from tinystories_lm.system.errors import CannotWriteError, DamagedError, ExitCode

POINTS = ["file.before_rename:1", "cache.before_part:1", "cache.before_part:2", "folder.before_rename:1"]
BUILDING = "tokenizer: training"


@pytest.fixture
def config(tmp_path: Path) -> DataConfig:
    text = ["\n<|endoftext|>\n".join(stories) for stories in (TRAIN, VALID)]
    return data_config(path=folder_of(tmp_path / "corpus", *text), cache_dir=tmp_path / "cache")


def names(config: DataConfig) -> list[str]:
    """List the cache folder without its locks."""
    return sorted(path.name for path in Path(config.cache_dir).glob("*") if path.suffix != ".lock")


def wait_for(condition: object, *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    assert callable(condition)
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_one_of_ten_processes_does_the_work_and_all_get_the_same_cache(config: DataConfig) -> None:
    want = begin(lambda: content(prepare(config)))
    ended = [end(child) for child in [want, *(begin(lambda: content(prepare(config))) for _ in range(9))]]
    assert [child.code for child in ended] == [0] * 10, ended
    assert sum(BUILDING in child.said for child in ended) == 1
    assert {child.said.splitlines()[-1] for child in ended} == {str(content(prepare(config)))}
    assert len(names(config)) == 1


@pytest.mark.parametrize("point", POINTS)
def test_when_the_worker_is_killed_another_takes_over(config: DataConfig, point: str) -> None:
    first = begin(lambda: prepare(config), fault=f"{point}:hang")
    wait_for(lambda: list(Path(config.cache_dir).glob(".tmp-*")))
    waiting = [begin(lambda: prepare(config).tokenizer_sha256) for _ in range(3)]
    wait_for(lambda: all("waiting for it" in child.output.read_text() for child in waiting))
    os.kill(first.pid, signal.SIGKILL)
    assert end(first).code == -signal.SIGKILL
    ended = [end(child) for child in waiting]
    assert [child.code for child in ended] == [0] * 3, ended
    assert sum(BUILDING in child.said for child in ended) == 1
    assert {child.said.splitlines()[-1] for child in ended} == {prepare(config).tokenizer_sha256}
    assert len(names(config)) == 1, "nothing half-written is left"


def test_a_worker_that_is_killed_after_the_rename_leaves_a_whole_cache(config: DataConfig) -> None:
    assert trials.run(lambda: prepare(config), fault="folder.after_rename:1:kill").code == -signal.SIGKILL
    assert BUILDING not in trials.run(lambda: prepare(config)).said


@pytest.mark.parametrize("numbers", [range(3), pytest.param(range(3, 103), marks=pytest.mark.slow)], ids=["3", "100"])
def test_four_processes_of_which_one_is_killed_at_any_moment_agree(config: DataConfig, numbers: range) -> None:
    began = time.monotonic()
    want, killed = trials.run(lambda: content(prepare(config))).said.splitlines()[-1], 0
    seconds = time.monotonic() - began
    for number in numbers:
        choose = random.Random(number)
        here = data_config(path=config.path, cache_dir=Path(config.cache_dir).with_name(f"cache{number}"))
        children = [begin(lambda here=here: content(prepare(here))) for _ in range(4)]  # type: ignore[misc]
        time.sleep(choose.uniform(0, seconds))
        victim = choose.choice(children)
        os.kill(victim.pid, signal.SIGKILL)
        for child in children:
            ended = end(child)
            killed += ended.code == -signal.SIGKILL
            if child is not victim:
                assert ended.code == 0 and ended.said.splitlines()[-1] == want, ended
        assert trials.run(lambda here=here: content(prepare(here))).said.splitlines()[-1] == want  # type: ignore[misc]
        assert len(names(here)) == 1
    assert len(numbers) < 10 or killed >= len(numbers) / 3, "on a busy machine all three may end before the kill"


STALE = {
    "dead": {"pid": 2**22 - 1, "host": socket.gethostname(), "since": "2020-01-01 00:00:00"},
    "other host": {"pid": os.getpid(), "host": "elsewhere", "since": "2020-01-01 00:00:00"},
    "pid used again": {"pid": 1, "host": socket.gethostname(), "since": "2099-01-01 00:00:00"},
    "itself": {"pid": os.getpid(), "host": socket.gethostname()},
}


@pytest.mark.parametrize("text", [*map(json.dumps, STALE.values()), "", "garbage", "[1]", "\0" * 5000, "9" * 9999],
                         ids=[*STALE, "empty", "garbage", "list", "NULs", "digits"])  # fmt: skip
def test_a_stale_lock_is_ignored(config: DataConfig, tmp_path: Path, text: str) -> None:
    key = prepare(config).folder.name
    other = data_config(path=config.path, cache_dir=tmp_path / "other")
    (tmp_path / "other").mkdir()
    lock = tmp_path / "other" / f"{key}.lock"
    lock.write_text(text)
    lock.chmod(0o444)
    os.utime(lock, (4e9, 4e9))
    leftover = tmp_path / "other" / f".tmp-{key}-{os.getpid()}"
    (leftover / "inside").mkdir(parents=True)
    assert content(prepare(other)) == content(prepare(config))
    assert not leftover.exists() and names(other) == [key]


@as_root
def test_another_users_lock_file_is_no_obstacle() -> None:
    with trials.folder_for_all() as folder:
        corpus = folder_of(folder / "corpus", "\n<|endoftext|>\n".join(TRAIN), "\n<|endoftext|>\n".join(VALID))
        config = data_config(path=corpus, cache_dir=folder / "cache")
        key = prepare(config).folder.name
        other = data_config(path=corpus, cache_dir=folder / "other")
        (folder / "other").mkdir()
        (folder / "other").chmod(0o777)
        (folder / "other" / f"{key}.lock").write_text("root's")

        def work() -> str:
            trials.give_up_root()
            return prepare(other).tokenizer_sha256

        child = trials.run(work)
        assert child.said.splitlines()[-1] == prepare(config).tokenizer_sha256, child.said


@as_root
def test_a_folder_without_write_permission_is_read_or_refused() -> None:
    with trials.folder_for_all() as folder:
        corpus = folder_of(folder / "corpus", "\n<|endoftext|>\n".join(TRAIN), "\n<|endoftext|>\n".join(VALID))
        config = data_config(path=corpus, cache_dir=folder / "cache")
        another = data_config(path=corpus, cache_dir=folder / "cache", vocab_size=290)
        prepare(config)

        def work(wanted: DataConfig) -> str:
            trials.give_up_root()
            return prepare(wanted).tokenizer_sha256

        assert trials.run(lambda: work(config)).code == 0
        child = trials.run(lambda: work(another))
        assert child.code == ExitCode.CANNOT_WRITE, child.said
        assert "Permission denied" in child.said.splitlines()[-1]


@pytest.mark.parametrize("kind", ["folder", "pipe", "link"])
def test_a_lock_that_is_not_a_file_is_refused_in_one_line(config: DataConfig, tmp_path: Path, kind: str) -> None:
    ready = prepare(config).folder
    lock = tmp_path / "other" / f"{ready.name}.lock"
    lock.parent.mkdir()
    if kind == "folder":
        lock.mkdir()
    elif kind == "pipe":
        os.mkfifo(lock)
    else:
        lock.symlink_to(tmp_path / "precious")
        (tmp_path / "precious").write_text("text")
    said = refusal(data_config(path=config.path, cache_dir=lock.parent))
    assert isinstance(said, DamagedError) and str(lock) in str(said), said
    assert kind != "link" or (tmp_path / "precious").read_text() == "text"


def test_without_working_locks_the_first_builder_wins_and_none_fails(config: DataConfig) -> None:
    """As on some network file systems, or after a held lock was deleted."""
    first = begin(lambda: prepare(config).tokenizer_sha256, fault="folder.before_rename:1:hang")
    wait_for(lambda: list(Path(config.cache_dir).glob(".tmp-*/header.json")))
    for lock in Path(config.cache_dir).glob("*.lock"):
        lock.unlink()
    os.kill(first.pid, signal.SIGSTOP)
    second = trials.run(lambda: prepare(config).tokenizer_sha256)
    assert second.code == 0, second.said
    os.kill(first.pid, signal.SIGKILL)
    end(first)

    def slow() -> str:
        encode = token_cache._encode
        token_cache._encode = lambda *a, **k: (time.sleep(0.4), encode(*a, **k))[1]
        return prepare(other).tokenizer_sha256

    other = data_config(path=config.path, cache_dir=Path(config.cache_dir).with_name("other"))
    slower = begin(slow)
    wait_for(lambda: list(Path(other.cache_dir).glob(".tmp-*/tokenizer.json")))
    for lock in Path(other.cache_dir).glob("*.lock"):
        lock.unlink()
    assert trials.run(lambda: prepare(other)).code == 0
    ended = end(slower)
    assert ended.code == 0 and ended.said.splitlines()[-1] == second.said.splitlines()[-1], ended


def test_a_cache_folder_that_is_deleted_during_the_build_is_one_line(
    config: DataConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    encode = token_cache._encode

    def meddle(*arguments: object, **options: object) -> object:
        shutil.rmtree(config.cache_dir)
        return encode(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(token_cache, "_encode", meddle)
    assert isinstance(refusal(config), CannotWriteError)
    monkeypatch.undo()
    assert prepare(config).vocab_size == 300


# Places and clocks


@pytest.mark.parametrize("name", ["a space", "ünïcödé 猫 [x]*?", "'quotes\" $HOME %s {x}", "x" * 200])
def test_any_folder_name_and_a_link_to_it_are_accepted(config: DataConfig, tmp_path: Path, name: str) -> None:
    want = prepare(config)
    moved = Path(config.path or "").rename(tmp_path / name)
    (tmp_path / "link").symlink_to(moved)
    for corpus in (moved, tmp_path / "link"):
        assert prepare(data_config(path=corpus, cache_dir=config.cache_dir)).folder == want.folder
    (tmp_path / f"{name} cache").mkdir()
    (tmp_path / "cache link").symlink_to(tmp_path / f"{name} cache")
    for place in (tmp_path / f"{name} cache" / name, tmp_path / "cache link" / "below"):
        assert content(prepare(data_config(path=moved, cache_dir=place))) == content(want)


def test_a_name_that_is_too_long_is_refused(config: DataConfig, tmp_path: Path) -> None:
    for place in (tmp_path / ("x" * 300), tmp_path.joinpath(*["y" * 200] * 25)):
        with pytest.raises(CannotWriteError, match="File name too long"):
            prepare(data_config(path=config.path, cache_dir=place))


@pytest.mark.parametrize("seconds", [-(10**9), 10**9])
def test_a_clock_that_is_set_back_or_ahead_changes_nothing(
    config: DataConfig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    monkeypatch.setattr(hashing, "LEAST_REMEMBERED_BYTES", 0)
    first, train = prepare(config), Path(config.path or "") / "train.txt"
    then = time.time() + seconds
    for path in (train, *first.folder.iterdir(), first.folder):
        os.utime(path, (then, then))
    caplog.clear()
    assert prepare(config).folder == first.folder and BUILDING not in caplog.text
    real = time.time_ns
    with monkeypatch.context() as patch:
        patch.setattr(time, "time_ns", lambda: real() + seconds * 10**9)
        assert prepare(config).folder == first.folder
        text = train.read_text()
        train.write_text(text.replace("Tom", "Tim", 1))
        os.utime(train, (then, then))
        assert prepare(config).folder != first.folder, "a change is noticed whatever the clock shows"
        train.write_text(text)
        assert prepare(config).folder == first.folder
        (first.folder / "train.bin").write_bytes(b"\1" + (first.folder / "train.bin").read_bytes()[1:])
        os.utime(first.folder / "train.bin", (then, then))
        with pytest.raises(DamagedError):
            token_cache.open_cache(first.folder)


# Full disks


@pytest.mark.parametrize("limit", [0, 10, 300, 4000, 9000, 12_000])
def test_a_disk_that_fills_up_at_any_file_leaves_nothing_and_the_next_start_works(
    config: DataConfig, limit: int
) -> None:
    """The limits stop different files: the lock, the tokenizer, the tokens, the header."""
    import resource

    def work() -> None:  # it cannot write its own output either
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        os._exit(refusal(config).exit_code)

    assert trials.run(work).code == ExitCode.CANNOT_WRITE
    assert names(config) == []
    assert content(prepare(config))["vocab_size"] == 300


@contextmanager
def small_disk(place: Path, options: str) -> Iterator[None]:
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount: {mounted.stderr.decode()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


@as_root
@pytest.mark.parametrize(
    "options",
    ["size=1m", "nr_inodes=3", "ro", *(pytest.param(f"nr_inodes={n}", marks=pytest.mark.slow) for n in (1, 2, 4, 5))],
)
def test_the_command_line_reports_a_full_disk_too(config: DataConfig, tmp_path: Path, options: str) -> None:
    place = tmp_path / "small"
    with small_disk(place, options):
        if options == "size=1m":
            (place / "full").write_bytes(b"x" * (1_000_000 + 20_000))
        arguments = ["prepare", f"data.path={config.path}", "data.vocab_size=300", f"data.cache_dir={place}"]
        child = trials.run(lambda: exit(run_command(arguments)))
        assert child.code == ExitCode.CANNOT_WRITE, child.said
        assert "cannot write" in child.said.splitlines()[-1] and "Traceback" not in child.said
        assert not [path for path in place.iterdir() if path.suffix != ".lock" and path.name != "full"]
        if options == "size=1m":
            (place / "full").unlink()
        subprocess.run(["mount", "-o", "remount,rw,size=4m,nr_inodes=100", str(place)], check=True)
        assert trials.run(lambda: prepare(data_config(path=config.path, cache_dir=place))).code == 0
        found = prepare(data_config(path=config.path, cache_dir=config.cache_dir)).splits[Split.TRAIN].tokens.nbytes
        (built,) = place.glob("*/train.bin")
        assert built.stat().st_size == found


def test_no_tokenizer_is_saved_by_its_own_method() -> None:
    """`tokenizers` leaves half of a file on a full disk."""
    package = Path(token_cache.__file__).parents[1]
    for file in package.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"\.save\([^)]|save_pretrained\(", text), file
