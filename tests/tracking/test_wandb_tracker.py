"""The W&B tracker with the real SDK: read back offline, uploaded to a small server, and to servers that fail."""

import contextlib
import json
import logging
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SMALL_RUN, Command
from tests.tracking.wandb_server import WandbServer
from tinystories_lm.config.choices import TrackingMode
from tinystories_lm.config.schema import TrackingConfig
from tinystories_lm.tracking.wandb_auth import resolve_mode
from tinystories_lm.tracking.wandb_tracker import WandbTracker, start_tracker

KEY = "a1b2c3d4e5" * 4
INIT_SECONDS, FINISH_SECONDS = 1, 1  # of servers that fail; those that work have longer
PATIENT = {"init_timeout_seconds": 20, "finish_timeout_seconds": 20}
SLOW = pytest.mark.slow


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Hide every key, setting and server from the SDK, and check that it leaves no process behind."""
    for name in list(os.environ):
        if name.startswith("WANDB_") or name == "NETRC":
            monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_X_DISABLE_STATS", "true")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    forget()
    yield
    forget()
    assert services() == []


def forget() -> None:
    """End the SDK's service and have it read its settings again."""
    if "wandb" in sys.modules:
        sys.modules["wandb"].teardown()


def services() -> list[int]:
    """Return the SDK's processes below this one."""
    command = ["ps", "-o", "pid=,stat=,comm=", "--ppid", str(os.getpid())]
    lines = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    found = [line.split() for line in lines if "wandb-core" in line]
    return [int(pid) for pid, state, *_ in found if not state.startswith("Z")]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbServer]:
    """Start a W&B server and set a key for it."""
    with WandbServer() as running:
        monkeypatch.setenv("WANDB_BASE_URL", running.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        yield running


def tracking(mode: str = "offline", **changes: Any) -> TrackingConfig:
    values = {
        "project": "stories", "entity": None, "group": "round9", "job_type": "train", "tags": ["round9", "blue"],
        "artifacts": False,
        "init_timeout_seconds": 20 if mode == "offline" else INIT_SECONDS, "finish_timeout_seconds": FINISH_SECONDS,
    }  # fmt: skip
    return TrackingConfig(mode=TrackingMode(mode), **{**values, **changes})


def start(folder: Path, config: TrackingConfig, run_id: str = "run1", resumed_at: int | None = None) -> WandbTracker:
    settings = {"training": {"steps": 5, "seed": 7}}
    return start_tracker(config, folder, run_id=run_id, name="a name", settings=settings, resumed_at=resumed_at)


def rows(steps: range) -> list[dict[str, float]]:
    return [{"progress/step": step, "progress/tokens": 10 * step, "val/loss": 9.5 - step} for step in steps]


def sample(text: str) -> dict[str, object]:
    return {"prompt": "Once", "text": text, "settings": {"top_p": 0.9}}


def log_all(tracker: WandbTracker, steps: range) -> float:
    """Log the rows and return the seconds that the slowest took."""
    slowest = 0.0
    for row in rows(steps):
        began = time.perf_counter()
        tracker.log(row)
        slowest = max(slowest, time.perf_counter() - began)
    return slowest


def inspect(folder: Path) -> list[dict[str, Any]]:
    """Return the records of a run's folder, as the SDK's own tool reads them."""
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(folder)]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert shown.returncode == 0, shown.stderr
    return [json.loads(line) for line in shown.stdout.splitlines()]


