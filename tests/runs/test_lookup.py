"""Names find the runs that a person means by them."""

import os
import shutil
import time
from pathlib import Path

import msgspec
import pytest

from tests.analysis.report.runs import make_run
from tests.interop.test_export import make_run as make_small_run
from tinystories_lm.cli import main
from tinystories_lm.config.fingerprint import config_hash
from tinystories_lm.runs.folder import RunFolder, read_config
from tinystories_lm.runs.lookup import find_run, find_runs, find_sweep, interrupted_run, runs_below
from tinystories_lm.runs.records import read_record, write_record
from tinystories_lm.runs.status import Status, write_status
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.json_files import read_json, write_json


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("work")
    for place in ("round2/first", "round2/second", "sweeps/wide/aaaa", "sweeps/wide/bbbb", "smoke/one"):
        make_run(work / "outputs" / place, steps=50)
    (work / "outputs" / "round2" / ".tmp-half").mkdir()
    (work / "outputs" / "cache" / "0123").mkdir(parents=True)
    (work / "bare").mkdir()
    return work


@pytest.mark.parametrize(
    ("names", "meant"),
    [
        ([], ["round2/first", "round2/second", "smoke/one", "sweeps/wide/aaaa", "sweeps/wide/bbbb"]),
        (["wide"], ["sweeps/wide/aaaa", "sweeps/wide/bbbb"]),
        (["outputs/sweeps/wide"], ["sweeps/wide/aaaa", "sweeps/wide/bbbb"]),
        (["outputs/round2"], ["round2/first", "round2/second"]),
        (["smoke"], ["smoke/one"]),
        (["smoke/one", "outputs/smoke", "latest"], ["smoke/one"]),
        (["bbbb", "wide"], ["sweeps/wide/bbbb", "sweeps/wide/aaaa"]),
        (["sweeps"], ["sweeps/wide/aaaa", "sweeps/wide/bbbb"]),
    ],
)
def test_names(names: list[str], meant: list[str], work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(work)
    assert [str(run.path.relative_to("outputs")) for run in find_runs(names)] == meant


def test_a_preset_is_its_newest_run(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(work)
    (found,) = find_runs(["round2"])
    assert found.path == Path("outputs/round2/second")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wyde", "did you mean wide"),
        ("roud2", "did you mean round2"),
        ("bare", "holds a run"),
        ("zzz", "there are: wide"),
    ],
)
def test_an_unknown_name_is_one_line_and_exit_2(
    name: str, said: str, work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(work)
    assert main.run(["report", name]) == 2
    heard = capsys.readouterr().err
    assert said in heard and heard.count("\n") == 1


def test_nothing_at_all_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="there is no run under outputs/ yet"):
        find_runs([])


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("found") / "outputs"
    for number, name in enumerate(("small/one", "small/two", "sweeps/sizes/ab12")):
        run = make_small_run(folder / name)
        write_record(run, msgspec.structs.replace(read_record(run), run_id=str(number) * 12))
    return folder


@pytest.mark.parametrize(
    ("name", "found"),
    [("small/one", "small/one"), ("one", "small/one"), ("sweeps/sizes/ab12", "sweeps/sizes/ab12"), ("ab12", "ab12")],
)
def test_a_run_is_found_by_its_folder_wherever_it_is_named_from(outputs: Path, name: str, found: str) -> None:
    assert str(find_run(name, outputs=outputs).path).endswith(found)
    assert find_run(str(outputs / "small/two"), outputs=outputs).path == outputs / "small/two"


def test_a_presets_name_and_latest_are_the_newest(outputs: Path) -> None:
    time.sleep(1.0)  # status.json tells whole seconds
    write_status(RunFolder(outputs / "small/one"), Status.DONE, reason="", step=4)
    assert find_run("small", outputs=outputs).path.name == find_run("latest", outputs=outputs).path.name == "one"


@pytest.mark.parametrize("name", ["smal", "small/oen", "ab13"])
def test_a_run_that_is_not_there_is_answered_with_the_nearest(outputs: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"no such run; did you mean (small|.*one|ab12)") as raised:
        find_run(name, outputs=outputs)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["n" * 256, "a/" * 3000])
def test_a_name_that_no_folder_can_have_is_one_line(outputs: Path, name: str) -> None:
    with pytest.raises(UsageError, match="too long"):
        find_run(name, outputs=outputs)


@pytest.mark.parametrize("keep_times", [False, True])
def test_a_copy_is_never_the_newest_run(tmp_path: Path, keep_times: bool) -> None:
    old, new = make_small_run(tmp_path / "small" / "one"), make_small_run(tmp_path / "small" / "two")
    for number, run in enumerate((old, new)):
        write_record(run, msgspec.structs.replace(read_record(run), run_id=str(number) * 12))
        write_status(run, Status.DONE, reason="", step=4)
        write_json(run.status, read_json(run.status) | {"updated": "2026-01-01T00:00:00+0000"})  # in the same second
    shutil.copytree(new.path, tmp_path / "small" / "two.bak", copy_function=shutil.copy2 if keep_times else shutil.copy)
    shutil.copytree(old.path, tmp_path / "small" / "one.bak", copy_function=shutil.copy)
    assert [run.path.name for run in runs_below(tmp_path)][:2] == ["two", "one"]


def test_the_recorded_time_counts_and_not_that_of_the_file(outputs: Path) -> None:
    newest, other, *_ = runs_below(outputs)
    os.utime(other.status)
    stored = read_json(newest.status)
    write_json(newest.status, stored | {"updated": "2100-01-01T00:00:00+0000"})
    os.utime(newest.status, (0, 0))
    assert next(iter(runs_below(outputs))).path == newest.path


def test_a_run_that_is_about_to_begin_is_not_the_latest(outputs: Path) -> None:
    newest = find_run("latest", outputs=outputs)
    assert find_run("latest", outputs=outputs, besides=newest).path != newest.path


@pytest.mark.parametrize(
    ("status", "reason", "goes_on"),
    [
        (Status.INTERRUPTED, "signal", True),
        (Status.FAILED, "CannotWriteError: cannot write x: No space left on device", True),
        (Status.FAILED, "oom: the peak was 3 GB", True),
        (Status.FAILED, "diverged at step 7: the loss is nan", False),
        (Status.DONE, "", False),
    ],
)
def test_the_same_settings_find_the_run_that_can_go_on(
    tmp_path: Path, status: Status, reason: str, goes_on: bool
) -> None:
    run = make_small_run(tmp_path / "small" / "one")
    config = read_config(run)
    run.path.rename(tmp_path / "small" / f"one_{config_hash(config)}")
    run = RunFolder(tmp_path / "small" / f"one_{config_hash(config)}")
    write_status(run, status, reason=reason, step=4)
    found = interrupted_run(config, outputs=tmp_path)
    assert (found is not None and found.path == run.path) == goes_on


@pytest.mark.parametrize("name", ["wide", "sweeps/wide", "round2", "outputs/round2"])
def test_a_sweep_is_any_folder_of_runs(name: str, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(work)
    folder, runs = find_sweep(name)
    assert folder.name == Path(name).name and len(runs) == 2


@pytest.mark.parametrize(
    ("name", "answer"),
    [("wyde", "did you mean wide"), ("zzz", "there are: wide"), ("smoke/one", "sweep"), ("bare", "holds a run")],
)
def test_a_sweep_that_is_not_there_is_answered_with_the_nearest(
    name: str, answer: str, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(work)
    with pytest.raises(UsageError, match=answer):
        find_sweep(name)
