"""Measure one Nvidia GPU with two commands of five and eight minutes, the most valuable figures first.

    python benchmarks/gpu.py --first [--data FOLDER] [--out FOLDER]
    python benchmarks/gpu.py --second --seconds 460 --attention flash [--data FOLDER] [--out FOLDER]

The first checks the GPU, trains round 2's recipe for 200 steps through the command, cold, resumes it, and times the
published step of both sizes and each attention kernel. It ends by printing the second command with the fastest kernel;
--seconds is the time that is left. The second times every variant of the step (one setting changed), trains longer
on real text and records where a step's time goes. Each part is a process of its own with a time limit, so that a hang,
a crash or a lack of memory costs one part; records.jsonl in the folder of --out is synced to the disk after each.

--only WORDS repeats the parts whose name holds the words, of both lists. --tiny tries a list without a GPU, on small
shapes. docs/performance.md tells how to take it to a machine without a network.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from gpu_table import show

REPOSITORY = Path(__file__).resolve().parent.parent
PARTS = Path(__file__).with_name("gpu_parts.py")
RECORDS, LOG = "records.jsonl", "parts.log"
LEAST_SECONDS = 12.0  # a part needs more than this to import torch and to do anything
MARGIN_SECONDS = 5.0  # to kill the last part and print the table
KILL_SECONDS = 2.0  # a process that hangs in the driver may not even die
GRACE_SECONDS = 0.5  # for what a part has started
SAVING_SECONDS = 8.0  # before a part's limit: a command that it started is asked to stop, and writes a checkpoint
RECORD_SECONDS = 3.0  # before a part's limit: it records what it has
TICK_SECONDS = 0.1
TAIL_CHARACTERS = 1500

Record = dict[str, Any]


class Part(NamedTuple):
    """A part of the plan: a function of gpu_parts.py, its time limit and its arguments."""

    name: str
    limit_seconds: float
    arguments: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return " ".join((self.name, *self.arguments))


@dataclass(frozen=True)
class Settings:
    """What the parts know of the command line."""

    out: str  # folder of the records
    work: str  # folder of runs, tokens and compiled code, which stays on the machine
    data: str = ""  # folder of real text; without one the built-in corpus
    attention: str = ""  # the kernel to pin; without one each part measures which is the fastest
    steps: int = 40  # timed in a row
    tiny: bool = False
    until: float = 0.0  # of time.monotonic(): when the part is killed

    @property
    def compile_cache(self) -> Path:
        return Path(self.work, "inductor")


def speed(seconds: float, size: str, variant: str) -> Part:
    return Part("speed", seconds, (size, variant))


FIRST = [
    Part("facts", 40),
    Part("checks", 60),
    Part("train", 120, ("round2", "200", "cold")),  # the real command on real text, from an empty compile cache
    Part("resume", 60, ("round2", "200", "220")),  # the same run goes further, with compiled code
    speed(60, "28M", "as published"),
    speed(80, "91M", "as published"),
    Part("kernels", 60, ("28M",)),
    Part("cold", 60, ("28M", "as published")),
    Part("tests", 150),
]
SECOND = [
    Part("warm", 110),  # compiles all variants side by side, so that the other parts find them compiled
    *(speed(45, "28M", name) for name in ("as published", "flash", "cudnn", "efficient")),
    *(speed(45, "28M", name) for name in ("muon", "residual bf16", "qk-norm")),
    *(speed(60, "91M", name) for name in ("as published", "residual bf16", "cudnn", "muon")),
    *(speed(45, "28M", name) for name in ("deterministic", "eager", "two micro-batches")),
    Part("train", 100, ("round2", "2000", "warm")),  # sustained speed with evaluations, samples, checkpoints
    Part("train", 60, ("speedrun_28m", "epoch", "warm")),
    Part("train", 60, ("round2", "epoch", "warm")),
    Part("breakdown", 45, ("28M", "as published")),
    Part("breakdown", 45, ("91M", "as published")),
    speed(45, "28M", "as published"),  # once more, for drift
    Part("cold", 60, ("91M", "as published")),
]
SECONDS = {"first": 280.0, "second": 460.0}


def keep(out: str | Path, record: Record) -> None:
    """Append a record to the folder's records.jsonl and sync it to the disk."""
    Path(out).mkdir(parents=True, exist_ok=True)
    with Path(out, RECORDS).open("ab+") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        torn = file.read(1) not in (b"", b"\n")  # a part was killed while it wrote
        file.write(b"\n" * torn + json.dumps(record, default=str).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read_records(out: str | Path) -> list[Record]:
    """Return the whole records of a folder, in their order."""
    records = []
    for line in Path(out, RECORDS).read_text(encoding="utf-8", errors="replace").splitlines():
        with suppress(ValueError):
            records.append(json.loads(line))
    return records


@contextmanager
def stop_signals() -> Iterator[Callable[[], str]]:
    """Within the block SIGINT, SIGTERM and SIGHUP are noted: yield a function that returns the first one's name."""
    received: list[str] = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, lambda got, _: received.append(signal.Signals(got).name)) for number in numbers]
    try:
        yield lambda: received[0] if received else ""
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def run_parts(
    parts: Sequence[Part], settings: Settings, *, end: float, scale: float = 1.0, script: Path = PARTS
) -> str:
    """Run the parts one after the other, and record how each ended, until `end` of time.monotonic().

    Returns the name of the signal that stopped them, else nothing.
    """
    began = time.monotonic()
    with stop_signals() as stopped_by:
        for part in parts:
            left = end - time.monotonic() - MARGIN_SECONDS
            outcome: Record = {"part": part.name, "arguments": part.arguments}
            if stopped_by() or left < LEAST_SECONDS:
                reason = f"stopped by {stopped_by()}" if stopped_by() else "the time was over"
                keep(settings.out, outcome | {"outcome": "left out", "reason": reason})
                continue
            at, cpu_at = time.monotonic(), sum(os.times()[2:4])
            limit = min(part.limit_seconds * scale, left)
            failure = run_part(part, settings, seconds=limit, script=script, stopped_by=stopped_by)
            outcome |= {"outcome": "failed" if failure else "ok", "seconds": round(time.monotonic() - at, 1)}
            outcome["cpu_seconds"] = round(sum(os.times()[2:4]) - cpu_at, 1)  # of all that it started
            keep(settings.out, outcome | failure)
            print(
                f"[{at - began:5.0f} s] {part.label}: {outcome['seconds']} s, {failure.get('reason', 'ok')}", flush=True
            )
        return stopped_by()


