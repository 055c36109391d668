"""The lab notebook: what `make record` writes of a run, and the README's table of the rounds."""

import json
import subprocess
import sys
from pathlib import Path

from tests.conftest import SMALL_RUN, Command

ROOT = Path(__file__).parent.parent


def test_a_recorded_run_has_its_figures_curve_and_machine_and_no_places(
    command: Command, corpus: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    trained = command("train", *SMALL_RUN, f"data.path={corpus}", "hydra.run.dir=one")
    assert trained.returncode == 0
    notebook = tmp_path / "experiments"
    notebook.mkdir()
    readme = "before\n<!-- rounds: written by experiments/record.py -->\nold\n<!-- end of rounds -->\nafter\n"
    (tmp_path / "README.md").write_text(readme)
    (notebook / "record.py").write_text((ROOT / "experiments/record.py").read_text())
    script = [sys.executable, "experiments/record.py"]
    here = environment | {"PYTHONPATH": str(ROOT)}
    subprocess.run([*script, "one", "experiments/round2"], cwd=tmp_path, env=here, check=True)
    measured = json.loads((notebook / "round2/measured.json").read_text())
    assert measured["figures"]["progress/step"] == 12 and measured["plan"]["tokens"] == 12 * 4 * 32
    assert str(corpus) not in (notebook / "round2/measured.json").read_text()
    assert (notebook / "round2/curve.svg").read_text().startswith("<svg")
    table = (tmp_path / "README.md").read_text()
    assert table.startswith("before") and table.endswith("after\n") and "old" not in table
    assert "| 2 | published | 15,000 × 64 | H100 SXM 80GB | ~6 | ~0.30 | 4.0 |" in table
    assert "|  | measured | 12 × 4 | " in table
    unfinished = subprocess.run([*script, "nowhere"], cwd=tmp_path, env=here, capture_output=True, text=True)
    assert unfinished.returncode == 2 and unfinished.stderr.count("\n") == 1


def test_the_readmes_table_is_what_the_notebook_holds() -> None:
    sys.path.insert(0, str(ROOT / "experiments"))
    try:
        import record
    finally:
        sys.path.pop(0)
    assert record.rounds_table(ROOT / "experiments") in (ROOT / "README.md").read_text()
