"""Record the numbers that a commit computes, and compare two commits line by line.

    python benchmarks/same_numbers.py COMMIT [COMMIT] [--json FILE]

A restructuring must change no number. Recorded are the sha256 of the weights and optimizer states of two short runs and
their validation losses, a greedy text, the config hash of every preset and sweep member, `plan --json` of every preset,
and the sha256 of the token ids of the built-in corpus and of the real text in TINYSTORIES_DATA.

A COMMIT is a Git commit, which is checked out into a temporary worktree, a folder with a checkout, or a FILE that an
earlier call wrote. Two commits give their differences and exit code 1 where a number differs; time, money, memory and
warnings of a plan are estimates: their differences are listed and not counted. Weights are equal bit for bit only on
one machine with one torch. A recording takes about three minutes of one core.
"""

import argparse
import contextlib
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = "tinystories_lm"
DATA = Path(os.environ.get("TINYSTORIES_DATA", REPOSITORY / "../shared/data"))
ESTIMATES = ("machines", "memory_bytes", "warnings")  # of plan --json
STEPS = 60
SMOKE = ["experiment=smoke", f"training.steps={STEPS}", "hardware=cpu", "hardware.threads=1", "tracking=off"]
RUNS = {"adamw": SMOKE, "muon": [*SMOKE, "optimizer=muon", "model.qk_norm=true"]}
GREEDY = ["--prompt", "Once upon a time", "--temperature", "0", "--seed", "0", "--count", "1", "--max-tokens", "120"]

Numbers = dict[str, Any]  # a dotted name → a plain value


