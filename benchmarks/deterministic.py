"""What `training.deterministic=true` costs a step, eager and compiled.

    python benchmarks/deterministic.py [--rounds 12] [--json FILE] [SETTING ...]

One model and one optimizer take steps with the switch off, on, and on as torch comes, which also fills every new tensor
with NaN; the three take turns. Settings are those of `train`, of what the step is; without any it is one of gpt_5m on a
thread of a CPU. On a GPU: `hardware=h100 model=gpt_28m training.batch_size=64`. Medians of the seconds of a step.
"""

import argparse
import statistics
import time
from pathlib import Path

import torch
from gpu_steps import Subject, begin  # beside this file

from tinystories_lm.config.compose import register
from tinystories_lm.hardware.detect import device_name
from tinystories_lm.system.json_files import write_json

STEP = ["model=gpt_5m", "training.batch_size=8", "training.max_hours=99", "hardware=cpu", "hardware.threads=1"]
SWITCHES = {"off": (False, False), "on": (True, False), "on, filling": (True, True)}
STEPS = 3  # of a turn


def seconds_of_a_step(subject: Subject, *, rounds: int) -> dict[str, float]:
    found: dict[str, list[float]] = {name: [] for name in SWITCHES}
    for round_ in range(rounds + 1):
        for name, (deterministic, fill) in SWITCHES.items():
            torch.use_deterministic_algorithms(deterministic)
            torch.utils.deterministic.fill_uninitialized_memory = fill
            for _ in range(STEPS):
                began = time.perf_counter()
                float(subject.step(0))  # reading a number waits for the device
                if round_:  # the first one compiles
                    found[name].append(time.perf_counter() - began)
    return {name: statistics.median(times) for name, times in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--json", type=Path)
    parser.add_argument("settings", nargs="*", default=STEP)
    options = parser.parse_args()
    register()
    rows = []
    for name, switch in (("eager", "off"), ("compiled", "on")):
        settings = ["training.deterministic=true", *options.settings]  # cuBLAS has to know from the start
        subject = begin([*settings, f"hardware.compile={switch}"])
        seconds = seconds_of_a_step(subject, rounds=options.rounds)
        told = [f"{key} {1e3 * value:.1f} ms ({value / seconds['off'] - 1:+.1%})" for key, value in seconds.items()]
        print(f"{name:<10}", " | ".join(told), flush=True)
        rows.append({"what": name, "seconds": seconds})
    if options.json:
        command = f"python benchmarks/deterministic.py {' '.join(options.settings)}"
        machine = {"device": device_name(subject.machine.device), "torch": torch.__version__}
        write_json(options.json, {"command": command, **machine, "steps": rows})


if __name__ == "__main__":
    main()
