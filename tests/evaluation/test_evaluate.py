"""What `evaluate` finds, against the text itself, and where it lands."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Command
from tests.hardware.test_setup import HERE
from tests.interop.test_export import make_run
from tests.tracking.sdk import inspect, of_type
from tinystories_lm.config.choices import Device, Precision
from tinystories_lm.data.corpus import Split, documents, fingerprint
from tinystories_lm.evaluation.evaluate import describe, evaluate
from tinystories_lm.evaluation.perplexity import score
from tinystories_lm.evaluation.story_metrics import METRICS
from tinystories_lm.generation.load import load_model
from tinystories_lm.interop.export import export_run
from tinystories_lm.runs.folder import RunFolder, read_config
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.json_files import read_json, write_sealed


def options(**changes: object) -> dict[str, Any]:
    asked = {
        "n_stories": 6, "max_tokens": 12, "stride_tokens": 0, "data_path": None,
        "device": Device.cpu, "precision": Precision.float32,
    }  # fmt: skip
    return asked | changes


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> RunFolder:
    run = make_run(tmp_path_factory.mktemp("run") / "it", f"data.path={corpus}", "tracking.mode=offline")
    return run


@pytest.fixture(scope="module")
def found(run: RunFolder) -> dict[str, object]:
    return evaluate(str(run.path), **options())


def test_the_whole_split_is_scored_token_by_token_and_byte_by_byte(run: RunFolder, found: dict[str, object]) -> None:
    trained = load_model(str(run.path))
    texts = list(documents(read_config(run).data, Split.VALIDATION))
    ids = [token for text in texts for token in [*trained.tokenizer.encode(text).ids, 0]]
    assert found["val/tokens"] == len(ids)
    assert found["val/bytes"] == sum(len(text.encode()) for text in texts)
    want = score(
        trained.model, np.array(ids), text_bytes=1, machine=HERE, context_tokens=32, stride_tokens=16, batch_size=7
    )
    assert found["val/loss"] == pytest.approx(want.loss, rel=1e-5)


def test_the_results_are_written_to_the_run_folder_and_its_summary_in_wandb(
    run: RunFolder, found: dict[str, object]
) -> None:
    assert read_json(run.path / "evaluation.json") == found
    (segment,) = (run.path / "wandb").glob("offline-run-*-abc")
    summary = json.dumps(of_type(inspect(segment), "summary"))
    for name in ("val/perplexity", "val/bytes", "stories/distinct_2", "held_out/non_words"):
        assert f"evaluation/{name}" in summary


def test_every_metric_is_in_the_table_for_the_model_and_for_real_text(found: dict[str, object]) -> None:
    shown = describe(found)
    for each in METRICS:
        assert f"stories/{each.name}" in found and f"held_out/{each.name}" in found
        assert each.label in shown
    assert found["held_out/non_words"] == pytest.approx(0, abs=0.02), "its words are the training text's"
    assert found["stories/stories"] == 6


def test_the_card_of_an_exported_model_has_the_results(
    run: RunFolder, found: dict[str, object], tmp_path: Path
) -> None:
    pytest.importorskip("transformers", reason="the stock classes are in the dev extra")
    export_run(str(run.path), tmp_path / "model", precision=Precision.float32, with_gguf=False)
    card = (tmp_path / "model" / "README.md").read_text()
    assert f"{found['val/bytes']:,} bytes" in card and f"{found['val/perplexity']:.3f}" in card


def test_another_text_is_reported_and_left_out_of_the_model_card(
    corpus: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("transformers", reason="the stock classes are in the dev extra")
    run = make_run(tmp_path / "it", f"data.path={corpus}")
    source = fingerprint(read_config(run).data, notes=tmp_path / "notes")
    record = read_json(run.environment)
    write_sealed(run.environment, record | {"corpus": record.get("corpus", {}) | {"fingerprint": source}})
    own = evaluate(str(run.path), **options())
    assert own["data/fingerprint"] == source and "is not the text" not in caplog.text
    other = tmp_path / "other"
    other.mkdir()
    for file in corpus.iterdir():
        (other / file.name).write_text(file.read_text().replace("Tom", "Kim"))
    foreign = evaluate(str(run.path), **options(data_path=str(other)))
    assert foreign["data/fingerprint"] != source and "differs from the text" in caplog.text
    export_run(str(run.path), tmp_path / "model", precision=Precision.float32, with_gguf=False)
    assert "whole validation split" not in (tmp_path / "model" / "README.md").read_text()


def test_a_smaller_stride_gives_more_context_and_not_another_text(run: RunFolder, found: dict[str, object]) -> None:
    dense = evaluate(str(run.path), **options(stride_tokens=1))
    assert (dense["val/tokens"], dense["val/bytes"]) == (found["val/tokens"], found["val/bytes"])
    assert dense["val/loss"] != found["val/loss"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stride_tokens": 33}, "1 to the context's 32"),
        ({"data_path": "nowhere"}, "nowhere"),
        ({"data_path": ""}, "data.path"),
        ({"data_path": "blank"}, "the validation split has no text"),
    ],
)
def test_impossible_options_are_refused_and_the_last_results_stay(
    run: RunFolder, found: dict[str, object], changes: dict[str, object], message: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "blank").mkdir()
    (tmp_path / "blank" / "train.txt").write_text("One day.")
    (tmp_path / "blank" / "valid.txt").write_text(" \n")
    before = (run.path / "evaluation.json").read_bytes()
    with pytest.raises(UsageError, match=message):
        evaluate(str(run.path), **options(**changes))
    assert (run.path / "evaluation.json").read_bytes() == before


def test_the_command_prints_a_table_or_json(tmp_path: Path, corpus: Path, command: Command) -> None:
    run = make_run(tmp_path / "outputs" / "small" / "one", f"data.path={corpus}")
    asked = ("evaluate", "small", "--stories", "3", "--max-tokens", "8", "--device", "cpu")
    shown = command(*asked)
    assert shown.returncode == 0, shown.stderr
    assert shown.stderr == "scoring outputs/small/one/checkpoints/step-00000012, then it writes 3 stories\n"
    assert "bits per byte" in shown.stdout and "copied 8-grams" in shown.stdout
    as_json = command(*asked, "--json")
    assert json.loads(as_json.stdout) == read_json(run.path / "evaluation.json")
    refused = command("evaluate", "smal", "--stories", "0")
    assert refused.returncode == 2 and "--stories" in refused.stderr and refused.stderr.count("\n") == 1
    unknown = command("evaluate", "smal")
    assert unknown.returncode == 2 and "did you mean small" in unknown.stderr and unknown.stderr.count("\n") == 1
    (run.path / "status.json").unlink()
    assert command("evaluate", str(run.path), *asked[2:]).returncode == 0, "what became of the run moves no figure"
