"""The list of runs, of folders whole and damaged."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.analysis.report.runs import make_run as make_formula_run
from tests.conftest import Command
from tests.interop.test_export import make_run
from tinystories_lm.runs.deletion import delete_runs, size_of
from tinystories_lm.runs.folder import RunFolder, locked
from tinystories_lm.runs.listing import describe, list_runs
from tinystories_lm.runs.lookup import find_run
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


@pytest.fixture
def swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create a sweep over models and seeds, and two runs of one command, and make their folder the current one."""
    monkeypatch.chdir(tmp_path)
    for number, (model, seed) in enumerate((model, seed) for model in ("gpt_2m", "gpt_5m") for seed in (0, 1)):
        typed = ["+sweep=wide", f"model={model}", f"training.seed={seed}", "tracking=off"]
        make_formula_run(Path(f"outputs/sweeps/wide/aaaa000{number}"), typed=typed)
    for second in (1, 2):
        make_formula_run(Path(f"outputs/run/2026-11-27_10-00-0{second}_bbbb0000"), typed=["training.seed=4"])
    return tmp_path


def test_what_was_swept_is_shown_and_every_name_finds_its_run(swept: Path) -> None:
    runs = {one.short: one for one in list_runs()}
    assert runs["wide/aaaa0003"].swept == {"model": "gpt_5m", "training.seed": "1"}
    assert "model=gpt_5m seed=1" in describe([*runs.values()], columns=80)
    assert set(runs) > {"run/bbbb0000", "wide/aaaa0000"} and len(runs) == 6
    for name, one in runs.items():
        assert find_run(name).path == Path(one.run)
    assert runs["run/bbbb0000"].run.endswith("10-00-02_bbbb0000"), "the newest of two"


@pytest.mark.parametrize("columns", [60, 80, 100, 140])
def test_the_table_fits_the_terminal(swept: Path, columns: int) -> None:
    text = describe(list_runs(["wide"]), columns=columns)
    assert max(map(len, text.splitlines())) <= columns
    assert "seed=1" in text and "loss" in text
    assert ("perplexity" in text) == (columns >= 140) and ("outputs/" in text) == (columns >= 100)
    assert ("verdict" in text) == (columns >= 80)


def test_a_sweeps_name_means_its_runs_wherever_they_are(swept: Path, tmp_path: Path) -> None:
    make_formula_run(Path("elsewhere/one"))
    assert len(list_runs(["wide"])) == 4 and len(list_runs(["wide", "gpt_2m"])) == 2
    assert [one.run for one in list_runs(["elsewhere"])] == ["elsewhere/one"]


def test_runs_are_deleted_after_a_question_and_not_while_they_are_trained(swept: Path, command: Command) -> None:
    assert command("runs", "--delete").returncode == 2
    refused = command("runs", "wide", "seed=1", "--delete")
    assert refused.returncode == 2 and "--yes" in refused.stderr
    with locked(Path("outputs/sweeps/wide/aaaa0001")):
        in_use = command("runs", "wide", "seed=1", "--delete", "--yes")
    assert in_use.returncode == 8 and len(list(Path("outputs/sweeps/wide").iterdir())) == 4
    done = command("runs", "wide", "seed=1", "--delete", "--yes")
    assert done.returncode == 0 and "deleted 2 runs" in done.stderr
    assert sorted(path.name for path in Path("outputs/sweeps/wide").iterdir()) == ["aaaa0000", "aaaa0002"]
    assert command("runs", "wide", "--delete", "--yes").returncode == 0
    assert not Path("outputs/sweeps/wide").exists() and len(list_runs()) == 2


def test_an_answer_other_than_yes_deletes_nothing(swept: Path, environment: dict[str, str]) -> None:
    """The question is asked at a terminal."""
    for answer, left in (("\n", 6), ("n\n", 6), ("y\n", 2)):
        master, terminal = os.openpty()
        os.write(master, answer.encode())
        words = [sys.executable, "-m", "tinystories_lm", "runs", "wide", "--delete"]
        done = subprocess.run(words, stdin=terminal, env=environment, capture_output=True, text=True, check=True)
        os.close(terminal)
        os.close(master)
        assert "[y/N]" in done.stderr and len(list_runs()) == left


def test_a_link_is_not_deleted_and_leftovers_of_a_killed_deletion_are(swept: Path) -> None:
    os.symlink(Path("sweeps/wide/aaaa0000").resolve(), "outputs/linked")
    with pytest.raises(UsageError, match="is a link"):
        delete_runs([RunFolder(Path("outputs/linked"))])
    left = Path("outputs/sweeps/wide/.deleted-aaaa0009")
    left.mkdir()
    (left / "config.yaml").write_text("half")
    run = RunFolder(Path("outputs/sweeps/wide/aaaa0001"))
    assert size_of(run) == sum(path.stat().st_size for path in run.path.rglob("*") if path.is_file())
    delete_runs([run])
    assert not left.exists() and not run.path.exists()
