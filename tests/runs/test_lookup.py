"""Names mean what a person expects of them."""

from pathlib import Path

import pytest

from tests.analysis.report.runs import make_run
from tinystories_lm.cli import main
from tinystories_lm.runs.lookup import select
from tinystories_lm.system.errors import UsageError


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
    assert [str(run.path.relative_to("outputs")) for run in select(names)] == meant


def test_a_preset_is_its_newest_run(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(work)
    (found,) = select(["round2"])
    assert found.path == Path("outputs/round2/second")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wyde", "did you mean wide"),
        ("roud2", "did you mean round2"),
        ("bare", "no run lies"),
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
        select([])
