"""The table of a search."""

from pathlib import Path

from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.trials import TrialRecord
from tinystories_lm.sweeps.search.tables import as_record, best_of, by_merit, describe_trial, describe_trials
from tinystories_lm.sweeps.search.trials import State, Trial


def trial(number: int, state: State, *, loss: float | None = None, reason: str = "", **losses: float) -> Trial:
    record = TrialRecord(study="s", number=number, params={"lr": f"0.{number + 1}"})
    steps = {int(step.removeprefix("at")): value for step, value in losses.items()}
    return Trial(record, RunFolder(Path(f"run{number}")), state, steps, loss, reason)


TRIALS = [
    trial(0, State.PAUSED, at10=1.0),
    trial(1, State.DONE, loss=2.5, at10=4.0),
    trial(
        2,
        State.DIVERGED,
        reason="diverged at step 4: the loss is nan; the last good checkpoint is kept: try a lower lr",
    ),
    trial(3, State.DONE, loss=2.25, at10=3.0),
    trial(4, State.PAUSED, at10=3.5, at30=3.0),
]


def test_the_lowest_loss_of_the_whole_length_is_the_best_and_more_steps_come_before_fewer() -> None:
    assert [one.number for one in by_merit(TRIALS)] == [3, 1, 4, 0, 2]
    assert best_of(TRIALS) is TRIALS[3] and best_of(TRIALS[:1]) is None and best_of([]) is None


def test_the_table_has_counts_importance_and_the_cause_without_the_advice() -> None:
    text = describe_trials(TRIALS, {"lr": 1.0})
    assert text.splitlines()[2].split() == ["3", "0.4", "done", "2.2500"]
    assert all(words in text for words in ("5 trials: ", "2 done", "2 paused", "1 diverged"))
    assert "importance: lr 100%" in text and "at step 4: the loss is nan" in text and "checkpoint is kept" not in text
    assert describe_trial(TRIALS[4]) == "trial 4, lr=0.5: paused, validation loss 3.0000, at step 30"


def test_a_record_for_programs_has_the_whole_reason() -> None:
    assert as_record(TRIALS[2])["reason"] == TRIALS[2].reason
    assert as_record(TRIALS[4]) == {
        "run": "run4", "study": "s", "trial": 4, "lr": "0.5", "status": "paused", "reason": "", "rung": 0,
        "losses": {"10": 3.5, "30": 3.0}, "val/loss": None,
    }  # fmt: skip
