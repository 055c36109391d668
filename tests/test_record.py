"""The lab notebook: what `make record` writes of a run, and the table of the rounds that shows it."""

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
    (notebook / "record.py").write_text((ROOT / "experiments/record.py").read_text())
    script = [sys.executable, "experiments/record.py"]
    here = environment | {"PYTHONPATH": str(ROOT)}
    subprocess.run([*script, "one", "experiments/round2"], cwd=tmp_path, env=here, check=True)
    measured = json.loads((notebook / "round2/measured.json").read_text())
    assert measured["figures"]["progress/step"] == 12 and measured["plan"]["tokens"] == 12 * 4 * 32
    assert str(corpus) not in (notebook / "round2/measured.json").read_text()
    assert (notebook / "round2/curve.svg").read_text().startswith("<svg")
    (notebook / "round2/published.yaml").write_text((ROOT / "experiments/round2/published.yaml").read_text())
    show = "import pathlib, sys; from measured_tables import rounds; print(rounds(pathlib.Path(sys.argv[1])))"
    shown = subprocess.run(
        [sys.executable, "-c", show, str(notebook)],
        env=here | {"PYTHONPATH": str(ROOT / "docs")}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    table = shown.stdout
    assert "| 2 | published | 15,000 × 64 | H100 SXM 80GB | ~6 | ~0.30 | 4.0 |" in table
    assert "|  | measured | 12 × 4 | " in table
    unfinished = subprocess.run([*script, "nowhere"], cwd=tmp_path, env=here, capture_output=True, text=True)
    assert unfinished.returncode == 2 and unfinished.stderr.count("\n") == 1
