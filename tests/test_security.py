"""What SECURITY.md promises: no code from files, no keys in what is written."""

import ast
import io
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import tinystories_lm
from tests.conftest import SMALL_RUN, Command
from tests.tracking.wandb_server import WandbServer
from tinystories_lm.system import yaml_files
from tinystories_lm.system.processes import Ending, Slot, Task, run_apart
from tinystories_lm.system.redaction import Redactor, holds_secret, redact

PACKAGE = Path(tinystories_lm.__file__).parent
REPOSITORY = PACKAGE.parent
MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "code", "imp"}
CALLS = {
    "eval", "exec", "compile", "__import__", "torch.load", "torch.save", "os.system", "os.popen", "yaml.load",
    "yaml.unsafe_load", "np.load", "numpy.load", "runpy.run_path", "importlib.import_module",
}  # fmt: skip
SAFE_LOADER = "Loader=LOADER"  # of system/yaml_files: the C loader where there is one
SECRETS = {
    "WANDB_API_KEY": "0123456789abcdef0123456789abcdef01234567",
    "WANDB_V1": f"wandb_v1_{'Ab_9' * 12}",
    "HF_TOKEN": "hf_abcdefghijklmnopqrstuvwxyz012345",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "SOME_PASSWORD": "correct horse battery staple",
    "SLURM_JWT": "a.token.of.the.cluster",  # W&B's SDK looks for what a machine of a cluster is
    "SLURM_JOB_NAME": "what-nobody-asked-for",
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
            called = ast.unparse(node.func)
            assert called not in CALLS or (called == "yaml.load" and ast.unparse(node.keywords[0]) == SAFE_LOADER)
            for word in node.keywords:
                wanted = isinstance(word.value, ast.Constant) and word.value.value is True
                assert not (word.arg in ("shell", "trust_remote_code", "allow_pickle") and wanted)


def test_the_one_yaml_loader_makes_plain_values_only() -> None:
    assert issubclass(yaml_files.LOADER, yaml.SafeLoader | getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@pytest.mark.parametrize(
    ("preset", "says"),
    [
        ("hydra:\n  callbacks:\n    a:\n      _target_: os.system", "hydra.callbacks.a._target_=os.system is refused"),
        ("hydra:\n  launcher:\n    _target_: subprocess.run", "hydra.launcher._target_=subprocess.run is refused"),
        ("hydra:\n  job_logging:\n    handlers:\n      x: {(): os.system, command: touch pwned}", "is refused"),
        (
            "hydra:\n  job_logging:\n    handlers:\n      x: {class: subprocess.Popen, args: [touch, pwned]}",
            "is refused",
        ),
        (
            "hydra:\n  job_logging:\n    handlers:\n      x: {class: logging.os.system, command: touch pwned}",
            "is refused",
        ),
        ("hydra:\n  job_logging:\n    handlers:\n      x: {class: logging.NullHandler, a: ext://pwned}", "is refused"),
        (
            "name: ext://pwned\nhydra:\n  job_logging: {handlers: {x: {class: logging.NullHandler, a: '${name}'}}}",
            "is refused",
        ),
        ("hydra:\n  callbacks:\n    a: {_target_: hydra_plugins.pwned.Callback}", "is refused"),
        (
            "hydra:\n  callbacks:\n    a: {_target_: hydra._internal.utils.os.system, command: touch pwned}",
            "is refused",
        ),
        ("hydra:\n  callbacks:\n    a: {_target_: hydra._internal.hydra.Hydra}", "is refused"),
        ("model:\n  _target_: os.system", "there is no such setting"),
        ("name: ../../outside", "must be a plain folder name"),
        ("tracking:\n  project: hf_aaaaaaaaaaaaaaaaaaaaaaaa", "that is a key"),
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


def test_no_file_of_a_run_and_no_server_gets_a_key_of_the_environment(
    corpus: Path, tmp_path: Path, environment: dict[str, str], command: Command
) -> None:
    """Neither config, records and logs, nor what W&B keeps and is sent, nor a message that has one in it."""
    settings = list(
        {s.partition("=")[0]: s for s in [*SMALL_RUN, "tracking=wandb", "tracking.artifacts=true"]}.values()
    )
    words = [sys.executable, "-m", "tinystories_lm", "train", *settings, f"data.path={corpus}"]
    with WandbServer() as server:
        mine = environment | SECRETS | {"WANDB_BASE_URL": server.url, "HOME": str(tmp_path)}
        done = subprocess.run(words, cwd=tmp_path, env=mine, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        (run,) = server.runs.values()
        assert run.config["training"]["steps"] == 12 and run.exit_code == 0
        sent = [*server.bodies, *server.files.values()]
    environment |= mine
    for setting in (
        f"data.path=/nowhere/{SECRETS['HF_TOKEN']}",
        f"tracking.project={SECRETS['WANDB_V1']}",
        f"hydra.job.env_set.A={SECRETS['HF_TOKEN']}",
        f"+hydra.job.env_set.WANDB_API_KEY={'3f786850e3' * 4}",
    ):
        refused = command(*words[3:-1], setting)
        assert refused.returncode == 2 and "that is a key" in refused.stderr
        said = (refused.stdout, refused.stderr)
        assert not any(secret in text for secret in SECRETS.values() for text in said)
    lost = command("diagnose", f"/nowhere/{SECRETS['HF_TOKEN']}")
    assert lost.returncode == 2 and "/nowhere/<HF_TOKEN>" in lost.stderr
    written = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(written) > 20 and len(sent) > 10
    for data in [done.stdout.encode(), done.stderr.encode(), *sent, *(file.read_bytes() for file in written)]:
        assert not any(secret.encode() in data for secret in SECRETS.values())


def test_keys_are_known_by_their_form_and_by_their_place_and_commits_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "MY_API_KEY", "short")
    monkeypatch.setitem(os.environ, "OTHER_TOKEN", "not-so-short-a-token")
    monkeypatch.setitem(os.environ, "OTHER_TOKEN_SECRET", "not-so-short-a-token-and-more")
    monkeypatch.setitem(os.environ, "DEPLOY_KEY", __file__)
    old, new = "3f786850e387550fdab836ed7e6dc881de23001b", f"wandb_v1_{'Ab_9' * 12}"
    kept = f"{old} short {__file__} ssh://git@host/x a/b@c her password: swordfish, tokens: 12345678"
    assert redact(kept) == kept
    for text, clean in {
        "not-so-short-a-token not-so-short-a-token-and-more": "<OTHER_TOKEN> <OTHER_TOKEN_SECRET>",
        f"hf_{'a' * 34} sk-{'b' * 40} {new}, local-{old}": "<a key> <a key> <a key>, <a key>",
        f"https://user:{old}@host/x https://{old}@host": "https://<a key>@host/x https://<a key>@host",
        f"WANDB_API_KEY={old} {{'api_key': '{old}'}}": "WANDB_API_KEY=<a key> {'api_key': '<a key>'}",
        f"Authorization: Bearer {old}; authorization: Basic {old}": (
            "Authorization: Bearer <a key>; authorization: Basic <a key>"
        ),
    }.items():
        assert redact(text) == clean
    assert holds_secret(f"hydra.job.env_set.WANDB_API_KEY={old}") and holds_secret(f"a=https://me:{old}@host")
    monkeypatch.setitem(os.environ, "AWS_SECRET_ACCESS_KEY", "/JalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    assert redact("it is /JalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY") == "it is <AWS_SECRET_ACCESS_KEY>"
    assert holds_secret(f"x={new}") and holds_secret("x=not-so-short-a-token") and not holds_secret(kept)


def fail(secret: str) -> None:
    raise RuntimeError(f"refused: https://api:{secret}@host")


def test_a_member_s_log_has_its_traceback_without_the_key(tmp_path: Path) -> None:
    """A member of a sweep has a process and an output.log of its own."""
    secret = SECRETS["WANDB_API_KEY"]
    task, endings = Task(fail, (secret,), tmp_path / "output.log", 60), dict[int, Ending]()
    run_apart([task], slots=[Slot()], preload=[], ended=endings.__setitem__, tick=lambda _: None)
    assert endings[0].exit_code == 1
    said = (tmp_path / "output.log").read_text()
    assert "RuntimeError: refused: https://<a key>@host" in said and "Traceback" in said and secret not in said


def test_a_logged_traceback_has_no_key() -> None:
    secret, stream = SECRETS["WANDB_API_KEY"], io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(Redactor())
    log = logging.getLogger("test_security")
    log.addHandler(handler)
    try:
        fail(secret)
    except RuntimeError:
        log.exception("api_key=%s", secret)
    finally:
        log.removeHandler(handler)
    assert secret not in stream.getvalue() and stream.getvalue().count("<a key>") == 3  # the source line too
