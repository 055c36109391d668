"""The W&B workspace: built and validated by the SDK's own package, without a network."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Command

pytest.importorskip("wandb_workspaces", reason="the extra `dashboards` is not installed")


def metrics(panel: dict[str, Any]) -> list[str]:
    """Return what a panel's two axes show, as the server will read it."""
    config = panel["config"]
    return [str(config.get("xAxis")), *map(str, config.get("metrics", []))]


def test_every_section_is_there_and_every_metric_is_one_that_runs_log(command: Command, tmp_path: Path) -> None:
    shown = command("dashboard", "my-project", "--json")
    assert shown.returncode == 0, shown.stderr
    (tmp_path / "spec.json").write_text(shown.stdout)
    section = json.loads(shown.stdout)["section"]
    sections = {each["name"]: each["panels"] for each in section["panelBankConfig"]["sections"]}
    assert list(sections)[:4] == ["Rounds", "Scaling", "Speed & cost", "Samples"]
    logged = {
        "train/loss", "val/loss", "val/perplexity", "val/bits_per_byte", "optimizer/lr", "optimizer/grad_norm",
        "progress/step", "progress/tokens", "progress/flops", "speed/tokens_per_second", "speed/mfu", "cost/usd",
        "time/train_seconds",
    }  # fmt: skip
    drawn = {
        name
        for panels in sections.values()
        for panel in panels
        if "metrics" in panel["config"]
        for name in metrics(panel)
    }
    assert drawn <= logged, drawn - logged
    assert {"val/loss", "progress/tokens", "cost/usd", "speed/mfu"} <= drawn
    (runs,) = section["runSets"]
    assert runs["grouping"] == [{"section": "run", "name": "group"}]
    assert "samples" in json.dumps(sections["Samples"])


def test_without_a_key_it_is_one_line(command: Command, environment: dict[str, str], tmp_path: Path) -> None:
    environment |= {"HOME": str(tmp_path), "NETRC": str(tmp_path / "none")}
    without = command("dashboard")
    assert without.returncode == 2 and without.stderr.count("\n") == 1 and "wandb login" in without.stderr


@pytest.mark.slow  # the SDK waits for ten seconds
def test_without_a_server_it_is_one_line(command: Command, environment: dict[str, str]) -> None:
    environment |= {"WANDB_API_KEY": "a" * 40, "WANDB_BASE_URL": "http://127.0.0.1:9"}
    refused = command("dashboard")
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1
    assert "W&B did not accept the workspace" in refused.stderr
