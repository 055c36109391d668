"""What is read and written with a model on the device equals the CPU's, within the bounds stated here."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.gpu.conftest import DEVICE, run_program, small_run
from tinystories_lm.generation import cuda_graph
from tinystories_lm.generation.cuda_graph import recorded
from tinystories_lm.generation.load import load_model
from tinystories_lm.generation.static_decoder import StaticDecoder, open_decoder
from tinystories_lm.system.json_files import read_json

LOGITS = 1e-3  # the largest difference of two float32 logits
LOSSES = {"float32": 1e-4, "bfloat16": 1e-2}  # the relative difference of two validation losses


class Trained:
    """A run that was trained on the device, and commands on it."""

    def __init__(self, corpus: Path, folder: Path) -> None:
        self.folder, self.run = folder, folder / "run"
        rate = ["training.steps=60", "optimizer.lr=0.01", "training.eval_every_steps=30"]
        self("train", *small_run(corpus, *rate, f"hydra.run.dir={self.run}"))

    def __call__(self, *words: str) -> "subprocess.CompletedProcess[str]":
        done = run_program(*words, folder=self.folder)
        assert done.returncode == 0, done.stderr
        return done


@pytest.fixture(scope="module")
def trained(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(corpus, tmp_path_factory.mktemp("trained"))


def test_logits_and_decoded_steps_are_those_of_the_cpu(trained: Trained) -> None:
    ids = torch.from_numpy(np.random.default_rng(0).integers(0, 280, (3, 24)))
    found = {}
    for device in ("cpu", DEVICE.type):
        model = load_model(str(trained.run), device=device).model
        decoder = open_decoder(model, 3)
        with torch.inference_mode():
            whole = model(ids.to(device))
            steps = [decoder.read(ids[:, :20].tolist())]
            steps += [decoder.step(ids[:, position]) for position in range(20, 24)]
        found[device] = whole[:, 19:].cpu(), torch.stack(steps, dim=1)
    for ours, theirs in zip(found[DEVICE.type], found["cpu"], strict=True):
        assert (ours - theirs).abs().max() < LOGITS
    assert (found[DEVICE.type][0] - found[DEVICE.type][1]).abs().max() < LOGITS


@pytest.mark.skipif(DEVICE.type != "cuda", reason="only a GPU records graphs")
def test_texts_of_different_lengths_are_decoded_by_a_graph_to_the_logits_of_the_cpu(trained: Trained) -> None:
    """Twice with each decoder, the second time in a larger room, so that a graph is recorded again."""
    ids = torch.from_numpy(np.random.default_rng(2).integers(0, 280, (3, 24)))
    found, graphs = {}, []
    for device in ("cpu", DEVICE.type):
        decoder, logits = open_decoder(load_model(str(trained.run), device=device).model, 3), []
        for lengths in ((9, 9, 9), (3, 12, 1)):
            logits.append(decoder.read([row[:length] for row, length in zip(ids.tolist(), lengths, strict=True)]))
            for step in range(12):
                newest = torch.stack([ids[row, length + step] for row, length in enumerate(lengths)])
                logits.append(decoder.step(newest))
            graphs.append(isinstance(decoder, StaticDecoder) and decoder.is_recorded)
        found[device] = torch.stack(logits)
    assert graphs == [False, False, True, True]
    assert (found[DEVICE.type] - found["cpu"]).abs().max() < LOGITS


@pytest.mark.skipif(DEVICE.type != "cuda", reason="only a GPU records graphs")
def test_a_recording_that_fails_leaves_the_device_usable() -> None:
    x = torch.ones(4, device=DEVICE)
    assert recorded(lambda: x * x.sum().item(), x.device) is None
    cuda_graph._recorder.cache_clear()  # records nothing after a failure
    assert torch.rand(4, device=DEVICE).sum() > 0 and torch.equal((x + x).cpu(), torch.full((4,), 2.0))


def test_greedy_samples_are_those_of_the_cpu(trained: Trained) -> None:
    words = ["--prompt", "One day", "--prompt", "", "--temperature", "0", "--max-tokens", "20", "--json"]
    texts = {}
    for device in ("cpu", DEVICE.type):
        done = trained("sample", str(trained.run), *words, "--device", device, "--precision", "float32")
        texts[device] = [json.loads(line)["text"] for line in done.stdout.splitlines()]
    assert texts[DEVICE.type] == texts["cpu"] and len(texts["cpu"]) == 2


@pytest.mark.parametrize("precision", LOSSES)
def test_evaluations_are_those_of_the_cpu(trained: Trained, precision: str) -> None:
    found: dict[str, Any] = {}
    for device, asked in (("cpu", "float32"), (DEVICE.type, precision)):
        words = ["--stories", "2", "--max-tokens", "8", "--device", device, "--precision", asked]
        trained("evaluate", str(trained.run), *words)
        found[device, asked] = read_json(trained.run / "evaluation.json")
    ours, theirs = found[DEVICE.type, precision], found["cpu", "float32"]
    assert ours["device"].startswith(DEVICE.type) and ours["precision"] == precision
    assert ours["val/loss"] == pytest.approx(theirs["val/loss"], rel=LOSSES[precision])
    assert ours["val/tokens"] == theirs["val/tokens"]
    recorded = read_json(trained.run / "summary.json")["val/loss"]
    assert theirs["val/loss"] == pytest.approx(recorded, rel=0.1), "the loop's, of windows without overlap"


def test_an_exported_run_computes_on_the_device_what_the_run_does_on_the_cpu(trained: Trained) -> None:
    transformers: Any = pytest.importorskip("transformers", reason="the stock classes are in the hf extra")
    folder = trained.folder / "exported"
    trained("export", str(trained.run), str(folder))
    ids = torch.from_numpy(np.random.default_rng(1).integers(0, 280, (2, 24)))
    stock = transformers.AutoModelForCausalLM.from_pretrained(folder).to(DEVICE).eval()
    with torch.inference_mode():
        ours, theirs = load_model(str(trained.run)).model(ids), stock(ids.to(DEVICE)).logits.cpu()
    assert (ours - theirs).abs().max() < LOGITS
