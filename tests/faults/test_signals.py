"""Requests to stop, terminals that close and readers that go away, in every phase of a run."""

import os
import random
import signal
import time
from collections.abc import Callable, Collection
from pathlib import Path

import pytest

from tests.faults import trials
from tests.faults.conftest import Whole
from tinystories_lm.runs.checkpoint import check_checkpoint
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.records import read_record
from tinystories_lm.runs.status import Status, read_status

US = "tinystories_lm"
# For each phase of a run a function, by the module that calls it, and the number of the call at which the signal comes.
BEFORE_THE_LOOP = {
    "composition": (f"{US}.planning.preflight.compose_config", 1),
    "taking the folder": (f"{US}.jobs.train.locked", 1),
    "Hydra's record": ("hydra.core.utils._save_config", 2),
    "reading the corpus": (f"{US}.data.token_cache.fingerprint", 1),
    "learning the tokenizer": (f"{US}.data.token_cache.train_tokenizer", 1),
    "encoding": (f"{US}.data.token_cache._encode", 2),
    "building the model": (f"{US}.jobs.workspace.build_optimizer", 1),
}
IN_THE_LOOP = {
    "the first evaluation": (f"{US}.jobs.workspace.mean_loss", 2),
    "the first samples": (f"{US}.jobs.workspace.write_texts", 1),
    "a step": (f"{US}.training.loop.learning_rate", 14),
    "an evaluation": (f"{US}.jobs.workspace.mean_loss", 4 + 16 + 4 + 2),  # of four batches each, a step is one
    "samples": (f"{US}.jobs.workspace.write_texts", 4),
    "a checkpoint": (f"{US}.jobs.checkpoint_writer.write_checkpoint", 3),
    "the last step": (f"{US}.training.loop.learning_rate", 40),
    "the last evaluation": (f"{US}.jobs.workspace.validate", 6),
}
AT_THE_END = {
    "the last checkpoint": (f"{US}.jobs.checkpoint_writer.write_checkpoint", 10),
    "the last stories": (f"{US}.jobs.workspace.write_texts", 7),
    "the summary": (f"{US}.jobs.finish.summarize", 1),
    "the last words": (f"{US}.jobs.finish.show_end", 1),
}
QUICK = ("learning the tokenizer", "an evaluation")
PHASES = BEFORE_THE_LOOP | IN_THE_LOOP | AT_THE_END
STOPS = [signal.SIGTERM, signal.SIGINT]


def phases(quick: Collection[str], *names: str) -> list[object]:
    """Each phase as a test's parameter, slow unless it is one of the quick ones."""
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in names]


def cache_for(phase: str, whole: Whole, folder: Path) -> str:
    """Return the setting of a prepared cache, unless the preparation is the phase."""
    return f"data.cache_dir={folder / 'cache'}" if "token_cache" in PHASES[phase][0] else whole.cache


def start_struck(whole: Whole, run: Path, phase: str, strike: Callable[[], object]) -> int:
    function, count = PHASES[phase]
    first = trials.at_call(function, strike, count=count)
    return trials.start(whole.corpus, run, cache_for(phase, whole, run.parent), first=first)


