"""A run that an earlier release started can be resumed.

`format_1/` is a run of 12 steps, written by the last release of checkpoint format 1 and killed after step 8.
"""

import json
import shutil
from pathlib import Path

import msgspec
import pytest

from tests.faults import trials
from tinystories_lm.runs.checkpoint import FORMAT, check_checkpoint
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.records import read_metrics, read_record
from tinystories_lm.system.errors import NewerFormatError
from tinystories_lm.system.json_files import read_json

GOLDEN = Path(__file__).parent / "format_1"
SETTINGS = ["model.n_layers=1", "model.d_model=8", "model.d_ff=8", "training.steps=12", "training.eval_every_steps=4"]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN, tmp_path / "run"))


def test_a_run_that_an_earlier_release_started_is_resumed_to_its_end(old: Path, corpus: Path) -> None:
    before = read_metrics(RunFolder(old))
    assert trials.end(trials.start(corpus, old, *SETTINGS)) == 0, trials.said(old)
    assert "resuming from step 8" in trials.said(old)
    after = read_metrics(RunFolder(old))
    assert after[: len(before)] == before and [row["progress/step"] for row in after][-2:] == [12, 12]
    newest = check_checkpoint(old / "checkpoints" / "step-00000012", run_id=read_record(RunFolder(old)).run_id)
    assert newest.step == 12 and newest.tokens == 12 * 4 * 32 and newest.metrics_sha256


def test_the_progress_in_an_old_checkpoint_is_read_unchanged(old: Path) -> None:
    path = old / "checkpoints" / "step-00000008"
    stored = read_json(path / "state.json")
    progress = check_checkpoint(path, run_id=read_record(RunFolder(old)).run_id)
    found = msgspec.to_builtins(progress)
    assert {name: found[name] for name in stored} == stored
    assert progress.metrics_sha256 == progress.samples_sha256 == "", "unknown: nothing is compared"


@pytest.mark.parametrize("number", [FORMAT + 1, 99])
def test_a_checkpoint_of_a_later_release_ends_the_command_with_exit_7(old: Path, corpus: Path, number: int) -> None:
    manifest = old / "checkpoints" / "step-00000008" / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format": number}))
    with pytest.raises(NewerFormatError, match=f"format {number}, this version reads up to {FORMAT}"):
        check_checkpoint(manifest.parent, run_id=read_record(RunFolder(old)).run_id)
    code = trials.end(trials.start(corpus, old, *SETTINGS, first=trials.alone))
    assert code == 7 and "use a newer tinystories_lm" in trials.said(old).splitlines()[-1]
    assert not (old / "summary.json").exists() and json.loads(manifest.read_text())["format"] == number