class Checkout:
    """One version of the program: runs its commands in a temporary folder."""

    def __init__(self, source: Path, folder: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB_", "HYDRA_"))}
        offline = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        self.source, self.folder = source, folder
        self.environment = kept | offline | {"PYTHONPATH": str(source)}
        imported = self.python("-c", f"import {PACKAGE}; print({PACKAGE}.__file__)").strip()
        if not Path(imported).is_relative_to(source):
            raise RuntimeError(f"{imported} is imported instead of the package in {source}")

    def python(self, *arguments: str) -> str:
        """Return what Python prints with these arguments; raises RuntimeError with its error output."""
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{self.source}: {' '.join(arguments)} exits with {done.returncode}:\n{done.stderr}")
        return done.stdout

    def command(self, *arguments: str) -> str:
        return self.python("-m", PACKAGE, *arguments)

    def choices(self, group: str) -> list[str]:
        return sorted(file.stem for file in (self.source / "conf" / group).glob("*.yaml"))


def record(source: Path) -> Numbers:
    """Run this version of the program and return all its numbers."""
    with tempfile.TemporaryDirectory() as temporary:
        checkout = Checkout(source, Path(temporary))
        numbers: Numbers = {"machine.processor": processor(), "machine.torch": version("torch")}
        numbers |= hash_configs(checkout)
        numbers |= plan_presets(checkout)
        for name, settings in corpora().items():
            numbers |= prepare_corpus(checkout, name, settings)
        for name, settings in RUNS.items():
            numbers |= train(checkout, name, settings)
    return numbers


def processor() -> str:
    """Return the processor's model: another one may round differently."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def hash_configs(checkout: Checkout) -> Numbers:
    """Return the config hash of every preset and of every member of every named sweep."""
    wanted = {f"preset.{preset}": [f"experiment={preset}"] for preset in checkout.choices("experiment")}
    wanted |= {f"sweep.{sweep}": [f"+sweep={sweep}"] for sweep in checkout.choices("sweep")}
    found = json.loads(checkout.python(str(Path(__file__).resolve()), "--hashes", json.dumps(wanted)))
    return {f"config_hash.{name}": value for name, value in found.items()}


def probe_hashes(wanted: dict[str, list[str]]) -> dict[str, str]:
    """Return the config hashes by the package that this process imports.

    No command prints them for hardware that this machine lacks, so the functions are called; their names are stable.
    `hardware=auto` would be resolved to this machine: all are composed for one GPU.
    """
    try:
        from tinystories_lm.config import compose, fingerprint
    except ImportError:  # as they were called before the package had folders
        from tinystories_lm import composition as compose  # type: ignore[no-redef,attr-defined]
        from tinystories_lm import identity as fingerprint  # type: ignore[no-redef,attr-defined]
    compose.register()
    found = {}
    for name, overrides in wanted.items():
        for job in compose.expand_sweep([*overrides, "hardware=h100"]):
            own = [override for override in job if not override.startswith(("hardware=", "+sweep="))]
            label = f"{name}.{','.join(own)}" if name.startswith("sweep.") else name
            found[label] = fingerprint.config_hash(compose.compose_config(job).config)
    return found


def plan_presets(checkout: Checkout) -> Numbers:
    return {
        f"plan.{preset}": json.loads(checkout.command("plan", f"experiment={preset}", "--json"))
        for preset in checkout.choices("experiment")
    }


def corpora() -> dict[str, list[str]]:
    """Return what selects each corpus; those of TINYSTORIES_DATA where they exist."""
    found = {"stories": ["data=stories"]}
    for name in ("tinystories", "wikitext2"):
        if (DATA / name).is_dir():
            found[name] = [f"data={name}", f"data.path={(DATA / name).resolve()}"]
        else:
            print(f"{name} is skipped: {DATA / name} does not exist; set TINYSTORIES_DATA", file=sys.stderr)
    return found


def prepare_corpus(checkout: Checkout, name: str, settings: Sequence[str]) -> Numbers:
    """Return the hashes of a corpus's token cache; the built-in one is built where the runs look for it."""
    cache = checkout.folder / ("outputs/cache" if name == "stories" else f"cache-{name}")
    checkout.command("prepare", *settings, f"data.cache_dir={cache}")
    (header,) = cache.glob("*/header.json")
    stored = json.loads(header.read_text(encoding="utf-8"))
    numbers = {f"corpus.{name}.key": header.parent.name, f"corpus.{name}.fingerprint": stored["fingerprint"]}
    for file in [header.parent / "tokenizer.json", *sorted(header.parent.glob("*.bin"))]:
        numbers[f"corpus.{name}.{file.name}"] = sha256_of(file)
    return numbers


def train(checkout: Checkout, name: str, settings: Sequence[str]) -> Numbers:
    """Return the hashes of a short run's last checkpoint, its validation losses and a greedy text."""
    run = checkout.folder / name
    checkout.command("train", *settings, f"hydra.run.dir={run}")
    checkpoint = run / "checkpoints" / f"step-{STEPS:08d}"
    numbers: Numbers = {f"run.{name}.{file.name}": sha256_of(file) for file in sorted(checkpoint.glob("*.safetensors"))}
    for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if "val/loss" in row:
            numbers[f"run.{name}.val/loss.{row['progress/step']}"] = row["val/loss"]
    return numbers | {f"run.{name}.greedy_text": checkout.command("sample", str(run), *GREEDY)}


def sha256_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def flatten(value: Any, name: str = "") -> Numbers:
    """Return nested dictionaries and lists as one level of dotted names."""
    if isinstance(value, list):
        value = {str(number): part for number, part in enumerate(value)}
    if not isinstance(value, dict):
        return {name: value}
    return {
        key: part for at, nested in value.items() for key, part in flatten(nested, f"{name}.{at}".strip(".")).items()
    }


def differences(old: Numbers, new: Numbers) -> tuple[list[str], list[str]]:
    """Return the lines that differ: those that must not, and those of estimates."""
    before, after = flatten(old), flatten(new)
    wrong, estimates = [], []
    for name in dict.fromkeys([*before, *after]):
        a, b = before.get(name, "(absent)"), after.get(name, "(absent)")
        if a != b:
            is_estimate = name.startswith("plan.") and name.split(".")[2] in ESTIMATES
            (estimates if is_estimate else wrong).append(f"{name}: {a} → {b}")
    return wrong, estimates


@contextlib.contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """Check a commit out into a temporary worktree; a folder is taken as it is."""
    if Path(commit).is_dir():
        yield Path(commit).resolve()
        return
    git = ["git", "-C", str(REPOSITORY), "worktree"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = str(Path(temporary) / "checkout")
        subprocess.run([*git, "add", "--quiet", "--detach", folder, commit], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run([*git, "remove", "--force", folder], check=True)


def numbers_of(commit: str) -> Numbers:
    """Return a commit's numbers: recorded now, or from the file that holds them."""
    if commit.endswith(".json"):
        *_, newest = json.loads(Path(commit).read_text(encoding="utf-8")).values()
        return dict(newest)
    with checked_out(commit) as source:
        return record(source)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commits", metavar="COMMIT", nargs="*", help="a commit, a folder, or a FILE of --json")
    parser.add_argument("--json", metavar="FILE", type=Path, help="store the numbers of each commit")
    parser.add_argument("--hashes", type=json.loads, help=argparse.SUPPRESS)  # what a recording asks its own process
    options = parser.parse_args()
    if options.hashes is not None:
        print(json.dumps(probe_hashes(options.hashes)))
        return
    if len(options.commits) not in (1, 2):
        parser.error("one or two commits are compared")
    found = {commit: numbers_of(commit) for commit in options.commits}
    text = json.dumps(found, indent=1, ensure_ascii=False)
    if options.json:
        options.json.write_text(f"{text}\n", encoding="utf-8")
    if len(options.commits) == 1:
        print(text)
        return
    old, new = map(found.get, options.commits)
    assert old is not None and new is not None
    wrong, estimates = differences(old, new)
    for line in estimates:
        print(f"may differ  {line}")
    for line in wrong:
        print(f"DIFFERS     {line}")
    print(f"{len(flatten(new))} lines: {len(wrong)} differ, and {len(estimates)} estimates do")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
