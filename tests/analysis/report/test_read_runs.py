"""A run folder is read for the report, whatever it holds."""

import json
import math
import os
import statistics
import time
from pathlib import Path

import pytest

from tests.analysis.report.runs import loss_at, make_run, rows_of
from tinystories_lm.analysis.report.build import published_rounds
from tinystories_lm.analysis.report.read_runs import Reader, read_run, shown
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.status import Status
from tinystories_lm.system.json_files import write_json
from tinystories_lm.system.locks import lock


def test_figures_are_those_of_the_last_rows(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / "run", status=Status.INTERRUPTED, steps=130))
    assert run.state == Status.INTERRUPTED and not run.problems
    assert run.figures["progress/step"] == 130
    assert run.figures["val/loss"] == loss_at(100)  # the last evaluation
    assert run.figures["val/perplexity"] == pytest.approx(math.exp(loss_at(100)))
    speeds = [4000.0 + step % 7 for step in range(10, 131, 10)]
    assert run.figures["speed/tokens_per_second"] == statistics.median(speeds)


def test_the_summary_wins_over_the_rows(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", verdict={"name": "data-bound", "because": ["it is"], "next": ["more"]})
    write_json(run.summary, json.loads(run.summary.read_text()) | {"val/loss": 1.5})
    found = read_run(run)
    assert found.figures["val/loss"] == 1.5 and found.figures["parameters"] == 1234
    assert found.verdict is not None and (found.verdict.name, found.verdict.because) == ("data-bound", ["it is"])


def test_running_is_what_a_process_holds(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", status=Status.RUNNING)
    assert read_run(run).state == Status.INTERRUPTED
    with lock(run.lock, wait=False) as holder:
        assert holder is None
        assert read_run(run).state == Status.RUNNING


def test_an_imported_model_is_told_as_such(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    run.metrics.unlink()
    run.samples.unlink()
    write_json(run.summary, {"imported_from": "llama", "progress/step": 0, "parameters": 7, "stories": []})
    found = read_run(run)
    assert found.state == "imported" and not found.rows and not found.problems


DAMAGE = {
    "nothing but a config": lambda run: [path.unlink() for path in (run.metrics, run.samples, run.status, run.summary)],
    "empty files": lambda run: [path.write_bytes(b"") for path in run.path.glob("*.*")],
    "no text": lambda run: [path.write_bytes(os.urandom(300)) for path in run.path.glob("*.*")],
    "lists": lambda run: [path.write_text("[1, 2]") for path in run.path.glob("*.*")],
    "nested too deeply": lambda run: [path.write_text("[" * 100_000) for path in run.path.glob("*.json*")],
    "folders for files": lambda run: [(path.unlink(), path.mkdir()) for path in list(run.path.glob("*.*"))],
    "wrong types": lambda run: (
        run.metrics.write_text('{"progress/step": "x", "val/loss": [1]}\n{"progress/step": true}\n'),
        run.samples.write_text('{"text": 5}\n{"step": {}, "text": "a", "settings": 3, "prompt": []}\n'),
        run.status.write_text('{"status": ["done"], "updated": 7, "reason": {"a": 1}}'),
        run.summary.write_text('{"val/loss": "low", "stories": {"a": 1}, "verdict": {"name": 3}}'),
    ),
    "numbers that are none": lambda run: (
        run.metrics.write_text('{"progress/step": 1, "val/loss": NaN, "train/loss": 1e999, "cost/usd": -Infinity}\n'),
        run.summary.write_text('{"val/loss": NaN, "val/perplexity": 1e999, "parameters": 1' + "0" * 400 + "}"),
    ),
    "half characters": lambda run: run.samples.write_text('{"step": 1, "text": "\\ud800"}\n'),
    "pipes": lambda run: [(path.unlink(), os.mkfifo(path)) for path in list(run.path.glob("*.*"))],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_folder_is_read_as_far_as_it_goes(damage: str, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    DAMAGE[damage](run)
    found = read_run(run)
    json.dumps([found.figures, list(found.rows), found.reason], allow_nan=False).encode()
    assert all(sample.text.encode() is not None for sample in found.samples)
    if damage not in ("numbers that are none", "half characters"):
        assert found.problems


def test_half_a_last_line_is_no_damage_and_one_in_the_middle_is_told(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    whole = run.metrics.read_text()
    run.metrics.write_text(whole + '{"progress/step": 210, "val/l')
    assert read_run(run).problems == () and len(read_run(run).rows) == len(rows_of(200))
    run.metrics.write_text('{"progress/st\n' + whole)
    assert read_run(run).problems == ("1 line of metrics.jsonl left out: damaged",)


def test_places_of_this_machine_are_left_out(tmp_path: Path) -> None:
    assert shown("/home/me/corpora/ts") == "…/ts"
    assert shown("no space on /mnt/disk/x, and/or 3/4 of it") == "no space on …/x, and/or 3/4 of it"
    assert shown(None) == "" and shown(True) == "true" and shown(["a"]) == '["a"]'


def test_a_run_that_did_not_change_is_not_read_again(tmp_path: Path) -> None:
    reader, run = Reader(), make_run(tmp_path / "run")
    first = reader.read(run)
    assert reader.read(run) is first
    with run.metrics.open("a") as file:
        file.write('{"progress/step": 300, "progress/tokens": 9, "val/loss": 1.0}\n')
    assert reader.read(run).rows[-1] == {"progress/step": 300, "progress/tokens": 9, "val/loss": 1.0}


def test_the_second_round_has_its_four_published_points(tmp_path: Path) -> None:
    plain = read_run(make_run(tmp_path / "plain"))
    assert published_rounds([plain]) == []
    (found,) = published_rounds([plain, read_run(make_run(tmp_path / "round", "name=round2"))])
    points = found["points"]
    assert [(point["progress/step"], point["val/loss"]) for point in points] == [
        (0, 8.40), (1000, 2.16), (5000, 1.61), (14999, 1.40),
    ]  # fmt: skip
    assert [point["progress/tokens"] for point in points] == [step * 64 * 512 for step in (0, 1000, 5000, 14999)]
    assert points[-1]["val/perplexity"] == 4.0 and points[1]["val/perplexity"] == pytest.approx(math.exp(2.16))
    assert "time/train_seconds" not in points[1] and points[-1]["time/train_seconds"] == 360
    assert points[-1]["cost/usd"] == 0.3


def test_a_round_without_steps_has_only_its_perplexity(tmp_path: Path) -> None:
    (found,) = published_rounds([read_run(make_run(tmp_path / "round", "name=round1"))])
    assert found["points"] == [] and found["perplexity"] == 194


def test_reading_writes_nothing(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
    read_run(RunFolder(run.path))
    assert {path: path.stat().st_mtime_ns for path in run.path.rglob("*")} == before


@pytest.mark.parametrize("depth", range(900, 1100, 7))
def test_no_depth_of_nesting_ends_the_report_of_the_others(tmp_path: Path, depth: int) -> None:
    """There are depths that json reads and does not write."""
    run, deep = make_run(tmp_path / "run"), "[" * depth + "]" * depth
    run.status.write_text(f'{{"status": "failed", "reason": {deep}}}')
    run.summary.write_text(f'{{"a": {deep}, "sha256": "0"}}')
    run.samples.write_text(f'{{"step": 1, "text": "a", "settings": {{"a": {deep}}}}}\n')
    run.environment.write_text(f'{{"run_id": {deep}}}')
    assert isinstance(read_run(run).reason, str)


def test_a_mean_that_is_no_number_is_not_shown(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    run.metrics.write_text('{"progress/step": 1, "progress/tokens": 1, "speed/tokens_per_second": 1.7e308}\n' * 2)
    json.dumps(read_run(run).figures, allow_nan=False)


def test_rows_without_end_are_refused_in_a_moment(tmp_path: Path) -> None:
    run, seconds = make_run(tmp_path / "run"), []
    for n_rows in (1, 110_000, 1_100_000):  # the first for what is imported
        run.metrics.write_bytes(b"[]\n" * n_rows)
        began = time.process_time()  # not the clock's: other processes may have the core
        found = read_run(run)
        seconds.append(time.process_time() - began)
    assert "metrics.jsonl cannot be read" in found.problems
    assert seconds[2] < 5 * seconds[1], "ten times as many rows"
