"""`prepare --compile`: what it compiles is what a run of the same settings loads."""

from pathlib import Path

import pytest

from tests.conftest import SMALL_RUN, Command
from tinystories_lm.system.json_files import read_json


def test_a_run_that_is_not_compiled_is_refused_in_one_line(command: Command, corpus: Path, tmp_path: Path) -> None:
    for switch in ("auto", "off"):  # so short a run is not worth it
        done = command("prepare", *SMALL_RUN, f"data.path={corpus}", f"hardware.compile={switch}", "--compile")
        assert done.returncode == 2 and "Traceback" not in done.stderr
        assert f"hardware.compile={switch} compiles nothing for this run" in done.stderr.splitlines()[-1]


@pytest.mark.slow
def test_a_run_loads_what_was_compiled_beforehand(
    command: Command, corpus: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    environment["TORCHINDUCTOR_CACHE_DIR"] = str(tmp_path / "compiled")
    settings = [*SMALL_RUN, f"data.path={corpus}", "hardware.compile=on"]
    done = command("prepare", *settings, "--compile", timeout=300)
    assert done.returncode == 0, done.stderr
    (key,) = (tmp_path / "compiled").glob("*/key.json")
    assert done.stdout.splitlines()[-1].endswith(str(key.parent))
    libraries = {file: file.stat().st_mtime_ns for file in key.parent.rglob("*.so")}
    done = command("train", *settings, "hydra.run.dir=run", timeout=300)
    assert done.returncode == 0, done.stderr
    assert {file: file.stat().st_mtime_ns for file in key.parent.rglob("*.so")} == libraries and libraries
    assert list((tmp_path / "compiled").glob("*/key.json")) == [key]
    (segment,) = read_json(tmp_path / "run" / "environment.json")["pieces"]
    assert segment["machine"]["compile"] and segment["machine"]["attention"] == read_json(key)["attention"]
