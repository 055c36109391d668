"""Use W&B's SDK in tests: start trackers, log rows, and read back what the SDK has written."""

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tinystories_lm.config.choices import TrackingMode
from tinystories_lm.config.schema import TrackingConfig
from tinystories_lm.tracking.wandb_tracker import WandbTracker, start_tracker

KEY = "a1b2c3d4e5" * 4
INIT_SECONDS, FINISH_SECONDS = 1, 1  # of servers that fail; those that work have longer
A_MOMENT = 0.5  # seconds: less than any wait for a server, more than another process may hold the core
PATIENT = {"init_timeout_seconds": 20, "finish_timeout_seconds": 20}


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


def keep(folder: Path, steps: range) -> None:
    """Write the run folder's own record of these rows."""
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(steps)))


def checkpoint(folder: Path) -> Path:
    made = folder / "step-00000012"
    made.mkdir()
    (made / "model.safetensors").write_bytes(b"weights" * 99)
    return made


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
