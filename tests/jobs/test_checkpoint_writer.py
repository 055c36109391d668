"""A checkpoint is written while training goes on, and holds the step at which it was taken."""

import logging
import threading
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.model.test_transformer import build
from tests.runs.test_checkpoint import step
from tests.training.test_loop import ADAMW, CPU
from tinystories_lm.jobs import checkpoint_writer
from tinystories_lm.jobs.checkpoint_writer import CheckpointWriter
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.runs.checkpoint import Progress, Snapshot, load_optimizer, load_weights, take_snapshot
from tinystories_lm.runs.checkpoint import write_checkpoint as really_write
from tinystories_lm.system.errors import CannotWriteError
from tinystories_lm.training.optimizer import build_optimizer


@pytest.fixture
def writer(tmp_path: Path) -> CheckpointWriter:
    return CheckpointWriter(tmp_path, run_id="abc", keep=2)


def started() -> tuple[Transformer, torch.optim.Optimizer]:
    model = build(wide=1.0)
    optimizer = build_optimizer(model, ADAMW, device=CPU)
    step(model, optimizer)
    return model, optimizer


def tensors_of(model: Transformer, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    snapshot = take_snapshot(model, optimizer, Progress())
    return {**snapshot.weights, **snapshot.optimizer}


def test_a_step_during_the_writing_changes_nothing_of_what_is_written(
    writer: CheckpointWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def write_late(folder: Path, snapshot: Snapshot, **settings: object) -> None:
        assert go_on.wait(60)
        really_write(folder, snapshot, run_id="abc", keep=2)

    monkeypatch.setattr(checkpoint_writer, "write_checkpoint", write_late)
    model, optimizer = started()
    before, progress = tensors_of(model, optimizer), Progress(step=1)
    writer.begin(take_snapshot(model, optimizer, progress))
    step(model, optimizer)
    progress.step = 2
    assert writer.step == 1 and not writer.is_done
    go_on.set()
    writer.wait()
    assert writer.step is None
    other = build(wide=3.0)
    restored = build_optimizer(other, ADAMW, device=CPU)
    load_weights(tmp_path / "step-00000001", other)
    load_optimizer(tmp_path / "step-00000001", other, restored)
    found = tensors_of(other, restored)
    assert found.keys() == before.keys() and all(torch.equal(found[name], before[name]) for name in before)
    assert not torch.equal(before["head.weight"], dict(model.named_parameters())["head.weight"]), "the step was one"


@pytest.mark.parametrize("failures", [1, 2])
def test_a_write_is_tried_twice_and_a_second_failure_is_raised_where_it_is_waited_for(
    writer: CheckpointWriter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    failures: int,
) -> None:
    left = [CannotWriteError("the disk is full")] * failures

    def write_if_possible(folder: Path, snapshot: Snapshot, **settings: object) -> None:
        if left:
            raise left.pop()
        really_write(folder, snapshot, run_id="abc", keep=2)

    monkeypatch.setattr(checkpoint_writer, "write_checkpoint", write_if_possible)
    writer.begin(take_snapshot(*started(), Progress(step=1)))
    if failures == 1:
        writer.wait()
    else:
        with pytest.raises(CannotWriteError, match="the disk is full"):
            writer.wait()
    assert [record.getMessage() for record in caplog.records] == ["the disk is full; trying once more"]
    assert (tmp_path / "step-00000001").exists() == (failures == 1)
    writer.wait()  # nothing is left to wait for


def test_closing_waits_and_warns(
    writer: CheckpointWriter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*arguments: object, **settings: object) -> None:
        raise CannotWriteError("the disk is full")

    monkeypatch.setattr(checkpoint_writer, "write_checkpoint", refuse)
    writer.begin(take_snapshot(*started(), Progress(step=1)))
    with caplog.at_level(logging.WARNING):
        writer.close()
    assert caplog.records[-1].getMessage() == "the disk is full"
