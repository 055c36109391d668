"""Online or offline; servers and services that fail, at the start and later: the run loses neither rows nor time."""

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.tracking.sdk import (
    A_MOMENT,
    FINISH_SECONDS,
    INIT_SECONDS,
    KEY,
    forget,
    history,
    holds_key,
    inspect,
    log_all,
    sample,
    services,
    start,
    tracking,
)
from tests.tracking.wandb_server import WandbServer
from tinystories_lm.config.choices import TrackingMode
from tinystories_lm.tracking.wandb_run import resolve_mode

pytestmark = pytest.mark.usefixtures("no_account")
SLOW = pytest.mark.slow


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
        assert time.monotonic() - began < INIT_SECONDS + 15
        log_all(tracker, range(3))
        with caplog.at_level(logging.INFO):
            tracker.finish(exit_code=0)
        assert time.monotonic() - began < INIT_SECONDS + 15
    assert tracker.mode is TrackingMode.offline
    assert tracker.folder is not None
    assert [row["progress/step"] for row in history(inspect(tracker.folder))] == [0, 1, 2]
    ours = [record for record in caplog.records if record.name.startswith("tinystories_lm.")]
    warnings = [record.getMessage() for record in ours if record.levelno == logging.WARNING]
    (warning,) = [warning for warning in warnings if "has not answered yet" not in warning]  # on a busy machine
    assert f"`wandb sync wandb/{tracker.folder.name}`" in warning
    assert capfd.readouterr() == ("", "")
    assert not holds_key(tmp_path)


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
    assert slowest < A_MOMENT
    began = time.monotonic()
    tracker.finish(exit_code=0)
    assert time.monotonic() - began < FINISH_SECONDS + 15
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
            assert log_all(tracker, range(step, step + 1)) < A_MOMENT
            time.sleep(0.01)
        began = time.monotonic()
        tracker.finish(exit_code=0)
        assert time.monotonic() - began < FINISH_SECONDS + 15
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
