"""What SECURITY.md promises: no code from files, no keys in what is written."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tinystories_lm
from tests.conftest import SMALL_RUN, Command
from tinystories_lm.credentials import scrubbed

PACKAGE = Path(tinystories_lm.__file__).parent
REPOSITORY = PACKAGE.parent
MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "code", "imp"}
CALLS = {
    "eval", "exec", "compile", "__import__", "torch.load", "torch.save", "os.system", "os.popen", "yaml.load",
    "yaml.unsafe_load", "np.load", "numpy.load", "runpy.run_path", "importlib.import_module",
}  # fmt: skip
SECRETS = {
    "WANDB_API_KEY": "0123456789abcdef0123456789abcdef01234567",
    "HF_TOKEN": "hf_abcdefghijklmnopqrstuvwxyz012345",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "SOME_PASSWORD": "correct horse battery staple",
}


def sources() -> list[Path]:
    folders = (PACKAGE, REPOSITORY / "benchmarks", REPOSITORY / "experiments")
    return [file for folder in folders for file in sorted(folder.rglob("*.py"))]


@pytest.mark.parametrize("file", sources(), ids=lambda file: str(file.relative_to(REPOSITORY)))
def test_no_source_unpickles_evaluates_or_opens_a_shell(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not {alias.name.split(".")[0] for alias in node.names} & MODULES
        if isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in MODULES
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in CALLS
            for word in node.keywords:
                wanted = isinstance(word.value, ast.Constant) and word.value.value is True
                assert not (word.arg in ("shell", "trust_remote_code", "allow_pickle") and wanted)


@pytest.mark.parametrize(
    ("preset", "says"),
    [
        ("hydra:\n  callbacks:\n    a:\n      _target_: os.system", "hydra.callbacks.a._target_=os.system is refused"),
        ("hydra:\n  launcher:\n    _target_: subprocess.run", "hydra.launcher._target_=subprocess.run is refused"),
        ("hydra:\n  job_logging:\n    handlers:\n      x: {(): os.system, command: touch pwned}", "is refused"),
        ("model:\n  _target_: os.system", "there is no such setting"),
        ("name: ../../outside", "must be a plain folder name"),
        ("x: !!python/object/apply:os.system [touch pwned]", "could not determine a constructor"),
    ],
)
def test_a_hostile_preset_is_refused_in_one_line(command: Command, tmp_path: Path, preset: str, says: str) -> None:
    folder = tmp_path / "conf" / "experiment"
    folder.mkdir(parents=True)
    (folder / "evil.yaml").write_text(f"# @package _global_\n{preset}\n")
    for words in (["train"], ["train", "--cfg", "job"]):
        done = command(*words, f"--config-dir={tmp_path / 'conf'}", "experiment=evil", "hardware=cpu")
        assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1 and says in done.stderr
    assert not (tmp_path / "outputs").exists() and not list(tmp_path.rglob("pwned"))


def test_no_file_of_a_run_holds_a_key_of_the_environment(
    corpus: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    """Neither config, records and logs, nor what W&B keeps, nor a message that has one in it."""
    settings = list({s.partition("=")[0]: s for s in [*SMALL_RUN, "tracking=offline"]}.values())
    words = [sys.executable, "-m", "tinystories_lm", "train", *settings, f"data.path={corpus}"]
    done = subprocess.run(words, cwd=tmp_path, env=environment | SECRETS, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lost = [*words[:-1], f"data.path=/nowhere/{SECRETS['HF_TOKEN']}"]
    refused = subprocess.run(lost, cwd=tmp_path, env=environment | SECRETS, capture_output=True, text=True)
    assert refused.returncode == 2 and "/nowhere/<HF_TOKEN>" in refused.stderr
    written = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(written) > 20
    for text in (done.stdout, done.stderr, refused.stdout, refused.stderr):
        assert not any(secret in text for secret in SECRETS.values())
    for file in written:
        data = file.read_bytes()
        assert not any(secret.encode() in data for secret in SECRETS.values()), file


def test_known_forms_of_keys_are_scrubbed_and_commits_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "MY_API_KEY", "short")
    monkeypatch.setitem(os.environ, "OTHER_TOKEN", "not-so-short-a-token")
    commit = "3f786850e387550fdab836ed7e6dc881de23001b"
    text = f"{commit} short not-so-short-a-token hf_{'a' * 34} sk-{'b' * 40}"
    assert scrubbed(text) == f"{commit} short <OTHER_TOKEN> <a key> <a key>"
