"""`tinystories-lm report`: a page on the disk."""

import json
import re
import signal
import subprocess
import sys
import time
from importlib import resources
from pathlib import Path

import pytest

from tests.analysis.report.runs import make_run
from tinystories_lm.analysis.report.build import gather, write_report
from tinystories_lm.analysis.report.read_runs import Reader
from tinystories_lm.cli import main
from tinystories_lm.runs.status import Status

EMPTY_PAGE_BYTES = 400_000
HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">\u2028<!--"


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_is_one_file_that_asks_for_nothing(work: Path) -> None:
    make_run(work / "outputs" / "smoke" / "one")
    assert main.run(["report"]) == 0
    page = (work / "outputs" / "report.html").read_text()
    assert (
        not re.findall(r'(?:src|href)="(?!data:)', page)
        and "@import" not in page
        and not re.findall(r"url\((?!#)", page)
    )
    assert re.findall(r"https?://[^\s'\"<]+", page) == ["http://www.w3.org/2000/svg"]
    assert 'http-equiv="refresh"' not in page


def test_a_page_of_one_run_is_small(work: Path) -> None:
    run = make_run(work / "outputs" / "smoke" / "one", steps=50)
    write_report([], reader=Reader())
    assert (work / "outputs" / "report.html").stat().st_size < EMPTY_PAGE_BYTES + run.metrics.stat().st_size


def test_what_comes_from_data_cannot_leave_its_place(work: Path) -> None:
    folder = work / "outputs" / "smoke" / "<script>alert(1)<" / "x"
    make_run(folder, status=Status.FAILED, reason=HOSTILE, text=HOSTILE, typed=[f"name={HOSTILE}"])
    name = "outputs/smoke/<script>alert(1)<"
    assert main.run(["report", name, "--out", "page.html"]) == 0
    page = (work / "page.html").read_text()
    assert page.count("<script") == 2 and page.count("</script") == 2 and "<img" not in page and "<!--" not in page
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert data is not None
    (run,) = json.loads(data[1])["runs"]
    assert run["samples"][0]["text"] == HOSTILE


def test_places_of_the_machine_are_not_on_the_page(work: Path) -> None:
    first, second = work / "elsewhere" / "corpus", work / "elsewhere" / "other"
    for path in (first, second):
        make_run(work / "outputs" / "smoke" / path.name, f"data.path={path}", status=Status.FAILED, reason=f"no {path}")
    (work / "outputs" / "smoke" / "other" / "config.yaml").write_text("model: [")
    write_report([], reader=Reader())
    assert str(work) not in (work / "outputs" / "report.html").read_text()


def test_the_table_for_programs(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (0, 1):
        folder = work / "outputs" / "sweeps" / "seeds" / f"{seed}"
        make_run(folder, f"training.seed={seed}", typed=["hardware=cpu", f"training.seed={seed}"])
    assert main.run(["report", "seeds", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(run["run"], run["label"], run["status"]) for run in found["runs"]] == [
        ("sweeps/seeds/0", "seed=0", "done"),
        ("sweeps/seeds/1", "seed=1", "done"),
    ]
    assert found["differences"] == [{"setting": "training.seed", "kind": "exact", "values": ["0", "1"], "choice": None}]
    assert (found["choices"], [setting["seeds"] for setting in found["settings"]]) == ([], [2])
    assert not (work / "outputs" / "report.html").exists()


@pytest.mark.parametrize(
    "arguments", [["--json", "--watch"], ["--json", "--out", "x"], ["--out", "outputs"], ["no_such_run"]]
)
def test_wrong_usage_is_one_line(arguments: list[str], work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(work / "outputs" / "smoke" / "one", steps=50)
    assert main.run(["report", *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_page_that_cannot_be_written_is_one_line(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(work / "outputs" / "smoke" / "one", steps=50)
    (work / "file").touch()
    assert main.run(["report", "--out", "file/page.html"]) == 5
    assert capsys.readouterr().err.count("\n") == 1


def test_groups_stand_newest_first_and_runs_by_size(work: Path) -> None:
    for width in (64, 32):
        make_run(work / "outputs" / "sweeps" / "old" / str(width), "model.n_heads=2", f"model.d_model={width}",
                 status=Status.INTERRUPTED)  # fmt: skip
    for status in (work / "outputs").rglob("status.json"):
        status.write_text(status.read_text().replace('"updated": "20', '"updated": "19'))
    make_run(work / "outputs" / "smoke" / "new")
    assert [run.path for run in gather([], Reader())] == ["smoke/new", "sweeps/old/32", "sweeps/old/64"]


def test_watching_ends_with_a_still_page_and_0(work: Path, environment: dict[str, str]) -> None:
    make_run(work / "outputs" / "smoke" / "one", steps=50)
    page = work / "outputs" / "report.html"
    process = subprocess.Popen(
        [sys.executable, "-m", "tinystories_lm", "report", "--watch"],
        cwd=work,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 30
    while not page.exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert 'http-equiv="refresh"' in page.read_text()
    assert process.stdout is not None and "Ctrl-C" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, heard = process.communicate(timeout=20)
    assert (process.returncode, heard) == (0, "")
    assert 'http-equiv="refresh"' not in page.read_text()


def test_the_files_of_the_page_are_part_of_the_package() -> None:
    names = {file.name for file in resources.files("tinystories_lm.analysis.report").iterdir()}
    assert {"page.html", "page.css", "elements.js", "chart.js", "table.js", "page.js"} <= names