def check_same_command(whole: Whole, run: Path, *more: str) -> None:
    """Check that the same command resumes and ends with the bits of the undisturbed run.

    The checkpoint of the stop may stand beside the last one, in the place of an older one.
    """
    assert trials.end(trials.start(whole.corpus, run, *more)) == 0, trials.said(run)
    found = trials.ending(run)
    found["weights"] = {**whole.ending["weights"], **{name: sha for name, sha in found["weights"].items() if name in
                                                      whole.ending["weights"]}}  # fmt: skip
    assert list((run / "checkpoints").glob("step-00000040"))
    assert not (difference := trials.first_difference(found, whole.ending)), difference


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
@pytest.mark.parametrize("phase", phases(QUICK, *BEFORE_THE_LOOP, *IN_THE_LOOP))
def test_a_stop_in_any_phase_is_exit_75_and_the_same_command_resumes(
    whole: Whole, tmp_path: Path, phase: str, number: signal.Signals
) -> None:
    run = tmp_path / "run"
    assert trials.end(start_struck(whole, run, phase, trials.send(number))) == 75, trials.said(run)
    assert trials.said(run).splitlines()[-1].endswith("run the same command again to resume")
    assert "Traceback" not in trials.said(run)
    if phase in IN_THE_LOOP:
        assert read_status(RunFolder(run)) is Status.INTERRUPTED and list((run / "checkpoints").glob("step-*"))
    check_same_command(whole, run, cache_for(phase, whole, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("phase", AT_THE_END)
def test_a_stop_after_the_last_step_lets_the_run_end(whole: Whole, tmp_path: Path, phase: str) -> None:
    run = tmp_path / "run"
    assert trials.end(start_struck(whole, run, phase, trials.send(signal.SIGTERM))) == 0, trials.said(run)
    assert not (difference := trials.first_difference(trials.ending(run), whole.ending)), difference


@pytest.mark.parametrize("phase", phases([], *PHASES))
def test_a_lost_terminal_in_any_phase_ends_nothing(whole: Whole, tmp_path: Path, phase: str) -> None:
    run = tmp_path / "run"
    assert trials.end(start_struck(whole, run, phase, trials.send(signal.SIGHUP))) == 0, trials.said(run)
    assert not (difference := trials.first_difference(trials.ending(run), whole.ending)), difference


def test_a_second_request_leaves_at_once_with_the_last_good_checkpoint(whole: Whole, tmp_path: Path) -> None:
    """It comes while the checkpoint of the first request, the fourth, hangs before it is renamed."""
    run = tmp_path / "run"
    ask = trials.at_call(f"{US}.training.loop.learning_rate", trials.send(signal.SIGINT), count=14)
    pid = trials.start(whole.corpus, run, whole.cache, fault=f"folder.before_rename:4:hang:{run}", first=ask)
    until = time.monotonic() + 60
    while time.monotonic() < until and not list(run.glob("checkpoints/.tmp-*13-*")):
        time.sleep(0.01)
    os.kill(pid, signal.SIGTERM)
    assert trials.end(pid) == 75
    kept = {path.name for path in (run / "checkpoints").glob("step-*")}
    assert kept == {"step-00000008", "step-00000012"}, "the command did not wait for that of step 13"
    for path in kept:
        check_checkpoint(run / "checkpoints" / path, run_id=read_record(RunFolder(run)).run_id)
    check_same_command(whole, run, whole.cache)


def test_a_signal_that_is_ignored_on_purpose_ends_nothing(whole: Whole, tmp_path: Path) -> None:
    """A script's Ctrl-C also reaches the run that the script started in the background."""
    run = tmp_path / "run"
    ask = trials.at_call(f"{US}.training.loop.learning_rate", trials.send(signal.SIGINT), count=14)
    pid = trials.start(whole.corpus, run, whole.cache, first=lambda: (ask(), ignore_interrupts()))
    assert trials.end(pid) == 0, trials.said(run)
    assert not (difference := trials.first_difference(trials.ending(run), whole.ending)), difference


def ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def test_a_second_request_before_the_first_step_leaves_at_once(whole: Whole, tmp_path: Path) -> None:
    """It comes while the first one is handled."""
    run = tmp_path / "run"
    ask = trials.at_call(f"{US}.jobs.train.locked", trials.send(signal.SIGINT))
    again = trials.at_call(f"{US}.cli.main._stopped", trials.send(signal.SIGTERM))
    assert trials.end(trials.start(whole.corpus, run, whole.cache, first=lambda: (ask(), again()))) == 75
    assert "Traceback" not in trials.said(run)


class Doomed:
    """An object whose finalizer is interrupted: Python drops what is raised there."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_request_that_python_drops_is_obeyed_all_the_same(whole: Whole, tmp_path: Path) -> None:
    run = tmp_path / "run"
    drop = trials.at_call(f"{US}.jobs.job.prepare", lambda: Doomed() and None)
    assert trials.end(trials.start(whole.corpus, run, whole.cache, first=drop)) == 75, trials.said(run)
    assert len(trials.said(run).splitlines()) < 4 and "Exception ignored" not in trials.said(run)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(40))
def test_two_requests_50_ms_apart_at_any_moment_lose_nothing(whole: Whole, tmp_path: Path, number: int) -> None:
    run, choose = tmp_path / "run", random.Random(number)
    pid = trials.start(whole.corpus, run, whole.cache)
    time.sleep(choose.uniform(0, whole.seconds))
    for _ in range(2):
        os.kill(pid, choose.choice(STOPS))
        time.sleep(0.05)
    assert trials.end(pid) in (75, 0), trials.said(run)
    assert "Traceback" not in trials.said(run)
    check_same_command(whole, run, whole.cache)
