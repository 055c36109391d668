"""The typed records: what is read is written as it was, and a damaged file is refused by its place."""

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.records import read_metrics, read_record, read_samples, read_summary, write_record
from tinystories_lm.system.errors import DamagedError
from tinystories_lm.system.json_files import read_json, write_sealed

TESTS = Path(__file__).parents[1]
STORED = [TESTS / "faults/format_1", *sorted((TESTS / "golden/files/outputs/golden").glob("*/"))]
WITH_RECORD = [folder for folder in STORED if (folder / "environment.json").is_file()]
MACHINE = {"device": "cpu", "device_name": "a CPU", "precision": "float32", "compile": False, "attention": "blocks",
           "threads": 1, "peak_flops_per_second": 3e10}  # fmt: skip
PIECE = {"git_commit": "", "packages": {"torch": "2.9"}, "machine": MACHINE}
RECORD = {"run_id": "abc", "pieces": [PIECE]}


def stored(folder: Path, name: str, values: object) -> RunFolder:
    (folder / name).write_text(json.dumps(values))
    return RunFolder(folder)


@pytest.mark.parametrize("folder", WITH_RECORD, ids=lambda folder: folder.name)
def test_a_record_is_written_as_it_was_read_byte_for_byte(folder: Path, tmp_path: Path) -> None:
    copy = RunFolder(Path(shutil.copytree(folder, tmp_path / "run")))
    record = read_record(copy)
    values = read_json(copy.environment)
    assert json.dumps(msgspec.to_builtins(record)) == json.dumps(values)
    write_sealed(copy.environment, values)
    before = copy.environment.read_bytes()
    write_record(copy, record)
    assert copy.environment.read_bytes() == before


def test_a_summary_keeps_its_keys_and_their_order() -> None:
    run = RunFolder(TESTS / "golden/files/outputs/golden/finished")
    assert json.dumps(msgspec.to_builtins(read_summary(run, whole=True))) == json.dumps(read_json(run.summary))
    assert [row["progress/step"] for row in read_metrics(run)] == sorted(
        row["progress/step"] for row in read_metrics(run)
    )
    assert read_samples(run)[0].prompt == "One day"


def test_keys_of_a_newer_version_survive_a_resume(tmp_path: Path) -> None:
    newer = {"run_id": "abc", "pieces": [PIECE | {"user": "x", "machine": MACHINE | {"fans": 2}}], "colour": "red"}
    run = stored(tmp_path, "environment.json", newer)
    record = read_record(run)
    write_record(run, msgspec.structs.replace(record, segments=(*record.segments, *record.segments), exact=False))
    written = read_json(run.environment)
    assert list(written) == ["run_id", "pieces", "colour", "exact"] and written["colour"] == "red"
    first, second = written["pieces"]
    assert first["user"] == "x" and first["machine"]["fans"] == 2
    assert "user" not in second and "fans" not in second["machine"]


def test_the_record_of_another_run_leaves_nothing_behind(tmp_path: Path) -> None:
    run = stored(tmp_path, "environment.json", RECORD | {"colour": "red"})
    write_record(run, msgspec.structs.replace(read_record(run), run_id="other"))
    assert "colour" not in read_json(run.environment)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"run_id": "../.."}, "run_id"),
        ({"run_id": "abc\n"}, "run_id"),
        ({"pieces": None}, "pieces"),
        ({"pieces": [PIECE | {"machine": MACHINE | {"threads": True}}]}, "pieces[0].machine.threads"),
        ({"pieces": [PIECE | {"machine": MACHINE | {"threads": 10**30}}]}, "pieces[0].machine.threads"),
        ({"pieces": [PIECE | {"machine": MACHINE | {"attention": "x" * 5000}}]}, "damaged"),
        ({"pieces": [PIECE | {"packages": {}}]}, "torch"),
        ({"exact": 1}, "exact"),
        ({"corpus": {"tokenizer_sha256": "0" * 63, "vocab_size": 4}}, "corpus.tokenizer_sha256"),
    ],
)  # fmt: skip
def test_a_record_that_does_not_fit_is_refused_by_its_place(change: dict[str, Any], place: str, tmp_path: Path) -> None:
    run = stored(tmp_path, "environment.json", RECORD | change)
    with pytest.raises(DamagedError) as error:
        read_record(run)
    assert place in str(error.value) and str(run.environment) in str(error.value)
    assert "\n" not in str(error.value) and len(str(error.value)) < len(str(run.environment)) + 300


@pytest.mark.parametrize("left_out", ["val/loss", "progress/step", "stories", "cost/usd"])
def test_the_summary_of_a_finished_run_has_all_figures(left_out: str, tmp_path: Path) -> None:
    values = read_json(TESTS / "golden/files/outputs/golden/finished/summary.json")
    del values[left_out]
    run = stored(tmp_path, "summary.json", values)
    read_summary(run)
    with pytest.raises(DamagedError, match=left_out):
        read_summary(run, whole=True)


@pytest.mark.parametrize(
    "row",
    ['{"progress/step": 1}', '{"progress/step": 1.5, "progress/tokens": 2}', '[1]', '{"progress/step": 1, "progress/'
     'tokens": 2, "val/loss": true}', '{"progress/step": 1, "progress/tokens": 2, "val/loss": NaN}'],
)  # fmt: skip
def test_a_row_without_its_counts_or_with_other_values_than_numbers_is_left_out(
    row: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = RunFolder(tmp_path)
    good = '{"progress/step": 1, "progress/tokens": 2, "val/loss": 3}'
    run.metrics.write_text(f"{good}\n{row}\n{good}\n{good[:9]}")
    assert len(read_metrics(run)) == 2 and "1 damaged row" in caplog.text
