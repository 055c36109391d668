"""A checkpoint is whole or it is not there, and what is damaged is found."""

import json
import logging
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.model.test_transformer import build
from tests.training.test_loop import ADAMW, CPU, MACHINE, batch
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.runs import checkpoint as module
from tinystories_lm.runs import resume
from tinystories_lm.runs.checkpoint import (
    FILES,
    Progress,
    check_checkpoint,
    list_checkpoints,
    load_optimizer,
    load_weights,
    save_checkpoint,
    valid_checkpoints,
)
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.system.errors import CannotWriteError, DamagedError, DivergedError, NewerFormatError
from tinystories_lm.system.hashing import sha256_of
from tinystories_lm.training.loop import train_step
from tinystories_lm.training.loss import mean_loss
from tinystories_lm.training.optimizer import build_optimizer


def step(model: Transformer, optimizer: torch.optim.Optimizer) -> None:
    train_step(model, optimizer, [batch()], loss_of=mean_loss, clip_grad_norm=1.0, machine=MACHINE)


def saved(folder: Path, *steps: int, keep: int = 10, best: int = 0) -> tuple[Transformer, torch.optim.AdamW]:
    model = build(wide=1.0)
    optimizer = build_optimizer(model, ADAMW, device=CPU)
    for number in steps:
        step(model, optimizer)
        progress = Progress(step=number, tokens=number * 10, train_seconds=0.1, best_step=best)
        save_checkpoint(folder, model, optimizer, progress, run_id="abc", keep=keep)
    return model, optimizer


def test_what_is_read_goes_on_bit_for_bit(tmp_path: Path) -> None:
    model, optimizer = saved(tmp_path, 1, 2)
    path, progress = next(valid_checkpoints(tmp_path, run_id="abc"))
    assert (progress.step, progress.tokens, progress.train_seconds) == (2, 20, 0.1)
    other = build(wide=3.0)
    load_weights(path, other)
    restored = build_optimizer(other, ADAMW, device=CPU)
    load_optimizer(path, other, restored)
    step(model, optimizer)
    step(other, restored)
    for left, right in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(left, right)


def test_the_newest_and_the_best_are_kept(tmp_path: Path) -> None:
    saved(tmp_path, 1, 2, 3, 4, 5, keep=2, best=2)
    assert [path.name[-1] for path in list_checkpoints(tmp_path)] == ["5", "4", "2"]
    assert not list(tmp_path.glob(".*"))


def test_a_damaged_later_checkpoint_costs_none_of_those_that_are_whole(tmp_path: Path) -> None:
    """Keep step 25 of a run that resumes from step 10, as 30 is damaged, and is stopped at 25."""
    saved(tmp_path, 10, 30)
    (tmp_path / "step-00000030" / "state.json").write_text("{}")
    saved(tmp_path, 25, keep=1)
    assert [path.name[-2:] for path, _ in valid_checkpoints(tmp_path, run_id="abc")] == ["25"]


