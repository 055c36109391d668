"""How long an evaluation and its checkpoint keep training waiting, by part.

    python benchmarks/evaluation.py [--evaluations 9] [--null] [--json FILE] [SETTING ...]

A run of the program takes one step between two evaluations, in a temporary folder, and its functions are timed: the
validation loss, the stories, the copy of what a checkpoint holds, and the rest, such as rows and their sync. The files
of a checkpoint are written in a thread of their own; here the run waits for them before the next step, which is left
out, so that they take no time from the parts. Settings are those of `train`; without any it is gpt_28m as round 2
trains it, on the built-in stories. Medians of seconds, with their ranges; the first evaluation, before the first step,
is not among them.

--null is for the null device of tests/null, which computes nothing. What is left is the host's: seconds of processor
time of the thread, which other programs on the machine hardly change.
"""

import argparse
import functools
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import tinystories_lm.jobs.recorder as recorder
from tinystories_lm.cli import main as program
from tinystories_lm.hardware.detect import device_name
from tinystories_lm.jobs.checkpoint_writer import CheckpointWriter
from tinystories_lm.jobs.workspace import Workspace
from tinystories_lm.system.json_files import write_json

RUN = ["experiment=round2", "data=stories", "data.held_out_fraction=0.1", "training.max_dollars=1000"]
PARTS = {
    "validation loss": (Workspace, "evaluate"),
    "stories": (Workspace, "write_samples"),
    "copy of the checkpoint": (recorder, "take_snapshot"),
    "waited for files": (CheckpointWriter, "wait"),
    "written beside it": (CheckpointWriter, "_write"),
    "after the validation": (recorder.RunRecorder, "after_evaluation"),
    "saving": (recorder.RunRecorder, "save"),
}


save = recorder.RunRecorder.save


def save_and_wait(run: recorder.RunRecorder) -> None:
    save(run)
    run._writer.wait()


def timed(call: Callable[..., Any], taken: list[float], clock: Callable[[], float]) -> Callable[..., Any]:
    @functools.wraps(call)
    def measured(*arguments: Any, **named: Any) -> Any:
        began = clock()
        try:
            return call(*arguments, **named)
        finally:
            taken.append(clock() - began)

    return measured


def measure(settings: list[str], evaluations: int, clock: Callable[[], float]) -> dict[str, list[float]]:
    """Return the seconds that each part takes at each evaluation."""
    taken: dict[str, list[float]] = defaultdict(list)
    recorder.RunRecorder.save = save_and_wait  # type: ignore[assignment,method-assign]
    for name, (place, function) in PARTS.items():
        setattr(place, function, timed(getattr(place, function), taken[name], clock))
    with tempfile.TemporaryDirectory() as folder:
        length = [f"training.steps={evaluations + 1}", "training.eval_every_steps=1", "training.warmup_steps=1"]
        where = ["tracking=off", f"hydra.run.dir={folder}/run", "training.checkpoint_every_steps=1"]
        code = program.run(["train", *settings, *length, *where])
    if code:
        sys.exit(code)
    found = {name: times[1 : evaluations + 1] for name, times in taken.items() if name in list(PARTS)[:2]}
    found |= {name: taken[name][:evaluations] for name in ("copy of the checkpoint", "written beside it")}
    return found | {"the rest": _rest(taken, evaluations)}


def _rest(taken: dict[str, list[float]], evaluations: int) -> list[float]:
    """Return what an evaluation and its checkpoint take beside the parts that have a name."""
    stories = taken["stories"][1 : evaluations + 2]  # those after it belong to the end of the run
    named = sum(stories) + sum(taken["copy of the checkpoint"]) + sum(taken["waited for files"])
    whole = sum(taken["after the validation"][1:]) + sum(taken["saving"])
    return [(whole - named) / (evaluations + 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evaluations", type=int, default=9)
    parser.add_argument("--null", action="store_true", help="take weights and losses to be finite")
    parser.add_argument("--json", type=Path)
    parser.add_argument("settings", nargs="*", default=RUN)
    options = parser.parse_args()
    if options.null:
        sys.path.insert(0, str(Path(__file__).parents[1]))
        import tests.null.launcher  # noqa: F401
    found = measure(options.settings, options.evaluations, time.thread_time if options.null else time.perf_counter)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rows = {
        name: {"median": statistics.median(times), "least": min(times), "most": max(times)}
        for name, times in found.items()
    }
    waits = sum(row["median"] for name, row in rows.items() if name != "written beside it")
    for name, row in rows.items():
        print(f"{name:24} {row['median']:.3f} s ({row['least']:.3f} to {row['most']:.3f})")
    print(f"training waits           {waits:.3f} s")
    if options.json:
        changed = [] if options.settings == RUN else options.settings
        head = {
            "command": " ".join(["python benchmarks/evaluation.py", *["--null"] * options.null, *changed]),
            "device": device_name(device),
            "torch": torch.__version__,
            "date": time.strftime("%Y-%m-%d"),
        }
        write_json(options.json, head | {"training waits": waits, "parts": rows})


if __name__ == "__main__":
    main()
