"""Each of a thousand damaged files is named, or makes no difference; none is loaded wrongly.

Files are cut, flipped, emptied, extended, exchanged and, where they are text, changed so that they can still be read.
"""

import json
import random
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.faults import trials
from tests.warm_process import warm

SLOW = pytest.mark.slow
ENDINGS = {0, 2, 3, 7}  # exit codes of a command that meets a damaged file
READERS = [
    ["diagnose", "run", "--json"],
    ["runs", "--json"],
    ["sample", "run", "--max-tokens", "4", "--json"],
    ["report", "run"],
]


class Trained(NamedTuple):
    folder: Path  # holds run/, done; cut/, killed at step 26 of 40; cache/
    corpus: Path
    ending: dict[str, Any]  # of an undamaged run


@pytest.fixture(scope="module")
def trained(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("damage")
    warm()
    cache = f"data.cache_dir={folder / 'cache'}"
    assert trials.end(trials.start(corpus, folder / "run", cache)) == 0, trials.said(folder / "run")
    cut = folder / "cut"
    assert trials.end(trials.start(corpus, cut, cache, fault=f"step:26:kill:{cut}")) == -9
    return Trained(folder, corpus, trials.ending(folder / "run"))


def damage(choose: random.Random, file: Path) -> str:
    """Damage a file in one of many ways; returns the way."""
    content = bytearray(file.read_bytes())
    place = choose.randrange(len(content)) if content else 0
    kind = choose.choice(["flip", "cut", "empty", "more", "gone", "garbage", "swap", "value", "value"])
    twins = [twin for twin in sorted(file.parent.parent.glob(f"*/{file.name}")) if twin != file]
    match kind:
        case "flip":
            content[place] ^= 1 << choose.randrange(8)
        case "cut":
            del content[choose.choice([1, place, len(content) // 2, len(content) - 1]) :]
        case "empty":
            content.clear()
        case "more":
            content += choose.choice([b" ", b"\0", b"{}", bytes(content)])
        case "gone":
            file.unlink()
            return "gone"
        case "garbage":
            content[place : place + 40] = choose.randbytes(40)
        case "swap" if twins:
            content[:] = twins[0].read_bytes()
        case _ if file.suffix in (".json", ".jsonl", ".yaml"):
            content[:] = _otherwise(choose, content.decode()).encode()
        case _:
            content[place : place + 8] = choose.choice([b"\0" * 8, b"\xff" * 8, (10**18).to_bytes(8, "little")])
    file.write_bytes(bytes(content))
    return kind


def _otherwise(choose: random.Random, text: str) -> str:
    """Return the text with another value in one place, which can still be parsed."""
    values = list(re.finditer(r'(?<=: )("(?:[^"\\]|\\.)*"|-?[0-9.e+-]+|true|false|null|[\w./-]+)', text))
    if not values:
        return text + "x"
    value = choose.choice(values)
    deep = "[" * 5000 + "]" * 5000
    others = ["NaN", "1e999", "-1", "0", "null", '"x"', "[]", "{}", deep, str(10**30), "0.5", "true", '"../../x"']
    digits = re.sub(r"\d", lambda digit: str((int(digit[0]) + 1) % 10), value[0], count=1)
    return text[: value.start()] + choose.choice([*others, digits, digits, digits]) + text[value.end() :]


def command(folder: Path, *words: str) -> tuple[int, str]:
    """Return the exit code of a command, or -signal, and its output."""
    out = folder / "said"
    pid = trials.begin([*words], folder, out=out, first=trials.alone)
    return trials.end(pid), out.read_text(encoding="utf-8", errors="replace")


def files_of(run: Path) -> list[Path]:
    """Return the files from which a run is resumed."""
    kept = ("config.yaml", "environment.json", "metrics.jsonl", "samples.jsonl", "status.json", "summary.json",
            "tokenizer.json")  # fmt: skip
    return [*(run / name for name in kept if (run / name).is_file()), *sorted(run.glob("checkpoints/step-*/*"))]


@pytest.mark.parametrize("numbers", [range(4), pytest.param(range(4, 500), marks=SLOW)], ids=["4", "496 more"])
def test_a_run_with_a_damaged_file_ends_as_it_should_or_says_which_file_it_is(
    trained: Trained, tmp_path: Path, numbers: range
) -> None:
    for number in numbers:
        choose, run = random.Random(number), tmp_path / f"cut{number}"
        shutil.copytree(trained.folder / "cut", run)
        file = choose.choice(files_of(run))
        trial = f"{number}: {damage(choose, file)} {file.relative_to(run)}"
        code = trials.end(trials.start(trained.corpus, run, f"data.cache_dir={trained.folder / 'cache'}"))
        said = trials.said(run)
        assert code in ENDINGS and "Traceback" not in said, (trial, code, said)
        if code:
            assert named(file, said), (trial, said)
            continue
        ending = trials.ending(run)
        if difference := trials.first_difference(ending, trained.ending):
            assert named(file, said), (trial, difference, said)
            assert ending["weights"] == trained.ending["weights"], (trial, difference)
        shutil.rmtree(run)


def named(file: Path, said: str) -> bool:
    """Return whether the output names the file, or the checkpoint it belongs to."""
    return file.name in said or file.parent.name in said


@pytest.mark.parametrize("numbers", [range(16), pytest.param(range(16, 400), marks=SLOW)], ids=["16", "384 more"])
def test_what_reads_a_damaged_run_says_the_same_as_before_or_which_file_it_is(
    trained: Trained, tmp_path: Path, numbers: range
) -> None:
    whole = {}
    for number in [-1, -2, -3, -4, *numbers]:
        words, folder = READERS[number % len(READERS)], tmp_path / str(number)
        run = folder / "outputs" / "cut" / "run"
        shutil.copytree(trained.folder / "run", run)
        choose, trial = random.Random(1000 + number), ""
        if number >= 0:
            file = choose.choice(files_of(run))
            trial = f"{number}: {words[0]}, {damage(choose, file)} {file.relative_to(run)}"
        code, said = command(folder, *words)
        result = shown(folder, said)
        if number < 0:
            assert code == 0, said
            whole[words[0]] = result
            continue
        assert code in ENDINGS and "Traceback" not in said, (trial, code, said)
        if code == 0 and result != whole[words[0]]:
            assert named(file, result) or "damaged" in result or words[0] == "runs", (trial, said)
        elif code:
            assert named(file, said), (trial, said)
        shutil.rmtree(folder)


def shown(folder: Path, said: str) -> str:
    """Return the output of a command without times."""
    page = folder / "outputs" / "report.html"
    said += page.read_text(encoding="utf-8") if page.is_file() else ""
    said = re.sub(
        r'"(age_seconds|seconds|updated|made|written)": ?[0-9.e+-]+|\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?', "", said
    )
    return said.replace(str(folder), "")


NAMES = ["summary.json", "status.json", "environment.json"]
CONTENTS = {"empty": b"", "another": b'{"step": 1}', "gone": None}
# Among the quick ones each file has each content once, in the finished run or in the one that was cut off.
WRITTEN_AGAIN = [
    pytest.param(which, name, content, marks=[] if (NAMES.index(name) + place) % 2 == in_cut else SLOW)
    for in_cut, which in enumerate(["run", "cut"])
    for name in NAMES
    for place, content in enumerate(CONTENTS)
]


@pytest.mark.parametrize(("which", "name", "content"), WRITTEN_AGAIN)
def test_a_damaged_summary_status_or_environment_is_written_again(
    trained: Trained, tmp_path: Path, which: str, name: str, content: str
) -> None:
    """The checkpoints hold all that is needed, except whether the numbers are exact."""
    run = Path(shutil.copytree(trained.folder / which, tmp_path / which))
    (run / name).unlink(missing_ok=True)
    if (data := CONTENTS[content]) is not None:
        (run / name).write_bytes(data)
    assert trials.end(trials.start(trained.corpus, run, f"data.cache_dir={trained.folder / 'cache'}")) == 0
    ending = trials.ending(run)
    if name == "environment.json" and ending["summary"] != trained.ending["summary"]:
        assert ending["summary"].pop("exact") is False
        ending["summary"]["exact"] = True
    assert not (difference := trials.first_difference(ending, trained.ending)), difference
    assert "Traceback" not in trials.said(run) and "done: validation loss" in trials.said(run)


@pytest.mark.parametrize("numbers", [range(10), pytest.param(range(10, 100), marks=SLOW)], ids=["10", "90 more"])
def test_a_damaged_cache_is_built_again(trained: Trained, tmp_path: Path, numbers: range) -> None:
    def tokens(cache: Path) -> dict[str, bytes]:
        found = {str(file.relative_to(cache)): file.read_bytes() for file in sorted(cache.glob("*/*"))}
        return {name: data.rstrip() if name.endswith("header.json") else data for name, data in found.items()}

    settings = [word for word in trials.RUN if word.startswith(("data.", "model."))]
    for number in numbers:
        choose, cache = random.Random(2000 + number), tmp_path / str(number) / "cache"
        shutil.copytree(trained.folder / "cache", cache)
        before, file = tokens(cache), choose.choice(sorted(cache.glob("*/*")))
        trial = f"{number}: {damage(choose, file)} {file.name}"
        words = ["prepare", *settings, f"data.path={trained.corpus}", f"data.cache_dir={cache}"]
        code, said = command(cache.parent, *words)
        assert code in (0, 7) and "Traceback" not in said, (trial, code, said)
        if code == 0:
            assert tokens(cache) == before, trial
        shutil.rmtree(cache.parent)


def test_json_of_any_depth_and_size_is_refused_in_a_moment(trained: Trained, tmp_path: Path) -> None:
    """The json module would raise RecursionError, or return a number that no float holds."""
    from tinystories_lm.system.errors import DamagedError
    from tinystories_lm.system.json_files import read_json

    for text in ("[" * 10**6, '{"a":' * 10**5, json.dumps({"a": 0}).replace("0", "1e999"), '{"a": NaN}', "9" * 10**5):
        file = tmp_path / "x.json"
        file.write_text(text)
        with pytest.raises(DamagedError, match=r"x\.json"):
            read_json(file)
