"""The W&B mirror with the real SDK: read back offline, and on servers that are not there, or never answer."""

import json
import logging
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SMALL_RUN, Command
from tinystories_lm.config import TrackingConfig, TrackingMode
from tinystories_lm.tracking import Mirror, chosen_mode, start_mirror

KEY = "a1b2c3d4e5" * 4


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody's key, settings or server."""
    import os

    for name in list(os.environ):
        if name.startswith("WANDB_") or name == "NETRC":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def tracking(mode: str = "offline", **changes: Any) -> TrackingConfig:
    values = {
        "project": "stories", "entity": None, "group": "round9", "job_type": "train", "tags": ["round9", "blue"],
        "init_timeout_seconds": 2, "finish_timeout_seconds": 5,
    }  # fmt: skip
    return TrackingConfig(mode=TrackingMode(mode), **{**values, **changes})


def start(folder: Path, config: TrackingConfig, run_id: str = "run1") -> Mirror:
    settings = {"training": {"steps": 5, "seed": 7}}
    return start_mirror(config, folder, run_id=run_id, name="a name", settings=settings, resumed=False)


def inspect(folder: Path) -> list[dict[str, Any]]:
    """The records of an offline run, as the SDK's own tool reads them."""
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(folder)]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert shown.returncode == 0, shown.stderr
    return [json.loads(line) for line in shown.stdout.splitlines()]


def of_type(records: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [record[kind] for record in records if record["type"] == kind]


def test_an_offline_run_reads_back_whole(tmp_path: Path) -> None:
    mirror = start(tmp_path, tracking())
    for step in range(3):
        mirror.log({"progress/step": step, "progress/tokens": 10 * step, "val/loss": 3.5 - step})
    mirror.log_samples(2, [{"prompt": "Once", "text": "Once upon", "settings": {"top_p": 0.9}}])
    mirror.summarize({"val/loss": 1.5, "val/perplexity": 4.48, "parameters": 29})
    folder = mirror.folder
    assert folder is not None
    assert folder.parent == tmp_path / "wandb"
    mirror.finish(exit_code=0)
    records = inspect(folder)
    (run,) = of_type(records, "run")
    assert (run["project"], run["run_group"], run["job_type"], run["run_id"]) == ("stories", "round9", "train", "run1")
    assert run["tags"] == ["round9", "blue"]
    assert run["config"]["update"]["training"] == {"steps": 5, "seed": 7}
    text = json.dumps(records)
    for value in ("progress/tokens", "3.5", "2.5", "val/perplexity", "4.48", "parameters"):
        assert value in text
    axes = {axis.get("name") or axis.get("glob_name"): axis for axis in of_type(records, "metric")}
    assert axes["val/*"]["step_metric"] == "progress/tokens"
    table = json.loads(next(folder.glob("files/media/table/*.json")).read_text())
    assert table["columns"] == ["step", "prompt", "text", "settings"]
    assert table["data"][0][:3] == [2, "Once", "Once upon"]


def test_runs_after_another_in_one_process_are_separate(tmp_path: Path) -> None:
    folders = []
    for run_id in ("one", "two"):
        mirror = start(tmp_path, tracking(), run_id)
        mirror.log({"progress/step": 1, "progress/tokens": 1})
        folders.append(mirror.folder)
        mirror.finish(exit_code=0)
    assert len(set(folders)) == 2
    assert [of_type(inspect(folder), "run")[0]["run_id"] for folder in folders if folder] == ["one", "two"]


def test_auto_is_online_only_where_a_key_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert chosen_mode(TrackingMode.auto) is TrackingMode.offline
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine api.wandb.ai login user password {KEY}\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert chosen_mode(TrackingMode.auto) is TrackingMode.online
    monkeypatch.setenv("WANDB_BASE_URL", "http://another.example")
    assert chosen_mode(TrackingMode.auto) is TrackingMode.offline
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    assert chosen_mode(TrackingMode.auto) is TrackingMode.online
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert chosen_mode(TrackingMode.auto) is TrackingMode.offline
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert chosen_mode(TrackingMode.auto) is TrackingMode.off
    assert chosen_mode(TrackingMode.online) is TrackingMode.online


@pytest.fixture
def deaf_server() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("server", ["dead", "deaf"])
def test_a_server_that_does_not_answer_costs_seconds_and_no_row(
    server: str, deaf_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_BASE_URL", deaf_server if server == "deaf" else "http://127.0.0.1:9")
    began = time.monotonic()
    with caplog.at_level(logging.INFO):
        mirror = start(tmp_path, tracking("auto"))
    assert time.monotonic() - began < 10
    mirror.log({"progress/step": 1, "progress/tokens": 77})
    folder = mirror.folder
    assert folder is not None
    mirror.finish(exit_code=0)
    assert "77" in json.dumps(inspect(folder))
    assert "could not begin online" in caplog.text
    assert f"wandb sync {folder}" in caplog.text
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and KEY.encode() in file.read_bytes()]


def test_a_tracker_that_raises_is_left_alone_after_some_errors(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        calls = 0

        def log(self, _: object) -> None:
            self.calls += 1
            raise OSError("the network is gone")

    broken = Broken()
    mirror = Mirror(broken, finish_timeout_seconds=1)  # type: ignore[arg-type]
    for step in range(20):
        mirror.log({"progress/step": step})
    assert broken.calls == 5
    assert caplog.text.count("the run goes on without it") == 1


def test_tracking_off_and_a_missing_package_cost_nothing(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from tests.test_tracking import start, tracking\n"
        "start(pathlib.Path('.'), tracking('off')).finish(exit_code=0)\n"
        "assert 'wandb' not in sys.modules\n"
        "sys.modules['wandb'] = None\n"
        "mirror = start(pathlib.Path('.'), tracking('offline')); mirror.log({}); mirror.finish(exit_code=0)\n"
        "assert not list(pathlib.Path('.').iterdir())"
    )
    root = str(Path(__file__).resolve().parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env={"PYTHONPATH": root}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "not installed" in done.stderr


def test_a_run_of_the_command_is_mirrored_with_its_metrics_and_its_end(
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
