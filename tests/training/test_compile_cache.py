"""Where compiled code is kept: a folder for each kernel and shape, which is known to be whole or not."""

import dataclasses
import os
from pathlib import Path

import pytest
import torch

from tests.model.test_transformer import SMALL, build, with_
from tests.training.test_compile import BF16, ROWS
from tests.training.test_loop import batch
from tinystories_lm.config.choices import Attention
from tinystories_lm.hardware.machine import Machine
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.system.json_files import read_json
from tinystories_lm.training.compile_cache import CACHE, KERNELS, code_folder, compile_key, compiling_into, is_compiled

inductor = pytest.importorskip("torch._inductor.config")


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE, str(tmp_path))
    monkeypatch.delenv(KERNELS, raising=False)
    return tmp_path


def folder_of(machine: Machine = BF16, *, rows: int = ROWS, vocab_size: int = 300, **model: int) -> Path:
    built = Transformer(with_(SMALL, **model), vocab_size=vocab_size)
    return code_folder(compile_key(built, batch(rows), machine))


def test_the_folder_is_that_of_a_shape_a_kernel_and_a_precision(root: Path) -> None:
    folders = {
        folder_of(),
        folder_of(dataclasses.replace(BF16, attention=Attention.flash)),
        folder_of(dataclasses.replace(BF16, attention=Attention.math)),
        folder_of(dataclasses.replace(BF16, dtype=torch.float32)),
        folder_of(dataclasses.replace(BF16, residual=torch.bfloat16)),
        folder_of(rows=2 * ROWS),
        folder_of(n_layers=3),
        folder_of(n_heads=1),
        folder_of(vocab_size=301),
    }
    assert len(folders) == 9 and folder_of() in folders
    assert {folder.parent for folder in folders} == {root}


def test_weights_prices_and_names_share_a_folder() -> None:
    assert folder_of(dataclasses.replace(BF16, name="mine", dollars_per_hour=3.0)) == folder_of()


def test_deterministic_code_has_a_folder_of_its_own() -> None:
    before = folder_of()
    torch.use_deterministic_algorithms(True)
    try:
        assert folder_of() != before
    finally:
        torch.use_deterministic_algorithms(False)


def test_code_is_whole_once_the_block_has_ended_without_an_error(root: Path) -> None:
    key = compile_key(build(wide=1.0), batch(ROWS), BF16)
    folder = code_folder(key)
    with pytest.raises(RuntimeError), compiling_into(folder, key):
        raise RuntimeError
    assert not is_compiled(folder)
    with compiling_into(folder, key):
        assert os.environ[CACHE] == str(folder) and os.environ[KERNELS] == str(root / "triton")
    assert is_compiled(folder)
    assert read_json(folder / "key.json")["attention"] == "auto"
    assert os.environ[CACHE] == str(root) and KERNELS not in os.environ, "as before"


def test_whole_code_is_loaded_without_processes_that_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inductor, "compile_threads", 7)
    key = compile_key(build(wide=1.0), batch(ROWS), BF16)
    folder = code_folder(key)
    for threads in (7, 1):  # to compile, then to load
        with compiling_into(folder, key):
            assert inductor.compile_threads == threads
        assert inductor.compile_threads == 7


def test_a_folder_of_triton_that_the_user_named_is_kept(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KERNELS, str(root / "mine"))
    key = compile_key(build(wide=1.0), batch(ROWS), BF16)
    with compiling_into(code_folder(key), key):
        assert os.environ[KERNELS] == str(root / "mine")
