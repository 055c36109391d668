"""What commit 537aa6a left on disks: the program at hand resumes, reads and exports it, to the same numbers.

`tests/golden/make.py` made the files and the answers that are expected; it says how.
"""

import json
import platform
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Command
from tests.golden import make
from tinystories_lm.config.fingerprint import config_hash
from tinystories_lm.runs.folder import RunFolder, read_config

EXPECTED: dict[str, Any] = json.loads(make.EXPECTED.read_text(encoding="utf-8"))
SAME_MACHINE = EXPECTED["machine"] == make.machine()  # another one rounds differently
REMOVED = {"relu2": "model.mlp", "rows_begin": "training.rows_begin", "batch_doublings": "training.batch_doublings"}


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    """Copy the golden files into the folder where `command` runs."""
    return Path(shutil.copytree(make.FILES, tmp_path, dirs_exist_ok=True))


def answering(command: Command) -> make.Command:
    """Adapt `command` to the signature that tests/golden/make.py expects."""

    def run(*arguments: str) -> str:
        done = command(*arguments)
        assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
        return done.stdout

    return run


def about(value: Any) -> Any:
    """Return the value with a tolerance for its floats."""
    if isinstance(value, dict):
        return {key: about(part) for key, part in value.items()}
    if isinstance(value, list):
        return [about(part) for part in value]
    return pytest.approx(value, rel=1e-4) if isinstance(value, float) else value


def without_bits(value: Any) -> Any:
    """Return the value without the hashes of weights that were trained here."""
    if not isinstance(value, dict):
        return value
    return {key: without_bits(part) for key, part in value.items() if key != "sha256"}


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return when each file below was written, and its bytes."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(file.relative_to(folder)): (file.stat().st_mtime_ns, file.read_bytes()) for file in files}


@pytest.mark.parametrize("name", make.READERS)
def test_an_old_run_is_sampled_evaluated_reported_and_exported_as_before(
    golden: Path, command: Command, name: str
) -> None:
    assert make.READERS[name](answering(command), golden) == about(EXPECTED[name])


def check_ending(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Check the weights bit for bit where this machine rounds as that of the files, else the losses."""
    if SAME_MACHINE:
        assert found == expected
    else:
        assert without_bits(found) == about(without_bits(expected))


def test_an_old_run_that_was_stopped_ends_with_the_weights_it_would_have_had(golden: Path, command: Command) -> None:
    check_ending(make.resumed(answering(command), golden), EXPECTED["resumed"])
    summary = json.loads((golden / make.PLACE / "interrupted/summary.json").read_text(encoding="utf-8"))
    assert summary["exact"] is False, "torch's Muon took the first steps, which rounds otherwise on some machines"


def test_an_old_sweep_is_resumed_and_its_finished_member_is_not_trained_again(golden: Path, command: Command) -> None:
    (finished,) = (summary.parent for summary in (golden / "outputs/sweeps/seeds").glob("*/summary.json"))
    before = contents(finished)
    check_ending(make.swept(answering(command), golden), EXPECTED["swept"])
    assert contents(finished) == before


def test_an_old_run_is_found_by_its_command_alone_and_keeps_its_data_rules(
    golden: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(golden)
    run = Path(make.PLACE) / "interrupted"
    found = run.rename(run.parent / f"2026-11-27_21-00-00_{config_hash(read_config(RunFolder(run)))}")
    done = command("train", *make.SETTINGS, *make.RUNS["interrupted"])
    assert done.returncode == 0, done.stderr
    assert f"resuming the interrupted run in {found}" in done.stderr
    assert "began under data.version=1, which it keeps" in done.stderr
    check_ending(make.ending(found), EXPECTED["resumed"])
    again = command("train", *make.SETTINGS, *make.RUNS["interrupted"], "training.steps=2")
    assert again.returncode == 0, again.stderr
    (new,) = {read_config(RunFolder(path)).data.version for path in (golden / "outputs/run").iterdir()}
    assert new == 2


def test_an_old_sweep_keeps_its_data_rules_under_hydras_launcher_too(golden: Path, command: Command) -> None:
    members = sorted(path for path in (golden / "outputs/sweeps/seeds").iterdir() if path.is_dir())
    done = command("train", "-m", "+sweep=seeds", *make.SWEEP[2:])
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("outputs/sweeps/seeds began under data.version=1, which it keeps") == 1
    assert sorted((golden / "outputs/sweeps/seeds").glob("*/config.yaml")) == [run / "config.yaml" for run in members]
    check_ending({run.name: make.ending(run) for run in members}, EXPECTED["swept"])


@pytest.mark.skipif(not SAME_MACHINE, reason="the files were made on a machine that rounds differently")
def test_an_old_run_is_replayed_bit_for_bit(golden: Path, command: Command) -> None:
    answering(command)("replay", f"{make.PLACE}/finished", "--json")


def test_an_old_token_cache_is_used_as_it_is(golden: Path, command: Command) -> None:
    (cache,) = (header.parent for header in (golden / "outputs/cache").glob("*/header.json"))
    before = contents(cache)
    assert str(cache.relative_to(golden)) in answering(command)("prepare", *make.SETTINGS)
    assert contents(cache) == before
    assert [header.parent for header in (golden / "outputs/cache").glob("*/header.json")] == [cache]


def test_an_old_calibration_still_decides_the_time_that_a_plan_shows(golden: Path, command: Command) -> None:
    file = golden / "outputs/cache/calibration.json"
    ((key, measured),) = json.loads(file.read_text(encoding="utf-8")).items()
    seconds = []
    for factor in (1, 100):
        changed = measured | {"tokens_per_second": measured["tokens_per_second"] * factor}
        file.write_text(json.dumps({key.replace("HOST", platform.node()): changed}), encoding="utf-8")
        seconds.append(json.loads(answering(command)("plan", *make.SETTINGS, "--json"))["machines"][0]["seconds"])
    assert seconds[0] > seconds[1]


@pytest.mark.parametrize("name", make.CONFIG_ONLY)
def test_an_old_run_with_an_option_that_was_removed_is_refused_in_one_line_that_names_the_last_commit_with_it(
    golden: Path, command: Command, name: str
) -> None:
    run = golden / make.PLACE / name
    before = contents(run)["config.yaml"]
    done = command("train", *make.SETTINGS, f"hydra.run.dir={run}")
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert REMOVED[name] in line and re.search(r"\b[0-9a-f]{7,40}\b", line)
    assert contents(run)["config.yaml"] == before and not (run / "checkpoints").exists()
