"""Compare the estimated speed of training steps with measured ones, for models of five sizes.

    python benchmarks/estimate.py [--threads 0] [--rounds 3] [--json FILE]

The estimate rests on the peak and the bandwidth as a run measures them at its start; the measurement is that of
`plan --calibrate`. Both are taken in turns, and the best of each counts: other work on the machine only slows them.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.config.schema import Config
from tinystories_lm.hardware.detect import device_name, find_bandwidth, find_hardware, find_peak
from tinystories_lm.planning.calibration import calibrate
from tinystories_lm.planning.estimate import Speed, predict_rate
from tinystories_lm.system.console import table
from tinystories_lm.system.json_files import write_json

SUBJECTS = (
    ["experiment=smoke"],
    ["model=gpt_700k"],
    ["model=gpt_2m"],
    ["model=gpt_5m"],
    ["model=gpt_28m", "training.batch_size=4"],
)


def measure(configs: Sequence[Config], *, rounds: int) -> tuple[Speed, list[float]]:
    """Return the machine's speed and each config's tokens per second, both the best of all rounds."""
    speed, measured = Speed(0.0, 0.0), [0.0] * len(configs)
    for _ in range(rounds):
        for number, config in enumerate(configs):
            found = Speed(find_peak(config.hardware), find_bandwidth(config.hardware))
            speed = Speed(*map(max, speed, found))
            measured[number] = max(measured[number], calibrate(config))
    return speed, measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=0, help="of a CPU (all cores)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    register()
    place = [f"hardware={find_hardware()}", f"hardware.threads={options.threads}"]
    with tempfile.TemporaryDirectory() as folder:
        configs = [compose_config([*words, *place, f"data.cache_dir={folder}"]).config for words in SUBJECTS]
        speed, measured = measure(configs, rounds=options.rounds)
    rates = [predict_rate(config, speed, vocab_size=config.data.vocab_size) for config in configs]
    estimated = [rate.tokens_per_second for rate in rates]
    device, load = device_name(torch.device(configs[0].hardware.device.value)), os.getloadavg()[0]
    print(f"{device}, {torch.get_num_threads()} threads: {rates[0].basis}; load {load:.1f}")
    steps = [
        {
            "step": " ".join(words),
            "measured": seen,
            "estimated": expected,
            "time_estimated_over_measured": seen / expected,
        }
        for words, seen, expected in zip(SUBJECTS, measured, estimated, strict=True)
    ]
    rows = [[str(value) if isinstance(value, str) else f"{value:,.4g}" for value in step.values()] for step in steps]
    print(table(["step", "tokens/s", "estimated", "time estimated / measured"], rows, right=(1, 2, 3)))
    if options.json:
        write_json(options.json, {"basis": rates[0].basis, "date": time.strftime("%Y-%m-%d"), "steps": steps})


if __name__ == "__main__":
    main()
