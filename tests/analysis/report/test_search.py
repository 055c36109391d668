"""The picture of a search in a report."""

import re
from pathlib import Path

import pytest

from tests.analysis.report.runs import make_run
from tinystories_lm.analysis.report.build import gather, page
from tinystories_lm.analysis.report.read_runs import Reader
from tinystories_lm.analysis.report.search import BOTTOM, HEIGHT, TOP, Axis, describe_searches
from tinystories_lm.runs.status import Status
from tinystories_lm.runs.trials import StudyRecord, TrialRecord, write_study_record, write_trial

STUDY = "abcdef01"


def make_trial(folder: Path, number: int, *, shift: float = 0.0, status: Status = Status.DONE, **params: str) -> None:
    run = make_run(folder / f"run{number}", steps=50, shift=shift, status=status)
    write_trial(run, TrialRecord(study=STUDY, number=number, params={"lr": "0.1", **params}))


def html_of(folder: Path) -> str:
    return describe_searches(gather([str(folder)], Reader()))


def points(html: str) -> dict[int, list[tuple[float, float]]]:
    """Return where each trial's line crosses the axes, by the trial's number, as drawn."""
    found = re.findall(r'points="([^"]*)"><title>trial (\d+)', html)
    return {int(number): [tuple(map(float, one.split(","))) for one in line.split()] for line, number in found}  # type: ignore[misc]


def test_a_search_has_its_best_trial_its_importance_and_a_line_for_each_trial(tmp_path: Path) -> None:
    for number, (lr, shift) in enumerate((("0.001", 0.5), ("0.01", 0.0), ("0.1", 1.0))):
        make_trial(tmp_path, number, shift=shift, lr=lr, optimizer="muon")
    make_trial(tmp_path, 3, status=Status.INTERRUPTED, lr="0.1", optimizer="adamw")
    shares = {"lr": 0.75, "optimizer": 0.25}
    write_study_record(tmp_path, StudyRecord(study=STUDY, sampler="gp", logarithmic=("lr",), importance=shares))
    html = html_of(tmp_path)
    assert "Best of 4 trials: trial 1, validation loss" in html and "lr=0.01 optimizer=muon" in html
    assert "Importance: lr 75%, optimizer 25%" in html and "3 done, 1 interrupted; drawn by gp" in html
    lines = points(html)
    low, high = HEIGHT - BOTTOM, TOP
    assert [lines[number][0][1] for number in range(4)] == pytest.approx([low, (low + high) / 2, high, high]), (
        "in the logarithm"
    )
    assert [lines[number][1][1] for number in range(4)] == pytest.approx([high, high, high, low])
    assert [lines[number][2][1] for number in range(3)] == pytest.approx([(low + high) / 2, low, high])
    assert len(lines[3]) == 2, "without a loss of the whole length it has no place on the last axis"
    assert html.index("trial 1: ") > html.index("trial 0: "), "the best is drawn last, above the others"


@pytest.mark.parametrize("log", [False, True])
def test_ticks_stand_at_equal_distances(log: bool) -> None:
    axis = Axis("lr", low=1e-4, high=1e-1, log=log)
    places = [axis.place(tick) for tick in axis.ticks]
    assert len(places) == 3 and places[1] == pytest.approx((places[0] + places[2]) / 2, abs=0.5)


def test_runs_without_a_search_and_a_single_trial_have_no_picture(tmp_path: Path) -> None:
    make_run(tmp_path / "plain", steps=50)
    make_trial(tmp_path, 0)
    assert html_of(tmp_path) == ""


def test_what_a_trial_holds_cannot_leave_its_place_and_a_damaged_one_costs_itself_alone(tmp_path: Path) -> None:
    for number in range(2):
        make_trial(tmp_path, number, **{"<script>": "</svg><script>alert(1)</script>"})
    make_trial(tmp_path, 2)
    (tmp_path / "run2" / "trial.json").write_text("{")
    text = page(gather([str(tmp_path)], Reader()), folders=["x"], reload_seconds=0)
    assert text.count("<script") == 2 and "Best of 2 trials" in text and "trial.json is damaged" in text
