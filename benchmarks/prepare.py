"""How fast text becomes tokens: `prepare` as a whole against `encode_batch` alone, and the encoders by themselves.

    python benchmarks/prepare.py [--megabytes 200] [--rounds 3] [--data FOLDER] [--json FILE]

The text is that of FOLDER (train*.txt, stories between <|endoftext|>), its stories shuffled and repeated up to that
size. Each subject is a process of its own, on all cores; they take turns. `prepare` is the whole command, from nothing:
start-up, fingerprint, vocabulary, encoding, hashes; the encoders get text in memory and a trained tokenizer. Then the
ready cache is opened, and twice: the first opening reads and hashes every byte.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from tinystories_lm.data.encoding import encode_batches, make_encoder, merge_ranks
from tinystories_lm.data.segmentation import Chunk
from tinystories_lm.data.token_cache import open_cache
from tinystories_lm.data.tokenizer import END_OF_TEXT, load_tokenizer
from tinystories_lm.system.cores import usable_cores
from tinystories_lm.system.json_files import write_json

DATA = Path(os.environ.get("TINYSTORIES_DATA", Path(__file__).parents[1] / "../shared/data")) / "tinystories"
BATCH_BYTES = 1 << 20


def write_corpus(source: Path, folder: Path, megabytes: int) -> None:
    """train.txt of about this size, and a small valid.txt."""
    stories = [
        story.strip() for file in sorted(source.glob("train*.txt")) for story in file.read_text().split(END_OF_TEXT)
    ]
    order = random.Random(0)
    written = 0
    with (folder / "train.txt").open("w", encoding="utf-8") as file:
        while written < megabytes * 1_000_000:
            order.shuffle(stories)
            for story in stories:
                written += file.write(f"{story}\n{END_OF_TEXT}\n")
                if written >= megabytes * 1_000_000:
                    break
    (folder / "valid.txt").write_text(f"\n{END_OF_TEXT}\n".join(stories[:500]), encoding="utf-8")


def batches(folder: Path) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for story in (folder / "train.txt").read_text(encoding="utf-8").split(END_OF_TEXT):
        batch.append(story.strip())
        size += len(story)
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    yield batch


def time_encode_batch(folder: Path) -> float:
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    texts = list(batches(folder))
    began = time.perf_counter()
    for batch in texts:
        tokenizer.encode_batch(batch)
    return time.perf_counter() - began


def time_encode_batch_fast(folder: Path) -> float:
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    texts = list(batches(folder))
    began = time.perf_counter()
    for batch in texts:
        tokenizer.encode_batch_fast(batch)
    return time.perf_counter() - began


def time_ours(folder: Path) -> float:
    """Time the encoder of `prepare` with its threads."""
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    texts = [[Chunk(text, True) for text in batch] for batch in batches(folder)]
    began = time.perf_counter()
    for _ in encode_batches(make_encoder(tokenizer), texts):
        pass
    return time.perf_counter() - began


def time_tiktoken(folder: Path) -> float:
    """Time tiktoken by itself, on one thread, one story at a time."""
    import tiktoken

    from tinystories_lm.data.encoding import WORDS

    ranks = merge_ranks(load_tokenizer(folder / "tokenizer.json"))
    assert ranks is not None
    fast = tiktoken.Encoding("x", pat_str=WORDS, mergeable_ranks=ranks, special_tokens={})
    texts = list(batches(folder))
    began = time.perf_counter()
    for batch in texts:
        for text in batch:
            np.array(fast.encode_ordinary(text), dtype="<u2")
    return time.perf_counter() - began


SUBJECTS: dict[str, Callable[[Path], float]] = {
    "encode_batch": time_encode_batch,
    "encode_batch_fast": time_encode_batch_fast,
    "tiktoken, one thread": time_tiktoken,
    "our encoder": time_ours,
}


def in_a_process(name: str, folder: Path) -> float:
    command = [sys.executable, __file__, "--subject", name, "--folder", str(folder)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def prepare(folder: Path, cache: Path) -> tuple[float, float]:
    """Seconds of the whole command, and the peak memory of its process in MB."""
    command = [sys.executable, "-m", "tinystories_lm", "prepare", "data=tinystories", f"data.path={folder}",
               f"data.cache_dir={cache}"]  # fmt: skip
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(command)} ended with status {status}")
    return time.perf_counter() - began, used.ru_maxrss / (1 if sys.platform != "darwin" else 1024) / 1024


def opening(folder: Path) -> float:
    began = time.perf_counter()
    open_cache(folder)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--subject", choices=SUBJECTS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.subject:
        print(SUBJECTS[options.subject](options.folder))
        return
    if not any(options.data.glob("train*.txt")):
        parser.error(f"{options.data} has no train*.txt: --data FOLDER")
    found: dict[str, list[float]] = {name: [] for name in ("prepare", *SUBJECTS)}
    peaks = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "corpus"
        folder.mkdir()
        write_corpus(options.data, folder, options.megabytes)
        for number in range(options.rounds):
            cache = Path(temporary) / f"cache{number}"
            seconds, peak = prepare(folder, cache)
            found["prepare"].append(seconds)
            peaks.append(peak)
            (ready,) = (path.parent for path in cache.glob("*/header.json"))
            (folder / "tokenizer.json").write_bytes((ready / "tokenizer.json").read_bytes())
            for name in SUBJECTS:
                found[name].append(in_a_process(name, folder))
        opened = [opening(ready) for _ in range(4)]
    print(f"{'':<22}{'seconds':>9}{'from':>8}{'to':>8}{'MB/s':>8}{'to encode_batch':>17}")
    rows = []
    for name, times in found.items():
        median = statistics.median(times)
        ratio = statistics.median(a / b for a, b in zip(found["encode_batch"], times, strict=True))
        print(
            f"{name:<22}{median:>9.1f}{min(times):>8.1f}{max(times):>8.1f}{options.megabytes / median:>8.1f}"
            f"{ratio:>16.2f}x"
        )
        rows.append({"what": name, "seconds": median, "rounds": times, "times_encode_batch": ratio})
    print(
        f"peak memory of prepare {max(peaks):.0f} MB; opening the cache {opened[0]:.3f} s, then {min(opened[1:]):.3f} s"
    )
    if options.json:
        record = {
            "command": f"python benchmarks/prepare.py --json {options.json}",
            "cores": usable_cores(), "megabytes": options.megabytes, "subjects": rows,
            "peak_megabytes": peaks, "opening_seconds": opened, "date": time.strftime("%Y-%m-%d"),
        }  # fmt: skip
        write_json(options.json, json.loads(json.dumps(record)))


if __name__ == "__main__":
    main()