def test_a_number_beyond_all_floats_is_damage(tmp_path: Path) -> None:
    saved(tmp_path, 1)
    folder = tmp_path / "step-00000001"
    state = folder / "state.json"
    state.write_text(state.read_text().replace('"loss_sum": 0.0', f'"loss_sum": 1{"0" * 400}'))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["state.json"] = {"bytes": state.stat().st_size, "sha256": sha256_of(state)}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DamagedError, match="loss_sum"):
        check_checkpoint(folder, run_id="abc")


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "extend", "missing"])
def test_damage_to_any_file_is_found_and_an_earlier_checkpoint_used(
    tmp_path: Path, name: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    saved(tmp_path, 1, 2)
    file = tmp_path / "step-00000002" / name
    content = bytearray(file.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
    changed = {"flip": content, "truncate": content[:-1], "empty": b"", "extend": content + b" "}
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(changed[damage])
    with caplog.at_level(logging.WARNING):
        found = [path.name for path, _ in valid_checkpoints(tmp_path, run_id="abc")]
    if name == "manifest.json" and damage in ("extend", "flip") and found[0] == "step-00000002":
        return  # a blank, or a letter of what nobody reads
    assert found == ["step-00000001"]
    assert "step-00000002" in caplog.text


def test_a_checkpoint_of_another_run_or_step_is_refused(tmp_path: Path) -> None:
    saved(tmp_path, 1, 2)
    with pytest.raises(DamagedError, match="another run"):
        check_checkpoint(tmp_path / "step-00000002", run_id="other")
    (tmp_path / "step-00000002" / "optimizer.safetensors").write_bytes(
        (tmp_path / "step-00000001" / "optimizer.safetensors").read_bytes()
    )
    with pytest.raises(DamagedError, match=r"optimizer\.safetensors"):
        check_checkpoint(tmp_path / "step-00000002", run_id="abc")
    (tmp_path / "step-00000001").rename(tmp_path / "step-00000007")
    with pytest.raises(DamagedError):
        check_checkpoint(tmp_path / "step-00000007", run_id="abc")


def test_a_newer_format_is_refused_by_name(tmp_path: Path) -> None:
    saved(tmp_path, 1)
    manifest = tmp_path / "step-00000001" / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format": 99}))
    with pytest.raises(NewerFormatError, match="format 99"):
        check_checkpoint(tmp_path / "step-00000001", run_id="abc")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_weight_that_is_no_number_is_refused_by_name(tmp_path: Path, value: float) -> None:
    model, _ = saved(tmp_path, 1)
    file = tmp_path / "step-00000001" / "model.safetensors"
    tensors = load_file(file)
    tensors["blocks.1.mlp.up.weight"][3, 4] = value
    save_file(tensors, file)
    with pytest.raises(DamagedError, match=r"blocks\.1\.mlp\.up\.weight"):
        load_weights(tmp_path / "step-00000001", model)


def test_weights_that_are_no_numbers_do_not_take_the_place_of_a_good_checkpoint(tmp_path: Path) -> None:
    model, optimizer = saved(tmp_path, 1)
    with torch.no_grad():
        model.get_parameter("blocks.1.mlp.up.weight")[3, 4] = torch.nan
    with pytest.raises(DivergedError, match=r"diverged by step 2: blocks\.1\.mlp\.up\.weight"):
        save_checkpoint(tmp_path, model, optimizer, Progress(step=2), run_id="abc", keep=1)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]


def test_a_save_that_fails_leaves_the_earlier_checkpoint_and_nothing_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, optimizer = saved(tmp_path, 1)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "save_file", full)
    with pytest.raises(CannotWriteError, match="No space left"):
        save_checkpoint(tmp_path, model, optimizer, Progress(step=2), run_id="abc", keep=1)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]
    assert check_checkpoint(tmp_path / "step-00000001", run_id="abc").step == 1


def test_tied_embeddings_are_stored_once(tmp_path: Path) -> None:
    from tests.model.test_transformer import SMALL, VOCAB, with_

    model = Transformer(with_(SMALL, tie_embeddings=True), vocab_size=VOCAB)
    model.initialise(0)
    optimizer = build_optimizer(model, ADAMW, device=CPU)
    path = save_checkpoint(tmp_path, model, optimizer, Progress(step=1), run_id="abc", keep=1)
    assert "head.weight" not in load_file(path / "model.safetensors")
    other = Transformer(with_(SMALL, tie_embeddings=True), vocab_size=VOCAB)
    load_weights(path, other)
    assert torch.equal(other.head.weight, model.embedding.weight)


def test_a_reader_beside_a_trainer_takes_the_checkpoint_that_replaced_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(tmp_path)
    (run.checkpoints / "step-00000004").mkdir(parents=True)
    monkeypatch.setattr(resume, "best_checkpoint", lambda run: list_checkpoints(run.checkpoints)[0])
    read: list[str] = []

    def use(path: Path) -> str:
        read.append(path.name)
        if len(read) == 1:  # the trainer saves step 8 and deletes step 4 while it is read
            path.rename(path.with_name("step-00000008"))
            raise FileNotFoundError(path)
        return path.name

    assert resume.with_best_checkpoint(run, use) == "step-00000008"

    def fail(path: Path) -> None:
        raise DamagedError("damaged for good")

    with pytest.raises(DamagedError, match="for good"):
        resume.with_best_checkpoint(run, fail)


def test_the_files_of_a_checkpoint_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        model = torch.nn.Linear(2, 2)
        optimizer = torch.optim.AdamW(model.parameters())
        path = save_checkpoint(tmp_path, model, optimizer, Progress(step=1), run_id="0" * 12, keep=1)
    finally:
        os.umask(before)
    modes = {file.name: oct(file.stat().st_mode & 0o777) for file in path.iterdir()}
    assert modes == dict.fromkeys(("manifest.json", *FILES), "0o640")
