"""`tinystories-lm scaling` on folders as `train` and `sweep` leave them."""

import dataclasses
import json
import math
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tinystories_lm.analysis.scaling.fit import fit
from tinystories_lm.analysis.scaling.forecast import forecast, purchases
from tinystories_lm.analysis.scaling.law import Law
from tinystories_lm.analysis.scaling.observations import Observations, collect, describe_observations, sample_of
from tinystories_lm.analysis.scaling.reliability import hold_out
from tinystories_lm.cli import main
from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.model.flops import count_parameters, flops_per_token
from tinystories_lm.planning.estimate import Speed, estimate
from tinystories_lm.runs.folder import RunFolder, write_config
from tinystories_lm.runs.status import Status, write_status
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.json_files import write_json

TRUE = Law(E=1.1, A=60.0, B=300.0, alpha=0.30, beta=0.37)
WIDTHS, STEPS = (64, 128, 256), (100, 300, 900)
EPOCH_TOKENS = 2_000_000


def make_run(folder: Path, *overrides: str, status: Status = Status.DONE) -> RunFolder:
    """Write a run whose loss follows TRUE, without training."""
    register()
    config = compose_config(["hardware=cpu", *overrides]).config
    run = RunFolder(folder)
    run.path.mkdir(parents=True)
    write_config(run, config)
    write_status(run, status, reason="", step=config.training.steps)
    if status is Status.DONE:
        parameters = count_parameters(config.model, vocab_size=config.data.vocab_size).total
        write_json(
            run.summary,
            {
                "val/loss": TRUE.loss(parameters, config.tokens),
                "progress/tokens": config.tokens,
                "progress/epochs": config.tokens / EPOCH_TOKENS,
                "parameters": parameters,
                "cost/usd": 0.0,
                "time/train_seconds": 60.0,
            },
        )
    return run


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a working folder whose outputs/sweeps/size_by_steps has nine finished runs and a failed one."""
    work = tmp_path_factory.mktemp("work")
    sweep = work / "outputs" / "sweeps" / "size_by_steps"
    for width in WIDTHS:
        for steps in STEPS:
            shape = (f"model.d_model={width}", "model.n_heads=4", f"model.d_ff={2 * width}")
            make_run(sweep / f"{width}_{steps}", *shape, f"training.steps={steps}")
    again = make_run(sweep / "again", status=Status.FAILED)  # it finished, resumed with more steps, and failed
    write_json(again.summary, {"val/loss": 9.0, "progress/tokens": 1000, "parameters": 1000})
    return work


@pytest.fixture
def work(outputs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(outputs)
    return outputs


@pytest.fixture(scope="module")
def points(outputs: Path) -> Observations:
    return collect("size_by_steps", outputs=outputs / "outputs")


def test_a_sweep_gives_its_law_forecast_picture_and_record(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wide = ["model.d_model=512", "model.n_heads=4", "model.d_ff=1024", "training.steps=3000"]
    assert main.run(["scaling", "size_by_steps", "--dollars", "2", "--predict", *wide]) == 0
    text = capsys.readouterr().out
    for expected in (
        "from 9 runs; left out: 1 failed",
        "The 3 most expensive runs, predicted from the 6 cheapest",
        "Forecast of",
        "h100",
    ):
        assert expected in text
    folder = work / "outputs" / "sweeps" / "size_by_steps"
    record = json.loads((folder / "scaling.json").read_text(encoding="utf-8"))
    assert {name: found["value"] for name, found in record["parameters"].items()} == pytest.approx(
        TRUE._asdict(), rel=0.01
    )
    (predicted,) = record["forecasts"]
    assert predicted["loss"] == pytest.approx(TRUE.loss(predicted["parameters"], predicted["tokens"]), rel=1e-3)
    assert predicted["perplexity"] == pytest.approx(math.exp(predicted["loss"]))
    assert {one["hardware"] for one in predicted["hardware"]} == {"a100", "h100", "h200", "rtx4090"}
    assert [bought["dollars"] for bought in record["purchases"]] == [2.0] * 4
    drawing = ET.fromstring((folder / "scaling.svg").read_text(encoding="utf-8"))
    assert len(drawing.findall(".//{*}circle/{*}title")) == 9


def test_json_is_what_is_written(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = work / "outputs" / "sweeps" / "size_by_steps"
    assert main.run(["scaling", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((folder / "scaling.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["size_by_step"], "did you mean size_by_steps?"),
        (["nothing_like_it"], "there are: size_by_steps"),
        (["outputs/sweeps/size_by_steps/64_100"], "is a single run"),
        (["size_by_steps", "--predict", "experiment=round44"], "experiment=round44: there is no such experiment"),
        (["size_by_steps", "--predict", "training.step=3"], "did you mean training.steps?"),
        (["size_by_steps", "--dollars", "-1"], "must be above 0"),
        (["size_by_steps", "--dollars", "nan"], "must be above 0"),
        (["size_by_steps", "--dollars", "much"], "invalid float value"),
        ([], "SWEEP"),
    ],
)
def test_wrong_usage_is_one_line_and_2(
    work: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert main.run(["scaling", *arguments]) == 2
    said = capsys.readouterr()
    assert words in said.err
    assert said.err.count("\n") == 1 and said.out == ""


def test_too_few_runs_say_how_many_are_needed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(tmp_path / "few" / "one", "training.steps=100")
    make_run(tmp_path / "few" / "two", "training.steps=200")
    assert main.run(["scaling", str(tmp_path / "few")]) == 2
    assert "at least 3 finished runs" in capsys.readouterr().err
    make_run(tmp_path / "none" / "one", status=Status.INTERRUPTED)
    with pytest.raises(UsageError, match="no finished run yet .1 interrupted"):
        collect(str(tmp_path / "none"))


def test_validation_predicts_the_most_expensive_third_from_the_other_runs(points: Observations) -> None:
    found = hold_out(points.points)
    expensive = {point.run for point in sorted(points.points, key=lambda point: point.flops)[-3:]}
    assert {one.point.run for one in found.predicted} == expensive
    spoiled = [point._replace(loss=2 * point.loss) if point.run in expensive else point for point in points.points]
    assert [one.loss for one in hold_out(spoiled).predicted] == [one.loss for one in found.predicted]
    assert hold_out(spoiled).mean_absolute_error == pytest.approx(0.5, abs=0.02)
    assert not hold_out(points.points[:3]).predicted and hold_out(points.points[:3]).reason


def test_compute_is_that_of_the_model(points: Observations) -> None:
    for point in points.points:
        per_token = flops_per_token(point.config.model, vocab_size=point.config.data.vocab_size)
        assert point.flops == point.tokens * per_token


def test_a_forecast_reports_its_extrapolation_and_the_settings_that_differ(points: Observations) -> None:
    found = fit(sample_of(points.points), resamples=8)
    largest = points.points[-1]
    config = compose_config(["hardware=cpu", "model.d_model=256", "model.d_ff=512", "training.steps=9000"]).config
    predicted = forecast(found, points, ["training.steps=9000"], config)
    assert predicted.reach == "extrapolates 10x in tokens, 10x in compute"
    assert predicted.tokens == 10 * largest.tokens
    assert predicted.perplexity == math.exp(predicted.loss)
    assert predicted.perplexity_interval == pytest.approx([math.exp(value) for value in predicted.loss_interval])
    assert any("it reads the corpus" in line for line in predicted.warnings)
    for quote in predicted.hardware:
        hardware = compose_config([f"hardware={quote.hardware}"]).config.hardware
        there = dataclasses.replace(config, hardware=hardware)
        assert quote.hours * 3600 == estimate(there, Speed(hardware.peak_flops_per_second)).seconds
        assert quote.dollars == pytest.approx(quote.hours * hardware.dollars_per_hour)
    other = compose_config(["hardware=cpu", "data=tinystories", "training.batch_size=64"]).config
    lines = "\n".join(forecast(found, points, [], other).warnings)
    assert "corpus tinystories instead of stories" in lines
    assert "training.batch_size" in lines
    inside = compose_config(["hardware=cpu", "model.d_model=128", "model.d_ff=256", "training.steps=400"]).config
    assert forecast(found, points, [], inside).reach == "within the fitted runs"


def test_a_budget_buys_the_best_run_of_its_flops(points: Observations) -> None:
    found = fit(sample_of(points.points), resamples=8)
    for bought in purchases(found, points, 3.0):
        assert bought.flops == pytest.approx(6 * bought.parameters * bought.tokens)
        for factor in (0.5, 0.9, 1.1, 2.0):
            size = bought.parameters * factor
            assert found.law.loss(size, bought.flops / (6 * size)) > bought.loss
        assert bought.loss_interval.low <= bought.loss <= bought.loss_interval.high
    with pytest.raises(UsageError, match="both size and tokens"):
        purchases(dataclasses.replace(found, law=found.law._replace(A=0.0)), points, 1.0)


def test_several_corpora_in_one_sweep_are_reported(tmp_path: Path) -> None:
    make_run(tmp_path / "a")
    make_run(tmp_path / "b", "data.grammar_bytes=5000000", "optimizer.lr=0.0007")
    lines = describe_observations(collect(str(tmp_path)))
    assert any("data.grammar_bytes, and each corpus" in line for line in lines)
    assert any("also differ in optimizer.lr" in line for line in lines)
