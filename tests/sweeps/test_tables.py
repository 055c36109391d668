"""A sweep's tables: the plan with its total, results, and the spread over seeds."""

import json
import statistics
from pathlib import Path

import pytest

from tests.sweeps.members import member_in
from tinystories_lm.planning.preflight import check_distinct
from tinystories_lm.sweeps.tables import as_record, describe_end, describe_plan, describe_results, describe_seeds
from tinystories_lm.system.console import duration
from tinystories_lm.system.errors import UsageError


def test_the_plan_counts_time_and_dollars_of_what_is_left_only(tmp_path: Path) -> None:
    done = member_in(tmp_path / "done", done=True, training__seed="0")
    new = member_in(tmp_path / "new", training__seed="1")
    *_, first, second, total = describe_plan([done, new]).splitlines()
    expected = duration(new.expected.seconds)
    assert len(first.split()) == 4 and first.endswith("done"), "neither time nor dollars"
    assert expected in second and second.endswith("new")
    assert total == f"2 runs, 1 done; 1 to go: about {expected} and ${new.expected.dollars:.2f}"


def test_seeds_are_compared_by_mean_and_sample_standard_deviation(tmp_path: Path) -> None:
    losses = [2.0, 2.1, 2.4]
    members = [
        member_in(tmp_path / str(seed), done=True, loss=loss, training__seed=str(seed))
        for seed, loss in enumerate(losses)
    ]
    spread = f"{statistics.fmean(losses):.4f} ± {statistics.stdev(losses):.4f}"
    assert spread in describe_seeds(members) and spread in describe_results(members)
    assert describe_seeds([member_in(tmp_path / "other", done=True, optimizer__lr="0.1")]) == ""


def test_a_member_without_a_result_is_shown_without_figures(tmp_path: Path) -> None:
    member = member_in(tmp_path, training__seed="0")
    assert describe_end(member) == f"not started: {member.reason}"
    assert describe_results([member]).splitlines()[-1].split() == ["0", "new"]
    assert "val/loss" not in as_record(member) and as_record(member)["status"] == "new"


def test_a_record_is_json_with_the_swept_settings_and_the_figures(tmp_path: Path) -> None:
    record = json.loads(json.dumps(as_record(member_in(tmp_path, done=True, training__seed="0"))))
    assert record["training.seed"] == "0" and record["run"] == str(tmp_path)
    assert (record["val/loss"], record["cost/usd"], record["time/train_seconds"]) == (2.0, 0.5, 75.0)


def test_a_damaged_summary_makes_a_member_one_that_has_failed(tmp_path: Path) -> None:
    member = member_in(tmp_path, done=True)
    member.run.summary.write_text("{}")
    assert str(member.status) == "failed" and member.result is None and "summary.json" in member.reason


def test_two_members_with_one_folder_are_refused(tmp_path: Path) -> None:
    members = [member_in(tmp_path, tracking=mode) for mode in ("off", "offline")]
    with pytest.raises(UsageError, match="tracking=off and tracking=offline are the same run"):
        check_distinct([member.job for member in members])


def test_the_best_of_several_results_is_marked(tmp_path: Path) -> None:
    members = [member_in(tmp_path / str(loss), done=True, loss=loss, training__seed=str(loss)) for loss in (2.5, 2.0)]
    rows = describe_results([*members, member_in(tmp_path / "new")]).split("\n\n")[0].splitlines()[2:]
    assert [row.rstrip().endswith("best") for row in rows] == [False, True, False]
    assert "best" not in describe_results(members[:1])
