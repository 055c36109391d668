"""A resumed run's copy has no gap and no duplicate, whether its processes were online or offline."""

import json
import logging
import subprocess
from pathlib import Path

import pytest

from tests.tracking.sdk import PATIENT, history, inspect, keep, log_all, sample, start, sync_command, tracking
from tests.tracking.wandb_server import WandbServer
from tinystories_lm.config.choices import TrackingMode

pytestmark = pytest.mark.usefixtures("no_account")


@pytest.mark.parametrize("arrived", [10, 5])
def test_a_resumed_run_leaves_no_gap_and_no_duplicate(arrived: int, server: WandbServer, tmp_path: Path) -> None:
    """The run was cut off after ten rows, of which all or five arrived; the checkpoint was that of step 6."""
    first = start(tmp_path, tracking("online", **PATIENT))
    log_all(first, range(arrived))
    first.finish(exit_code=75)
    keep(tmp_path, range(10))
    (tmp_path / "samples.jsonl").write_text(json.dumps({"step": 5, **sample("before")}) + "\n")
    second = start(tmp_path, tracking("online", **PATIENT), resumed_at=6)
    log_all(second, range(7, 13))
    second.log_samples(12, [sample("after")])
    second.finish(exit_code=0)
    run = server.runs["run1"]
    assert [row["progress/step"] for row in run.rows if "progress/step" in row] == list(range(13))
    assert [row[2] for row in json.loads(server.files["artifact/samples.table.json"])["data"]] == ["before", "after"]
    assert run.exit_code == 0


@pytest.mark.parametrize("written", [10, 5])
def test_offline_the_newest_segment_of_a_resumed_run_is_the_whole_run(
    written: int, server: WandbServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = start(tmp_path, tracking())
    log_all(first, range(written))
    first.finish(exit_code=75)
    keep(tmp_path, range(10))
    second = start(tmp_path, tracking(), resumed_at=6)
    log_all(second, range(7, 13))
    with caplog.at_level(logging.INFO):
        second.finish(exit_code=0)
    assert second.folder is not None and list((tmp_path / "wandb").glob("offline-run-*")) == [second.folder]
    assert [row["progress/step"] for row in history(inspect(second.folder))] == list(range(13))
    done = subprocess.run(sync_command(caplog.text), cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert [row["progress/step"] for row in server.runs["run1"].rows] == list(range(13))
    keep(tmp_path, range(13))
    third = start(tmp_path, tracking(), resumed_at=12)  # what was sent stays, and is not repeated
    log_all(third, range(13, 15))
    caplog.clear()
    with caplog.at_level(logging.INFO):
        third.finish(exit_code=0)
    assert third.folder is not None
    assert sync_command(caplog.text)[-2:] == ["--yes", f"wandb/{third.folder.name}"]
    assert [row["progress/step"] for row in history(inspect(third.folder))] == [13, 14]


def test_a_run_that_was_offline_and_resumes_online_is_there_once(
    server: WandbServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What was kept offline would duplicate the rows, so it is removed once all of them are there."""
    first = start(tmp_path, tracking())
    log_all(first, range(10))
    first.finish(exit_code=75)
    keep(tmp_path, range(10))
    second = start(tmp_path, tracking("online", **PATIENT), resumed_at=6)
    log_all(second, range(7, 13))
    caplog.clear()
    with caplog.at_level(logging.INFO):
        second.finish(exit_code=0)
    assert [row["progress/step"] for row in server.runs["run1"].rows if "progress/step" in row] == list(range(13))
    assert not list((tmp_path / "wandb").glob("offline-run-*")) and "wandb sync" not in caplog.text


def test_a_run_that_was_online_and_resumes_offline_is_sent_by_upload(
    server: WandbServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """`wandb sync` would duplicate what is there already."""
    first = start(tmp_path, tracking("online", **PATIENT))
    log_all(first, range(10))
    first.finish(exit_code=75)
    keep(tmp_path, range(10))
    server.status = 500
    with caplog.at_level(logging.INFO):
        second = start(tmp_path, tracking("online"), resumed_at=6)
        log_all(second, range(7, 13))
        second.finish(exit_code=0)
    assert second.folder is not None and second.mode is TrackingMode.offline
    assert caplog.text.count("`tinystories-lm upload .`") == 2 and "wandb sync" not in caplog.text
    assert [row["progress/step"] for row in history(inspect(second.folder))] == list(range(7, 13))