def run_part(part: Part, settings: Settings, *, seconds: float, script: Path, stopped_by: Callable[[], str]) -> Record:
    """Run one part as a process group of its own; return why it failed and the end of its log, else nothing."""
    settings = replace(settings, until=time.monotonic() + seconds)
    log, records = Path(settings.out, LOG), Path(settings.out, RECORDS)
    size_before = records.stat().st_size if records.exists() else 0
    with log.open("ab") as file:
        file.write(f"\n===== {part.label}\n".encode())
        file.flush()
        log_start = file.tell()
        command = [sys.executable, str(script), json.dumps(asdict(settings)), part.name, *part.arguments]
        process = subprocess.Popen(
            command, cwd=settings.work, env=environment(settings), stdin=subprocess.DEVNULL, stdout=file,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        reason = ""
        while not reason and process.poll() is None:
            time.sleep(TICK_SECONDS)
            if stopped_by():
                reason = f"stopped by {stopped_by()}"
            elif time.monotonic() > settings.until:
                reason = f"the limit of {seconds:.0f} s"
        kill_group(process)
        os.fsync(file.fileno())
    said = log.read_bytes()[log_start:].decode(errors="replace").strip()
    reason = reason or describe_exit(process.returncode, said)
    if not reason and not (records.exists() and records.stat().st_size > size_before):
        reason = "it left no record"
    return {"reason": reason, "log": said[-TAIL_CHARACTERS:]} if reason else {}


def kill_group(process: "subprocess.Popen[bytes]") -> None:
    """End a part and all that it started; a compiler that is not asked first leaves half a file in the cache."""
    numbers = [signal.SIGKILL] if process.poll() is not None else [signal.SIGTERM, signal.SIGKILL]
    for number in numbers:
        with suppress(ProcessLookupError, PermissionError):  # none is left
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(KILL_SECONDS)
        if number is signal.SIGTERM:
            time.sleep(GRACE_SECONDS)


def describe_exit(code: int, said: str) -> str:
    """Return why a process failed, by its exit status and the last line of its output; nothing if it did not."""
    if code < 0:
        return f"signal {signal.Signals(-code).name}"
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith(" ")]
    return f"exit status {code}: {lines[-1][:300] if lines else 'no output'}" if code else ""


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment of the parts: our package, no network, and a compile cache that the parts share."""
    paths = [str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_OFFLINE": "1",
        "TORCHINDUCTOR_CACHE_DIR": str(settings.compile_cache),
    }


def next_command(records: list[Record], options: argparse.Namespace, *, spent_seconds: float) -> str:
    """Return the second command, with the kernel that took the least time in the first, and the seconds it left."""
    measured = [r for r in records if r["part"] == "kernels" and "device_ms" in r and r["kernel"] != "math"]
    kernel = f" --attention {min(measured, key=lambda r: r['device_ms'])['kernel']}" if measured else ""
    data = f" --data {options.data}" if options.data else ""
    left = sum(SECONDS.values()) - spent_seconds
    return f"python benchmarks/gpu.py --second --seconds {left:.0f}{kernel}{data} --out {options.out}"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--first", action="store_const", dest="list", const="first", help="checks, speed, kernels")
    which.add_argument("--second", action="store_const", dest="list", const="second", help="variants, longer training")
    which.add_argument("--only", metavar="WORDS", help="the parts whose name holds these words, such as 'speed 28M'")
    parser.add_argument("--seconds", type=float, help="for all parts together (first: 280, second: 460)")
    parser.add_argument("--data", type=Path, help="a folder of real text: train*, valid*")
    parser.add_argument("--out", type=Path, default=Path("outputs/gpu"), help="folder of the records")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir(), "tinystories_lm-gpu"))
    parser.add_argument("--attention", default="", help="the kernel of all variants that do not name their own")
    parser.add_argument("--steps", type=int, default=40, help="timed in a row")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies each part's limit, for a slow machine")
    parser.add_argument("--tiny", action="store_true", help="small shapes, to try the plan without a GPU")
    return parser.parse_args()


def main() -> None:
    began = time.monotonic()
    options = parse()
    both = {part.label: part for part in [*FIRST, *SECOND]}.values()
    parts = {"first": FIRST, "second": SECOND, None: [p for p in both if options.only and options.only in p.label]}
    for folder in (options.out, options.work):
        folder.mkdir(parents=True, exist_ok=True)
    settings = Settings(
        out=str(options.out.resolve()),
        work=str(options.work.resolve()),
        data=str(options.data.resolve()) if options.data else "",
        attention=options.attention,
        steps=options.steps,
        tiny=options.tiny,
    )
    command = " ".join(["python", "benchmarks/gpu.py", *sys.argv[1:]])
    keep(settings.out, {"part": "plan", "command": command, "date": time.strftime("%Y-%m-%d %H:%M:%S")})
    earlier = len(read_records(settings.out))  # the folder may hold another command's
    seconds = options.seconds or SECONDS[options.list or "second"]
    stopped_by = run_parts(parts[options.list], settings, end=began + seconds, scale=options.scale)
    records = read_records(settings.out)
    show(records)
    if options.list == "first":
        following = next_command(records, options, spent_seconds=time.monotonic() - began)
        print(f"\nnext, with the seconds that are left: {following}")
    if stopped_by:
        sys.exit(128 + signal.Signals[stopped_by])
    sys.exit(any(record.get("outcome") == "failed" for record in records[earlier:]))


if __name__ == "__main__":
    main()
