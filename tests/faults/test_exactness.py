"""A run that was stopped and resumed equals one that was not, bit for bit, however a step is computed."""

from pathlib import Path

import pytest
import torch

from tests.faults import trials
from tests.warm_process import warm
from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.data.batches import Batches
from tinystories_lm.runs.checkpoint import Progress, load_optimizer, load_weights, save_checkpoint
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.records import read_metrics
from tinystories_lm.system.json_files import read_json

ACCUMULATED = "training.micro_batch_size=1"  # of the batch of 4
WAYS = [
    pytest.param(["optimizer=adamw", ACCUMULATED], id="AdamW in 4 parts", marks=pytest.mark.slow),
    pytest.param(["optimizer=muon"], id="Muon"),
    pytest.param(
        ["optimizer=muon", ACCUMULATED, "hardware.precision=bfloat16"],
        id="Muon in 4 parts, bfloat16",
        marks=pytest.mark.slow,
    ),
    pytest.param(["hardware.precision=bfloat16", "hardware.residual=bfloat16"], id="bfloat16", marks=pytest.mark.slow),
    pytest.param(["training.deterministic=true"], id="deterministic", marks=pytest.mark.slow),
    pytest.param(["schedule=wsd"], id="plateau and decay", marks=pytest.mark.slow),
    pytest.param(["hardware.compile=on"], id="compiled", marks=pytest.mark.slow),
    pytest.param(
        ["hardware.compile=on", "optimizer=muon", ACCUMULATED, "hardware.precision=bfloat16"],
        id="compiled, Muon in 4 parts, bfloat16",
        marks=pytest.mark.slow,
    ),
]


@pytest.mark.parametrize("way", WAYS)
def test_a_run_cut_off_three_times_ends_with_the_same_bits(corpus: Path, tmp_path: Path, way: list[str]) -> None:
    """It is killed between two checkpoints, asked to stop, and killed again before it has written anything."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    warm()
    settings = [*way, f"data.cache_dir={tmp_path / 'cache'}", "training.steps=20"]
    assert trials.end(trials.start(corpus, whole, *settings)) == 0, trials.said(whole)
    for fault, code in (("step:7:kill", -9), ("step:6:terminate", 75), ("rows.before_cut:1:kill", -9)):
        assert trials.end(trials.start(corpus, cut, *settings, fault=f"{fault}:{cut}")) == code, trials.said(cut)
    assert trials.end(trials.start(corpus, cut, *settings)) == 0, trials.said(cut)
    assert not (difference := trials.first_difference(trials.ending(cut), trials.ending(whole))), difference
    summary = read_json(cut / "summary.json")
    assert summary["exact"] and summary["pieces"] == 4 and summary["progress/tokens"] == tokens(whole)


def tokens(run: Path) -> int:
    return int(read_metrics(RunFolder(run))[-1]["progress/tokens"])


def test_seconds_and_dollars_add_up_over_the_segments_and_the_first_row_of_a_segment_has_its_number(
    corpus: Path, tmp_path: Path
) -> None:
    run, price = tmp_path / "run", "hardware.dollars_per_hour=3600"  # a dollar a second
    assert trials.end(trials.start(corpus, run, price, fault=f"step:20:terminate:{run}")) == 75
    before = read_metrics(RunFolder(run))
    assert trials.end(trials.start(corpus, run, price)) == 0
    rows, summary = read_metrics(RunFolder(run)), read_json(run / "summary.json")
    assert rows[: len(before)] == before, "what was written stays as it is"
    for name in ("time/train_seconds", "cost/usd", "progress/tokens"):
        values = [row[name] for row in rows]
        assert values == sorted(values) and summary[name] >= values[-1] > before[-1][name] > 0
    assert summary["cost/usd"] == pytest.approx(summary["time/train_seconds"])
    marked = [row["progress/step"] for row in rows if "progress/pieces" in row]
    assert marked == [before[-1]["progress/step"] + 2] and rows[len(before)]["progress/pieces"] == 2
    keys = [(row["progress/step"], "val/loss" in row) for row in rows]
    assert len(set(keys)) == len(keys), "no step is written twice"


@pytest.mark.parametrize("cut", range(0, 24, 5))
def test_the_order_of_batches_does_not_depend_on_where_a_run_stopped(cut: int) -> None:
    """It does not depend on others who draw from torch's generator either."""
    register()
    training = compose_config(["hardware=cpu", "training.batch_size=3", "training.steps=24"]).config.training
    stream = torch.arange(200, dtype=torch.int32)
    cpu = torch.device("cpu")

    def batches() -> Batches:
        return Batches(stream, context_tokens=8, sequences=training.sequences, seed=5, data_version=2)

    one, other = batches(), batches()
    torch.manual_seed(cut)
    resumed = [other.batch(step, device=cpu).inputs_BT for step in range(cut, 24)]
    for step in range(24):
        batch = one.batch(step, device=cpu).inputs_BT
        torch.rand(3)
        if step >= cut:
            assert torch.equal(batch, resumed[step - cut])


def test_a_step_from_a_checkpoint_is_the_step_that_was_not_interrupted(tmp_path: Path) -> None:
    """The comparison is with copies of model and optimizer that were never in a file."""
    import copy

    from tests.model.test_transformer import build
    from tests.runs.test_checkpoint import step
    from tests.training.test_loop import ADAMW, CPU
    from tinystories_lm.training.optimizer import build_optimizer

    model = build(wide=1.0)
    optimizer = build_optimizer(model, ADAMW, device=CPU)
    for _ in range(3):
        step(model, optimizer)
    path = save_checkpoint(tmp_path, model, optimizer, Progress(step=3), run_id="a1", keep=1)
    twin, twin_optimizer = copy.deepcopy((model, optimizer))
    other = build(wide=2.0)
    load_weights(path, other)
    restored = build_optimizer(other, ADAMW, device=CPU)
    load_optimizer(path, other, restored)
    for _ in range(3):
        step(twin, twin_optimizer)
        step(other, restored)
    assert all(torch.equal(a, b) for a, b in zip(twin.parameters(), other.parameters(), strict=True))