def of_type(records: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [record[kind] for record in records if record["type"] == kind]


def history(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows that hold metrics, without what the SDK adds."""
    items = [{key: value for key, value in row["item"].items() if key[0] != "_"} for row in of_type(records, "history")]
    return [item for item in items if "progress/step" in item]


def sync_command(text: str) -> list[str]:
    """Return the last command that the log offers to the user, to be run here."""
    words = shlex.split(text.rpartition("`wandb sync ")[2].partition("`")[0])
    assert words, text
    return [sys.executable, "-m", "wandb", "sync", "--yes", *words]


def holds_key(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and KEY.encode() in file.read_bytes()]


def test_an_offline_run_reads_back_whole_and_the_terminal_stays_clean(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    tracker = start(tmp_path / "a run", tracking())
    assert (tracker.mode, tracker.url) == (TrackingMode.offline, None)
    tracker.log_samples(0, [sample("Once a")])
    log_all(tracker, range(3))
    tracker.log_samples(2, [sample("Once b")])
    tracker.summarize({"val/loss": 1.5, "val/perplexity": 4.48, "parameters": 29})
    folder = tracker.folder
    assert folder is not None
    assert folder.parent == tmp_path / "a run" / "wandb"
    tracker.finish(exit_code=0)
    assert capfd.readouterr() == ("", "")
    records = inspect(folder)
    (run,) = of_type(records, "run")
    assert (run["project"], run["run_group"], run["job_type"], run["run_id"]) == ("stories", "round9", "train", "run1")
    assert (run["display_name"], run["tags"]) == ("a name", ["round9", "blue"])
    assert run["config"]["update"]["training"] == {"steps": 5, "seed": 7}
    assert [
        {key: row[key] for key in wanted} for row, wanted in zip(history(records), rows(range(3)), strict=True)
    ] == (rows(range(3)))
    summary = {key: value for update in of_type(records, "summary") for key, value in update["update"].items()}
    assert (summary["val/loss"], summary["val/perplexity"], summary["parameters"]) == (1.5, 4.48, 29)
    assert (summary["progress/step"], summary["progress/tokens"]) == (2, 20)
    axes = {axis.get("name") or axis.get("glob_name"): axis for axis in of_type(records, "metric")}
    for metrics in ("train/*", "val/*", "speed/*", "optimizer/*", "cost/*"):
        assert axes[metrics]["step_metric"] == "progress/tokens"
    tables = [json.loads(path.read_text()) for path in folder.glob("files/media/table/*.json")]
    whole = max(tables, key=lambda table: len(table["data"]))
    assert whole["columns"] == ["step", "prompt", "text", "settings"]
    assert [row[:3] for row in whole["data"]] == [[0, "Once", "Once a"], [2, "Once", "Once b"]]
    assert not holds_key(tmp_path)


def test_a_row_costs_the_loop_microseconds(tmp_path: Path) -> None:
    tracker = start(tmp_path, tracking())
    began = time.thread_time()  # not the clock's: other processes may have the core
    log_all(tracker, range(2000))
    assert (time.thread_time() - began) / 2000 < 200e-6
    tracker.finish(exit_code=0)


def test_runs_after_another_in_one_process_are_separate(tmp_path: Path) -> None:
    folders = []
    for number, run_id in enumerate(("one", "two")):
        tracker = start(tmp_path, tracking(), run_id)
        log_all(tracker, range(number, number + 1))
        folders.append(tracker.folder)
        tracker.finish(exit_code=number)
    for number, (run_id, folder) in enumerate(zip(("one", "two"), folders, strict=True)):
        assert folder is not None
        records = inspect(folder)
        assert of_type(records, "run")[0]["run_id"] == run_id
        assert [row["progress/step"] for row in history(records)] == [number]
        assert of_type(records, "exit")[0].get("exit_code", 0) == number


def test_auto_is_online_only_where_a_key_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def chosen(mode: TrackingMode = TrackingMode.auto, **environment: str) -> TrackingMode:
        forget()
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            return resolve_mode(mode)

    assert chosen() is TrackingMode.offline
    assert chosen(WANDB_API_KEY=KEY) is TrackingMode.online
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine api.wandb.ai password {KEY}\nmachine local:8080 login user password {KEY}\n")
    assert chosen(NETRC=str(netrc)) is TrackingMode.online
    assert chosen(NETRC=str(netrc), WANDB_BASE_URL="http://local:8080") is TrackingMode.online
    assert chosen(NETRC=str(netrc), WANDB_BASE_URL="http://local:8081") is TrackingMode.offline
    assert chosen(WANDB_API_KEY=KEY, WANDB_MODE="offline") is TrackingMode.offline
    assert chosen(WANDB_API_KEY=KEY, WANDB_MODE="disabled") is TrackingMode.off
    assert chosen(TrackingMode.online, WANDB_MODE="offline") is TrackingMode.online


@pytest.mark.parametrize(
    "fault", ["dead", "deaf", "401", "no key", *(pytest.param(f, marks=SLOW) for f in ("500", "slow"))]
)
def test_a_server_that_fails_at_the_start_costs_seconds_and_no_row(
    fault: str,
    server: WandbServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        if fault == "dead":
            server.die()
        elif fault == "deaf":
            monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{listener.getsockname()[1]}")
        elif fault == "slow":
            server.delay_seconds = 5
        elif fault == "no key":
            monkeypatch.delenv("WANDB_API_KEY")
        else:
            server.status = int(fault)
        began = time.monotonic()
        with caplog.at_level(logging.INFO):
            tracker = start(tmp_path, tracking("online" if fault == "no key" else "auto"))
        assert time.monotonic() - began < INIT_SECONDS + 3
        log_all(tracker, range(3))
        with caplog.at_level(logging.INFO):
            tracker.finish(exit_code=0)
        assert time.monotonic() - began < INIT_SECONDS + 6
    assert tracker.mode is TrackingMode.offline
    assert tracker.folder is not None
    assert [row["progress/step"] for row in history(inspect(tracker.folder))] == [0, 1, 2]
    ours = [record for record in caplog.records if record.name.startswith("tinystories_lm.")]
    warnings = [record.getMessage() for record in ours if record.levelno == logging.WARNING]
    (warning,) = [warning for warning in warnings if "has not answered yet" not in warning]  # on a busy machine
    assert f"`wandb sync wandb/{tracker.folder.name}`" in warning
    assert capfd.readouterr() == ("", "")
    assert not holds_key(tmp_path)


def test_an_online_run_arrives_whole(
    server: WandbServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.INFO):
        tracker = start(tmp_path, tracking("auto", **PATIENT))
    assert tracker.url is not None
    assert tracker.url in caplog.text
    log_all(tracker, range(3))
    tracker.log_samples(2, [sample("Once upon")])
    tracker.summarize({"val/loss": 1.5, "parameters": 29})
    tracker.finish(exit_code=6)
    run = server.runs["run1"]
    assert run.config["training"] == {"steps": 5, "seed": 7}
    assert (run.record["groupName"], run.record["jobType"], run.record["tags"]) == (
        "round9",
        "train",
        ["round9", "blue"],
    )
    arrived = [row for row in run.rows if "progress/step" in row]
    assert [{key: row[key] for key in wanted} for row, wanted in zip(arrived, rows(range(3)), strict=True)] == (
        rows(range(3))
    )
    assert (run.summary["val/loss"], run.summary["parameters"], run.summary["progress/tokens"]) == (1.5, 29, 20)
    assert run.summary["samples"]["_type"] == "table-file"
    assert b"Once upon" in server.files["artifact/samples.table.json"]
    assert run.exit_code == 6
    assert "wandb sync" not in caplog.text
    assert capfd.readouterr() == ("", "")
    assert not holds_key(tmp_path)


def checkpoint(folder: Path) -> Path:
    made = folder / "step-00000012"
    made.mkdir()
    (made / "model.safetensors").write_bytes(b"weights" * 99)
    return made


def test_a_checkpoint_arrives_as_a_model_artifact(server: WandbServer, tmp_path: Path) -> None:
    tracker = start(tmp_path / "a run", tracking("online", **PATIENT))
    tracker.log_model(checkpoint(tmp_path), name="round9-ab12cd", metadata={"step": 12, "val/loss": 1.5})
    tracker.finish(exit_code=0)
    assert server.files["artifact/model.safetensors"] == b"weights" * 99
    assert ("round9-ab12cd", "model") in server.artifacts


def test_offline_an_artifact_is_kept_to_be_sent_with_the_run(tmp_path: Path, server: WandbServer) -> None:
    tracker = start(tmp_path / "a run", tracking())
    tracker.log_model(checkpoint(tmp_path), name="round9-ab12cd", metadata={"step": 12})
    folder = tracker.folder
    tracker.finish(exit_code=0)
    assert folder is not None
    subprocess.run([sys.executable, "-m", "wandb", "sync", "--yes", str(folder)], check=True, capture_output=True)
    assert server.files["artifact/model.safetensors"] == b"weights" * 99


def keep(folder: Path, steps: range) -> None:
    """Write the run folder's own record of these rows."""
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(steps)))


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


