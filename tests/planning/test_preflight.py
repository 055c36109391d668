"""Checks before a run starts."""

import dataclasses
from pathlib import Path

import pytest
import torch

from tinystories_lm.config.choices import Device
from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.hardware import detect
from tinystories_lm.planning.estimate import Speed, estimate
from tinystories_lm.planning.preflight import ResolvedJob, _resolve_hardware, check_what_is_left
from tinystories_lm.runs.status import Status, write_status
from tinystories_lm.system.errors import UsageError


def test_only_the_rest_of_a_run_must_be_affordable(tmp_path: Path) -> None:
    """A resumed or finished run is not refused for what the whole of it would take."""
    register()
    config = compose_config(["model=tiny", "training.steps=1000", "hardware=cpu"]).config
    whole = estimate(config, Speed(1e6)).seconds / 3600
    config = dataclasses.replace(config, training=dataclasses.replace(config.training, max_hours=whole / 2))
    job = ResolvedJob(config, tmp_path, Speed(1e6))
    with pytest.raises(UsageError, match="would take about"):
        check_what_is_left(job)
    write_status(job.run, Status.INTERRUPTED, reason="signal", step=900)
    check_what_is_left(job)


def test_an_unknown_gpu_is_reported_with_its_unknown_price(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(detect, "find_device", lambda: Device.cuda)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "NVIDIA L40S")
    assert _resolve_hardware(["hardware=auto", "model=tiny"]) == ("model=tiny", "hardware=cuda")
    said = capsys.readouterr().err
    assert "this NVIDIA L40S is not in conf/hardware" in said and "hardware.dollars_per_hour=" in said
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "NVIDIA H200")
    assert _resolve_hardware(["hardware=auto"]) == ("hardware=h200",)
    assert not capsys.readouterr().err
