"""Fixtures of the tests with W&B's SDK: an environment without any account, and a server."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tracking.sdk import KEY, forget, services
from tests.tracking.wandb_server import WandbServer


@pytest.fixture
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


@pytest.fixture
def server(no_account: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbServer]:
    """Start a W&B server and set a key for it."""
    with WandbServer() as running:
        monkeypatch.setenv("WANDB_BASE_URL", running.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        yield running
