"""Online or offline: where the SDK finds a key."""

from pathlib import Path

import pytest

from tests.tracking.sdk import KEY, forget
from tinystories_lm.config.choices import TrackingMode
from tinystories_lm.tracking.wandb_auth import resolve_mode

pytestmark = pytest.mark.usefixtures("no_account")


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
