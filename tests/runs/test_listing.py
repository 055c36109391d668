"""The list of runs, of folders whole and damaged."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.interop.test_export import make_run
from tinystories_lm.runs.listing import describe, list_runs
from tinystories_lm.runs.status import TIME_FORMAT, Status, write_status
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.json_files import write_json

SUMMARY = {"name": "run", "val/loss": 2.5, "val/perplexity": 12.18, "val/bits_per_byte": 1.1, "cost/usd": 0.31,
           "time/train_seconds": 9.0, "progress/step": 12, "progress/tokens": 1536, "parameters": 39_800, "stories": [],
           "verdict": {"name": "undertrained, decoder loop", "because": [], "next": []}}  # fmt: skip


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a finished run, one that failed early and one with damaged files."""
    folder = tmp_path_factory.mktemp("listed") / "outputs"
    done = make_run(folder / "small/done")
    write_json(done.summary, SUMMARY)
    failed = make_run(folder / "sweeps/sizes/failed")
    write_status(failed, Status.FAILED, reason="oom", step=3)
    failed.metrics.write_text(
        '{"progress/step": 2, "progress/tokens": 64, "val/loss": 4.5, "val/perplexity": 90.0}\n{"progress/st'
    )
    (failed.path / ".hydra").mkdir()
    (failed.path / ".hydra/overrides.yaml").write_text("- model=gpt_2m\n- training.seed=3\n")
    broken = make_run(folder / "small/broken")
    broken.config.write_text("name: [")
    broken.summary.write_text('{"val/loss": NaN')
    broken.status.write_text("{}")
    for age, run in enumerate((failed, broken, done)):
        seconds = 1_000_000 - age * 90_000
        stored = json.loads(run.status.read_text())
        if "updated" in stored:
            updated = datetime.fromtimestamp(seconds, UTC).strftime(TIME_FORMAT)
            run.status.write_text(json.dumps(stored | {"updated": updated}))
        else:
            os.utime(run.status, (seconds, seconds))
    return folder


def test_each_run_is_listed_as_far_as_it_can_be_read(outputs: Path) -> None:
    failed, broken, done = list_runs(outputs=outputs)
    assert (done.status, done.verdict, done.parameters, done.loss) == (
        "done",
        "undertrained, decoder loop",
        39_800,
        2.5,
    )
    assert (done.step, done.steps, done.dollars) == (12, 12, 0.31)
    assert (failed.status, failed.step, failed.loss) == ("failed", 2, 4.5)
    assert (broken.status, broken.name, broken.loss) == ("damaged", None, None)
    text = describe([failed, broken, done], columns=200)
    assert len(text.splitlines()) == 5 and "12/12" in text and "$0.31" in text


@pytest.mark.parametrize(
    ("words", "found"),
    [(["failed"], 1), (["small"], 2), (["loop", "done"], 1), (["sizes", "loop"], 0), (["gpt_2m"], 1)],
)
def test_words_filter_by_folder_status_verdict_and_settings(outputs: Path, words: list[str], found: int) -> None:
    assert len(list_runs(words, outputs=outputs)) == found


def test_runs_sort_by_what_is_asked(outputs: Path) -> None:
    assert [one.loss for one in list_runs(sort="loss", outputs=outputs)] == [2.5, 4.5, None]
    with pytest.raises(UsageError, match="there is no run"):
        list_runs(outputs=outputs / "none")


def test_the_command_answers_people_and_programs(outputs: Path, command: Command, tmp_path: Path) -> None:
    (tmp_path / "outputs").symlink_to(outputs)
    shown = command("runs", "done")
    assert shown.returncode == 0 and shown.stdout.splitlines()[-1].startswith("small/done")
    lines = command("runs", "--json", "--sort", "name").stdout.splitlines()
    assert len(lines) == 3 and all("age_seconds" in json.loads(line) for line in lines)
    assert command("runs", "--sort", "colour").returncode == 2
