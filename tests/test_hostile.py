"""A run folder from a stranger: refused in a moment, in one line, with nothing outside it read or written."""

import json
import os
import pty
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.faults import trials
from tests.interop.test_export import make_run
from tests.warm_process import warm
from tinystories_lm.runs.folder import CONFIG_SEAL, RunFolder
from tinystories_lm.system.hashing import sha256_of

SECONDS = 20.0  # on a busy machine; each of these takes a fraction of one
ENDLESS = b'{"x":{"dtype":"F32","shape":[1000000000,1000000000],"data_offsets":[0,4]}}'
READERS = (["runs"], ["report", "run"], ["diagnose", "run"], ["sample", "run", "--max-tokens", "2"])
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.fixture(scope="module")
def friendly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    warm()
    return make_run(tmp_path_factory.mktemp("friendly") / "run").path


@pytest.fixture
def run(friendly: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(friendly, tmp_path / "outputs" / "stranger" / "run"))


def say(folder: Path, *words: str) -> tuple[int, str]:
    """Run a command in its own process, within SECONDS, and return its exit code and output."""
    began, out = time.monotonic(), folder / "said"
    out.unlink(missing_ok=True)
    pid = trials.begin([*words], folder, out=out, first=trials.alone)
    while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
        if time.monotonic() - began > SECONDS:
            os.kill(pid, 9)
            pytest.fail(f"{words} does not end")
        time.sleep(0.01)
    return os.waitstatus_to_exitcode(ended[1]), out.read_text(encoding="utf-8", errors="replace")


def read_all(folder: Path) -> list[str]:
    found = []
    for words in READERS:
        code, said = say(folder, *words)
        assert code in (0, 2, 3) and "Traceback" not in said, (words, code, said)
        found.append(said)
    page = folder / "outputs" / "report.html"
    return [*found, page.read_text(encoding="utf-8") if page.exists() else ""]


# Each is a link in one test and a pipe in another, of which one is quick.
NAMES = ["metrics.jsonl", "samples.jsonl", "status.json", "config.yaml", "environment.json", "tokenizer.json",
         "summary.json", ".lock", "train.log", "checkpoints/step-00000012/state.json"]  # fmt: skip
LEADING_OUT = [
    pytest.param(name, kind, marks=[pytest.mark.slow] * ((place + pipe) % 2))
    for place, name in enumerate(NAMES)
    for pipe, kind in enumerate(["link", "pipe"])
]


@pytest.mark.parametrize(("name", "kind"), LEADING_OUT)
def test_what_leads_out_of_the_folder_is_neither_read_nor_written(
    run: Path, corpus: Path, tmp_path: Path, name: str, kind: str
) -> None:
    victim = tmp_path / "victim"
    victim.write_text('{"status": "running", "text": "a secret of the victim"}\n')
    (run / name).unlink(missing_ok=True)
    if kind == "link":
        (run / name).symlink_to(victim)
    else:
        os.mkfifo(run / name)
    assert not any("a secret" in said for said in read_all(tmp_path))
    code, said = say(tmp_path, "train", *trials.settings(f"data.path={corpus}", f"hydra.run.dir={run}"))
    assert code in (2, 3) and "Traceback" not in said and len(said.strip().splitlines()) == 1, said
    assert victim.read_text() == '{"status": "running", "text": "a secret of the victim"}\n'


