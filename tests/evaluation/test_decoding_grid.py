"""The sampling sweep: every setting once, each with what its stories measure."""

import dataclasses
import json
from pathlib import Path

from tests.conftest import Command
from tests.generation.test_generate import PLAIN
from tests.interop.test_export import make_run
from tinystories_lm.evaluation.decoding_grid import grid_settings


def axes(**fixed: object) -> list[tuple[float, float, float]]:
    base = dataclasses.replace(PLAIN, **fixed)  # type: ignore[arg-type]
    return [(each.temperature, each.top_p, each.repetition_penalty) for each in grid_settings(base, fixed=fixed)]


def test_the_grid_combines_every_remedy_and_repeats_no_setting() -> None:
    found = axes()
    assert len(found) == len(set(found)) == 10
    assert {(0.0, 1.0, 1.0), (0.8, 0.95, 1.3), (0.8, 1.0, 1.3), (0.8, 0.95, 1.0), (1.0, 1.0, 1.0)} <= set(found)
    assert [top_p for temperature, top_p, _ in found if temperature == 0] == [1.0, 1.0]


def test_a_given_setting_applies_to_every_cell() -> None:
    assert axes(repetition_penalty=1.1) == [
        (0.0, 1.0, 1.1), (0.8, 1.0, 1.1), (0.8, 0.95, 1.1), (1.0, 1.0, 1.1), (1.0, 0.95, 1.1)
    ]  # fmt: skip
    assert axes(temperature=0.0, top_p=0.9) == [(0.0, 0.9, 1.0), (0.0, 0.9, 1.3)]


def test_the_command_shows_a_row_for_each_setting(tmp_path: Path, corpus: Path, command: Command) -> None:
    make_run(tmp_path / "outputs" / "small" / "one", f"data.path={corpus}")
    asked = ("sample", "small", "--grid", "--count", "1", "--max-tokens", "6")
    shown = command(*asked)
    assert (shown.returncode, shown.stderr) == (0, ""), shown.stderr
    assert len([line for line in shown.stdout.splitlines() if line.strip()[:2] in ("0 ", "0.", "1 ")]) == 10
    rows = [json.loads(line) for line in command(*asked, "--temperature", "0", "--json").stdout.splitlines()]
    assert [(row["temperature"], row["repetition_penalty"]) for row in rows] == [(0.0, 1.0), (0.0, 1.3)]
    assert all("looping" in row and row["stories"] == 12 for row in rows)
    refused = command(*asked, "--prompt", "Once")
    assert refused.returncode == 2 and "leave --prompt out" in refused.stderr