@pytest.mark.parametrize("fault", ["401", *(pytest.param(f, marks=SLOW) for f in ("dies", "dies before the samples"))])
def test_a_server_that_fails_in_the_middle_delays_nothing_and_one_command_sends_the_rest(
    fault: str, server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = start(tmp_path, tracking("online", init_timeout_seconds=20))
    slowest = log_all(tracker, range(5))
    if fault == "401":
        server.status = 401
    else:
        server.die()
    for step in range(5, 10):
        if "samples" in fault:
            tracker.log_samples(step, [sample("Once")])
        slowest = max(slowest, log_all(tracker, range(step, step + 1)))
    tracker.summarize({"parameters": 29})
    assert slowest < 0.05
    began = time.monotonic()
    tracker.finish(exit_code=0)
    assert time.monotonic() - began < FINISH_SECONDS + 5
    assert "`tinystories-lm upload .` sends the rest" in caplog.text
    forget()
    with WandbServer() as another:
        monkeypatch.setenv("WANDB_BASE_URL", another.url)
        sync = [sys.executable, "-m", "wandb", "sync", "--yes", "--include-online", str(tracker.folder)]
        done = subprocess.run(sync, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr  # for a server that has nothing yet, the SDK's own way is as good
        assert [row["progress/step"] for row in another.runs["run1"].rows if "val/loss" in row] == list(range(10))
        assert another.runs["run1"].summary["parameters"] == 29


@pytest.mark.parametrize("blow", [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=SLOW)])
def test_a_service_that_is_gone_is_left_alone_and_the_next_run_has_its_own(
    blow: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for module in ("wandb_tracker", "wandb_run", "wandb_table"):
        monkeypatch.setattr(f"tinystories_lm.tracking.{module}.GRACE_SECONDS", 0.5)
    tracker = start(tmp_path, tracking(), "one")
    (service,) = services()
    os.kill(service, blow)
    try:
        for step in range(20):
            assert log_all(tracker, range(step, step + 1)) < 0.05
            time.sleep(0.01)
        began = time.monotonic()
        tracker.finish(exit_code=0)
        assert time.monotonic() - began < FINISH_SECONDS + 3
        assert caplog.text.count("after 5 errors the run continues without it") == (blow is signal.SIGKILL)
        assert service not in services()
        assert "wandb sync" not in caplog.text  # it lacks the rows after the blow
        assert caplog.text.count("`tinystories-lm upload .` sends the rest") == 1
        second = start(tmp_path, tracking(), "two")
        log_all(second, range(3))
        second.finish(exit_code=0)
        assert second.folder is not None
        assert [row["progress/step"] for row in history(inspect(second.folder))] == [0, 1, 2]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(service, signal.SIGKILL)


def test_rows_for_an_sdk_that_never_answers_are_bounded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tinystories_lm.tracking.wandb_tracker.MOST_WAITING", 10)
    tracker = WandbTracker(lambda: time.sleep(0.5), folder=Path("run"), finish_timeout_seconds=1)
    log_all(tracker, range(100))
    tracker.finish(exit_code=0)
    assert caplog.text.count("10 rows wait for an answer; after 5 errors") == 1


def test_tracking_off_and_a_missing_or_broken_package_cost_nothing(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from tests.tracking.test_wandb_tracker import start, tracking\n"
        "start(pathlib.Path('.'), tracking('off')).finish(exit_code=0)\n"
        "assert 'wandb' not in sys.modules\n"
        "sys.modules['wandb'] = None\n"
        "def run():\n"
        "    tracker = start(pathlib.Path('.'), tracking('offline')); tracker.log({'progress/step': 1})\n"
        "    tracker.log_samples(1, []); tracker.summarize({}); tracker.finish(exit_code=0)\n"
        "run()\n"
        "del sys.modules['wandb']\n"
        "class Broken:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'wandb': raise RuntimeError('two versions at once')\n"
        "sys.meta_path.insert(0, Broken()); run()\n"
        "assert not list(pathlib.Path('.').iterdir())"
    )
    root, empty = str(Path(__file__).resolve().parents[2]), tmp_path / "empty"
    empty.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=empty, env={"PYTHONPATH": root}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    missing, first, broken, second = done.stderr.splitlines()
    assert "not installed" in missing
    assert "two versions at once" in broken
    assert first == second == "W&B: the copy is incomplete; `tinystories-lm upload .` sends the rest"


def test_a_run_of_the_command_is_copied_with_its_metrics_and_its_end(
    command: Command, corpus: Path, tmp_path: Path
) -> None:
    overrides = [override for override in SMALL_RUN if override != "tracking=off"]
    done = command("train", *overrides, "tracking=offline", f"data.path={corpus}", "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "run" / "wandb").glob("offline-run-*")
    assert f"wandb sync run/wandb/{folder.name}" in done.stderr
    records = inspect(folder)
    rows = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    history = json.dumps(records)
    for row in map(json.loads, rows):
        assert all(key in history for key in row)
    assert of_type(records, "run")[0]["run_group"] == "run"
    assert "val/bits_per_byte" in json.dumps(of_type(records, "summary"))


def test_an_evaluation_that_was_stopped_arrives_when_the_run_resumes(
    command: Command, corpus: Path, tmp_path: Path, environment: dict[str, str], server: WandbServer
) -> None:
    """W&B accepts nothing more of a step once a later one, or a run's end, has closed it."""
    environment |= {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY, "HOME": str(tmp_path)}
    overrides = [override for override in SMALL_RUN if override != "tracking=off"]
    words = ["train", *overrides, "tracking=online", f"data.path={corpus}", "hydra.run.dir=run"]
    environment["TSLM_FAULT"] = "row.before:4:terminate"  # the row of step 4's loss, before its evaluation
    stopped = command(*words)
    assert stopped.returncode == 75 and "stopped at step 4 " in stopped.stderr, stopped.stderr
    del environment["TSLM_FAULT"]
    assert command(*words).returncode == 0
    (run,) = server.runs.values()
    arrived = {row["progress/step"]: row for row in run.rows if "progress/step" in row}
    assert list(arrived) == [0, 2, 4, 6, 8, 10, 12]
    for row in map(json.loads, (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()):
        assert row.keys() <= arrived[row["progress/step"]].keys()
