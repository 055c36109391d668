"""From the command to the first step of a compiled run: seconds and processor time, by what they are spent on.

    python benchmarks/compile.py [--rounds 3] [--json FILE] [--program MODULE] [SETTING ...]

Each round trains the first step twice: with nothing compiled before (cold), and with what that left (warm). Settings
are those of `train`; without any the run is experiment=smoke. Processor time is that of the run's process and of those
that torch starts to compile. `--program tests.null.launcher` is for a null device, which computes nothing.
"""

import argparse
import json
import os
import resource
import runpy
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

START, MACHINE, STATE, COMPILING, STEP = "start", "machine", "state", "compiling", "first step"
WHAT = {
    START: "Python, torch, the settings and their checks",
    MACHINE: "the device and its attention kernel",
    STATE: "text, weights and optimizer",
    COMPILING: "compiling, or loading what was compiled",
    STEP: "the first step",
}
PHASES = {  # of torch's own clocks
    "tracing": ("bytecode_tracing",),
    "gradients": ("create_aot_dispatcher_function", "-compile_fx.<locals>.fw_compiler_base"),
    "code": ("compile_fx_inner",),
}
MARK = "MARKS "
Round = dict[str, Any]  # of one run: its parts, and the phases of compiling


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--program", default="tinystories_lm")
    parser.add_argument("--child", type=float, help=argparse.SUPPRESS)  # when its parent started it
    parser.add_argument("settings", nargs="*", default=["experiment=smoke"])
    options = parser.parse_args()
    if options.child:
        run_to_the_first_step(options.program, options.settings, began=options.child)
    found: dict[str, list[Round]] = {"cold": [], "warm": []}
    with tempfile.TemporaryDirectory() as work:
        settings = [*options.settings, "tracking=off", "hardware.compile=on"]
        command = [sys.executable, "-m", options.program, "prepare", *settings]
        subprocess.run(command, cwd=work, check=True, capture_output=True)
        for number in range(options.rounds):
            for name, rounds in found.items():
                folder = Path(work, f"{number}-{name}")
                rounds.append(first_step(options, settings, folder, cache=Path(work, f"compiled-{number}")))
    for name, rounds in found.items():
        show(name, rounds)
    if options.json:
        keep(options, found)


def show(name: str, rounds: list[Round]) -> None:
    print(f"{name:<45}{'seconds':>9}{'processor':>11}{'others':>9}   (medians)")
    together = [0.0] * 3
    for part, what in WHAT.items():
        medians = [statistics.median(each["parts"][part][clock] for each in rounds) for clock in range(3)]
        together = [before + number for before, number in zip(together, medians, strict=True)]
        print(f"  {what:<43}{medians[0]:>9.1f}{medians[1]:>11.1f}{medians[2]:>9.1f}")
    print(f"  {'together':<43}{together[0]:>9.1f}{together[1]:>11.1f}{together[2]:>9.1f}")
    print(f"  seconds within compiling: {rounds[0]['phases']}")


def keep(options: argparse.Namespace, found: dict[str, list[Round]]) -> None:
    import torch

    from tinystories_lm.system.json_files import write_json

    is_null = options.program != "tinystories_lm"
    record = {
        "command": " ".join(
            [
                "python benchmarks/compile.py",
                f"--rounds {options.rounds}",
                f"--program {options.program}",
                *options.settings,
            ]
        ),
        "device": "a null device in the place of " * is_null + found["cold"][0]["device"],
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "date": time.strftime("%Y-%m-%d"),
        "what": WHAT,
    }
    write_json(options.json, record | found)


def first_step(options: argparse.Namespace, settings: list[str], run: Path, *, cache: Path) -> Round:
    """Start a run in a process of its own, which ends after its first step, and return what it measured."""
    command = [sys.executable, __file__, f"--program={options.program}", f"--child={time.time()}", *settings]
    environment = os.environ | {"TORCHINDUCTOR_CACHE_DIR": str(cache)}
    environment.pop("TRITON_CACHE_DIR", None)
    done = subprocess.run(
        [*command, f"hydra.run.dir={run}"], cwd=run.parent, env=environment, capture_output=True, text=True
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    if not lines:
        sys.exit(f"the run ended before its first step:\n{done.stderr}")
    return json.loads(lines[-1].removeprefix(MARK))


class Clocks:
    """Seconds since the command, processor seconds of this process, and those of processes that it waited for."""

    def __init__(self, began: float) -> None:
        self.began, self.last = began, (0.0, 0.0, 0.0)
        self.parts: dict[str, list[float]] = {}

    def mark(self, part: str) -> None:
        """Count what has passed since the last mark as this part's."""
        others = resource.getrusage(resource.RUSAGE_CHILDREN)
        now = (time.time() - self.began, time.process_time(), others.ru_utime + others.ru_stime)
        self.parts[part] = [after - before for after, before in zip(now, self.last, strict=True)]
        self.last = now


def run_to_the_first_step(program: str, settings: list[str], *, began: float) -> None:
    """Train with a mark between the parts of the start, and end this process after the first step."""
    clocks = Clocks(began)
    from tinystories_lm.jobs import job, recorder, workspace

    def with_mark(module: Any, name: str, *, before: str = "", after: str = "") -> None:
        wrapped: Callable[..., Any] = getattr(module, name)

        def marked(*arguments: Any, **named: Any) -> Any:
            if before:
                clocks.mark(before)
            result = wrapped(*arguments, **named)
            if after:
                clocks.mark(after)
            return result

        setattr(module, name, marked)

    def end(recorder: recorder.RunRecorder, rate: float, result: Any) -> None:
        float(result.loss)  # waits for the device
        clocks.mark(STEP)
        from torch._dynamo.utils import compilation_time_metrics as spent

        from tinystories_lm.hardware.detect import device_name

        phases = {name: round(sum(_seconds(spent, key) for key in keys), 2) for name, keys in PHASES.items()}
        device = device_name(recorder.work.machine.device)
        print(MARK + json.dumps({"parts": clocks.parts, "phases": phases, "device": device}), flush=True)
        os._exit(0)

    with_mark(job, "open_machine_as_before", before=START, after=MACHINE)
    with_mark(workspace, "compile_if_possible", before=STATE, after=COMPILING)
    recorder.RunRecorder.after_step = end  # type: ignore[method-assign]
    sys.argv = [program, "train", *settings]
    runpy.run_module(program, run_name="__main__", alter_sys=True)
    sys.exit("the run ended before its first step")


def _seconds(spent: dict[str, list[float]], key: str) -> float:
    return -sum(spent.get(key[1:], ())) if key.startswith("-") else sum(spent.get(key, ()))


if __name__ == "__main__":
    main()
