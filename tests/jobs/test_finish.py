"""What the end of a run tells a person."""

import logging
from pathlib import Path

import pytest

from tests.sweeps.members import member_in
from tinystories_lm.jobs.finish import show_end
from tinystories_lm.runs.schemas import Summary


@pytest.mark.parametrize(
    ("planned", "took", "shown"),
    [(90.0, 80.0, "planned 1 min 30 s, took 1 min 20 s"), (0.001, 45.0, "planned 0 s, took 45 s"), (3.0, 12.0, None)],
)
def test_a_plan_is_compared_with_runs_that_are_more_than_a_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, planned: float, took: float, shown: str | None
) -> None:
    figures = {"val_loss": 2.0, "val_perplexity": 7.4, "val_bits_per_byte": 1.0, "step": 12, "dollars": 0.0}
    summary = Summary(**figures, train_seconds=took, expected_seconds=planned, stories=[])  # type: ignore[arg-type]
    with caplog.at_level(logging.INFO):
        show_end(member_in(tmp_path / "a run").job, summary)
    assert (shown in caplog.text) if shown else ("planned" not in caplog.text)
    assert "tinystories-lm sample '" in caplog.text, "a folder's name is quoted for the shell"
