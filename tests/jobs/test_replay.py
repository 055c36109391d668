"""A run is repeated from its stored config, in another process."""

import json
from pathlib import Path

from tests.conftest import SMALL_RUN, Command
from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.jobs.replay import _cache_dir, compare
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.system.json_files import read_json, write_sealed


def test_a_replay_is_identical_or_names_the_first_difference(command: Command, corpus: Path, tmp_path: Path) -> None:
    assert command("train", *SMALL_RUN, f"data.path={corpus}", "hydra.run.dir=one").returncode == 0
    same = command("replay", "one", "--json")
    assert same.returncode == 0, same.stderr
    found = json.loads(same.stdout)
    assert "next, try" in same.stderr and "tinystories-lm train" not in same.stderr, (
        "no settings on a command line started it"
    )
    assert found["identical"] and found["conditions"] == [] and found["rows"] == 10

    rows = (tmp_path / "one/metrics.jsonl").read_text().splitlines()
    changed = json.loads(rows[4]) | {"train/loss": 1.0}
    (tmp_path / "one/metrics.jsonl").write_text("\n".join([*rows[:4], json.dumps(changed), *rows[5:]]) + "\n")
    other = command("replay", "one", "--folder", "again")
    assert other.returncode == 1
    assert f"differs first at step {changed['progress/step']}: train/loss was 1.0 and is " in other.stdout
    assert "under the same conditions" in other.stdout and (tmp_path / "again/summary.json").is_file()

    environment = read_json(tmp_path / "one/environment.json")
    environment["pieces"][0]["packages"]["torch"] = "1.0"
    environment["pieces"][0]["git_commit"] = "0123456789abcdef+changes"
    environment["exact"] = False  # as for a run whose steps were raised
    write_sealed(tmp_path / "one/environment.json", environment)
    compared = compare(RunFolder(tmp_path / "one"), RunFolder(tmp_path / "again"))
    assert "then and now: torch: 1.0, " in compared.describe()
    assert "then and now: changed on its way" in compared.describe()
    assert "then and now: commit: 0123456789ab+changes, " in compared.describe()

    taken = command("replay", "one", "--folder", "again")
    assert taken.returncode == 2 and "is not empty" in taken.stderr and taken.stderr.count("\n") == 1
    assert command("replay", "nowhere").returncode == 2


def test_a_stored_config_chooses_no_place_to_write_to(tmp_path: Path) -> None:
    """A folder that holds caches already is kept: it may be this person's own."""
    register()
    config = compose_config([f"data.cache_dir={tmp_path}", "hardware=cpu"]).config
    assert _cache_dir(config) == "outputs/cache"
    (tmp_path / "0123").mkdir()
    (tmp_path / "0123" / "header.json").touch()
    assert _cache_dir(config) == str(tmp_path)