@pytest.mark.parametrize("name", ["checkpoints", ".hydra", "wandb"])
def test_nothing_is_written_through_a_folder_that_is_a_link(run: Path, corpus: Path, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.rmtree(run / name, ignore_errors=True)
    (run / name).symlink_to(outside)
    code, said = say(tmp_path, "train", *trials.settings(f"data.path={corpus}", f"hydra.run.dir={run}"))
    assert code in (2, 3) and f"{name} is neither a file nor a folder" in said, said
    assert not list(outside.iterdir())


@pytest.mark.parametrize("words", [["upload"], ["evaluate", "--stories", "1"]])
def test_what_adds_to_a_run_writes_nowhere_else(run: Path, tmp_path: Path, words: list[str]) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.rmtree(run / "wandb", ignore_errors=True)
    (run / "wandb").symlink_to(outside)
    (run / "metrics.jsonl").write_text('{"progress/step": 1, "progress/tokens": 5}\n')
    code, said = say(tmp_path, words[0], str(run), *words[1:])
    assert code == 3 and "wandb is neither a file nor a folder" in said, said
    assert not list(outside.iterdir())


def test_a_member_of_a_sweep_writes_its_log_nowhere_else(corpus: Path, tmp_path: Path) -> None:
    settings = [setting for setting in trials.settings(f"data.path={corpus}") if "seed" not in setting]
    words = ["sweep", "seeds", *settings, "training.seed=0"]
    code, said = say(tmp_path, *words, "--dry-run", "--json")
    planned = json.loads(said.splitlines()[-1])["run"]
    victim = tmp_path / "victim"
    victim.write_text("mine\n")
    (tmp_path / planned).mkdir(parents=True)
    (tmp_path / planned / "output.log").symlink_to(victim)
    code, said = say(tmp_path, *words)
    assert code == 3 and "output.log is neither a file nor a folder" in said, said
    assert victim.read_text() == "mine\n"


def forged(run: Path, change: Callable[[Path], object]) -> Path:
    """Change a checkpoint's weights and rewrite its manifest to match."""
    checkpoint = run / "checkpoints" / "step-00000012"
    change(checkpoint / "model.safetensors")
    manifest = json.loads((checkpoint / "manifest.json").read_text())
    size = (checkpoint / "model.safetensors").stat().st_size
    digest = sha256_of(checkpoint / "model.safetensors") if size < 1e8 else "0" * 64
    manifest["files"]["model.safetensors"] = {"bytes": size, "sha256": digest}
    (checkpoint / "manifest.json").write_text(json.dumps(manifest))
    return checkpoint


def header(file: Path, length: int, text: bytes = b"") -> None:
    file.write_bytes(length.to_bytes(8, "little") + text)


@pytest.mark.parametrize(
    "change",
    [
        lambda file: header(file, 10**18),
        lambda file: header(file, 2**64 - 1, b"{}"),
        lambda file: header(file, 10**6, b"[" * 10**6),
        lambda file: header(file, len(ENDLESS), ENDLESS + b"\0\0\0\0"),
        lambda file: os.truncate(file, 10**12),
        lambda file: file.write_bytes(b"\0" * 50_000_000),
        lambda file: file.write_bytes(b"\x80\x04cos\nsystem\n(S'touch pwned'\ntR."),
    ],
    ids=["10^18", "2^64", "deep", "a shape of 10^18", "a hole of 1 TB", "zeros", "a pickle"],
)  # fmt: skip
def test_sizes_that_cannot_be_are_refused_before_they_are_believed(
    run: Path, tmp_path: Path, change: Callable[[Path], object]
) -> None:
    forged(run, change)
    code, said = say(tmp_path, "sample", "run")
    assert code == 3 and "model.safetensors" in said and len(said.strip().splitlines()) <= 2, said
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.yaml", BOMB),
        ("config.yaml", "[" * 100_000),
        ("config.yaml", "x: !!python/object/apply:os.system [touch pwned]"),
        ("config.yaml", "name: ${oc.env:HOME}"),
        (".hydra/overrides.yaml", BOMB.replace("a: ", "- ", 1)),
        (".hydra/overrides.yaml", "- " * 20_000),
        (".hydra/hydra.yaml", "\n    choices:\n      " + BOMB.replace("\n", "\n      ")),
        ("environment.json", '{"a":' * 200_000),
        ("environment.json", '{"run_id": "../../outside", "pieces": []}'),
        ("environment.json", '{"run_id": "abc", "pieces": [{"machine": 5}]}'),
        ("summary.json", '{"val/loss": "x", "stories": 5}'),
        ("status.json", "[" * 200_000),
        ("metrics.jsonl", "[" * 200_000 + "\n" + '{"progress/step": 1e999}\n' * 3 + '{"progress/step": "x"}\n'),
        ("samples.jsonl", '{"step": {}, "prompt": [], "text": null}\n' * 3),
        ("tokenizer.json", "[" * 200_000),
        ("tokenizer.json", '{"version": "1.0", "model": {"type": "BPE", "vocab": {}, "merges": [["a", "b"]]}}'),
    ],
)
def test_text_that_cannot_be_is_refused_in_a_moment(run: Path, tmp_path: Path, name: str, text: str) -> None:
    (run / ".hydra").mkdir(exist_ok=True)
    (run / name).write_text(text)
    read_all(tmp_path)
    assert not list(tmp_path.rglob("pwned")) and not list(tmp_path.rglob("outside"))


@pytest.mark.parametrize("change", [{"n_layers": 10**9}, {"d_model": 2 * 10**9, "n_heads": 1}, {"d_ff": 10**15}])
def test_a_config_of_a_model_without_end_is_refused_by_the_checkpoints_size(
    run: Path, tmp_path: Path, change: dict[str, int]
) -> None:
    stored = yaml.safe_load(RunFolder(run).config.read_text().partition(CONFIG_SEAL)[0])
    RunFolder(run).config.write_text(yaml.safe_dump(stored | {"model": stored["model"] | change}))
    code, said = say(tmp_path, "sample", "run")
    assert code == 3 and "the weights of the config's model take" in said, said


def test_names_and_texts_move_no_cursor(run: Path, tmp_path: Path) -> None:
    """A folder whose name would clear the screen, and a text that would ring the bell."""
    renamed = run.with_name("\x1b[2J\x07run")
    run.rename(renamed)
    for words in (["runs"], ["sample", "\x1b[2J"]):
        _, said = say(tmp_path, *words)
        assert "\x1b" not in said and "\x07" not in said and "\ufffd" in said
    ours, theirs = pty.openpty()
    words = ["sample", str(renamed), "--prompt", "One \x1b[31mday\x07", "--max-tokens", "2"]
    assert trials.end(trials.begin(words, tmp_path, out=Path(os.ttyname(theirs)), first=trials.alone)) == 0
    said = os.read(ours, 10_000)
    assert b"\x1b" not in said and b"\x07" not in said and "One \ufffd[31mday\ufffd".encode() in said


def test_a_folder_of_links_as_the_hub_keeps_them_can_be_imported(tmp_path: Path, friendly: Path) -> None:
    """Reading a model that lies behind links is what a person asked for: only run folders may not have them."""
    pytest.importorskip("transformers")
    stock, links = tmp_path / "stock", tmp_path / "links"
    code, said = say(tmp_path, "export", str(friendly), str(stock))
    assert code == 0, said
    links.mkdir()
    for file in stock.iterdir():
        (links / file.name).symlink_to(file)
    code, said = say(tmp_path, "import", str(links), "imported")
    assert code == 0, said
