"""Rounds beside what was published of them."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from tinystories_lm.analysis.published import (
    ComparedFigure,
    Comparison,
    describe,
    list_differences,
    pair_figures,
    read_published,
)
from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.records import read_record
from tinystories_lm.runs.schemas import RunRecord, SplitRecord, Summary

SUMMARY = Summary(parameters=29_100_000, val_perplexity=4.06, train_seconds=330.0, dollars=0.28)
LOSSES = {0: 8.41, 1000: 2.3, 5000: 1.6, 15_000: 1.41}
ROWS = [{"progress/step": step, "val/loss": loss} for step, loss in LOSSES.items()]
RECORD = read_record(RunFolder(Path(__file__).parents[1] / "faults/format_1"))


def record(device: str = "NVIDIA H100 80GB HBM3", tokens: float = 470e6) -> RunRecord:
    (segment,) = RECORD.segments
    assert RECORD.corpus is not None
    elsewhere = replace(segment, machine=replace(segment.machine, device_name=device))
    corpus = replace(RECORD.corpus, splits={"train": SplitRecord(tokens=int(tokens))})
    return replace(RECORD, segments=(elsewhere,), corpus=corpus)


def test_every_figure_of_round_2_has_its_counterpart() -> None:
    published = read_published("round2")
    assert published is not None
    found = {figure.what: figure for figure in pair_figures(published, SUMMARY, ROWS)}
    assert found["perplexity"].within and found["minutes"].within and found["dollars"].within
    assert found["validation loss at step 1,000"].difference == pytest.approx(0.14)
    assert found["validation loss at step 1,000"].within is False
    assert found["validation loss at step 14,999"].measured == 1.41, "our last evaluation is after the last step"
    text = describe(Comparison(list(found.values()), ["another machine"]))
    assert "validation loss at step 1,000" in text and "possible reason: another machine" in text


def test_what_is_not_published_or_not_measured_is_left_blank() -> None:
    assert ComparedFigure("perplexity", None, 4.0, 0.05).within is None
    assert ComparedFigure("perplexity", 4.0, None, 0.05).difference is None


def test_only_the_rounds_are_compared() -> None:
    assert read_published("smoke") is None
    assert all(read_published(f"round{number}") for number in (1, 2, 3, 4))


def test_reasons_are_the_differences_there_are() -> None:
    register()
    published = read_published("round2")
    assert published is not None
    as_published = list_differences(published, compose_config(["experiment=round2"]).config, record())
    assert len(as_published) == 1 and "this project's choice" in as_published[0]
    scaled = compose_config(["experiment=round2", "training.steps=400", "training.batch_size=4"]).config
    said = list_differences(published, scaled, record("AMD EPYC", 3.1e6))
    assert [reason.split(":")[0] for reason in said[:4]] == [
        "the machine differs",
        "training.steps=400, published 15,000",
        "training.batch_size=4, published 64",
        "the corpus is partial",
    ]
