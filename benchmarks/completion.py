"""Measure how long a shell waits for a completion: the whole process, from its start to its answer.

    python benchmarks/completion.py [--repeats N]

Processor time hardly depends on what else runs on the machine; the median time on the clock is that of a person.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time

LINES = {
    "commands": ["bash", "tinystories-lm tr", "tr"],
    "flags": ["bash", "tinystories-lm sample --t", "--t"],
    "runs": ["bash", "tinystories-lm show ", ""],
    "presets": ["bash", "tinystories-lm train experiment=", ""],
    "choices of a group": ["bash", "tinystories-lm train model=", ""],
    "settings": ["bash", "tinystories-lm train training.", "training."],
    "settings, described": ["zsh", "train", "training."],
    "values of a setting": ["bash", "tinystories-lm train tracking.mode=", ""],
}


def measure(words: list[str], repeats: int) -> tuple[float, float]:
    """Return the milliseconds of a process that answers: the median on the clock, and the median of the processor."""
    clock, processor = [], []
    for _ in range(repeats):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
        clock.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        processor.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return 1e3 * statistics.median(clock), 1e3 * statistics.median(processor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    print(f"{'':22}{'clock':>8}{'processor':>11}")
    lines = {"Python alone": ["-c", "pass"]}
    lines |= {name: ["-m", "tinystories_lm", "--complete", *words] for name, words in LINES.items()}
    for name, words in lines.items():
        clock, processor = measure(words, options.repeats)
        print(f"{name:22}{clock:5.0f} ms{processor:8.0f} ms")


if __name__ == "__main__":
    main()
