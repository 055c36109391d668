"""The `train` command as a person uses it, in a process of its own: start, stop, repeat, sweep."""

import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.conftest import SMALL_RUN, Command
from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.runs.folder import RunFolder, read_config
from tinystories_lm.runs.records import read_metrics
from tinystories_lm.runs.status import Status, read_status
from tinystories_lm.sweeps.job import restrict_to_one_gpu
from tinystories_lm.system.json_files import read_json

VOLATILE = ("progress/pieces", "cost/usd", "time/train_seconds", "speed/tokens_per_second", "speed/mfu")


def numbers(run: Path) -> list[dict[str, Any]]:
    """Return the rows of metrics.jsonl without what depends on the clock."""
    return [{key: value for key, value in row.items() if key not in VOLATILE} for row in read_metrics(RunFolder(run))]


def weights(run: Path) -> bytes:
    """Return the bytes of the last checkpoint's model and optimizer."""
    last = sorted((run / "checkpoints").glob("step-*"))[-1]
    return (last / "model.safetensors").read_bytes() + (last / "optimizer.safetensors").read_bytes()


def arguments(corpus: Path, run: str, *more: str) -> list[str]:
    changed = {override.split("=")[0] for override in more}
    kept = [override for override in SMALL_RUN if override.split("=")[0] not in changed]
    return ["train", *kept, f"data.path={corpus}", f"hydra.run.dir='{run}'", *more]


def test_a_run_leaves_everything_its_folder_promises(command: Command, corpus: Path, tmp_path: Path) -> None:
    done = command(*arguments(corpus, "a run, ü"))
    assert done.returncode == 0, done.stderr
    run = tmp_path / "a run, ü"
    names = {path.name for path in run.iterdir()}
    assert names >= {
        ".hydra", "config.yaml", "environment.json", "metrics.jsonl", "samples.jsonl", "tokenizer.json", "checkpoints",
        "status.json", "summary.json", "train.log",
    }  # fmt: skip
    rows = numbers(run)
    assert [row["progress/step"] for row in rows if "val/loss" in row] == [0, 4, 8, 12]
    assert [row["progress/step"] for row in rows if "train/loss" in row] == [2, 4, 6, 8, 10, 12]
    assert {path.name for path in (run / "checkpoints").iterdir()} >= {"step-00000008", "step-00000012"}
    summary = json.loads((run / "summary.json").read_text())
    assert summary["val/loss"] == rows[-1]["val/loss"] < rows[0]["val/loss"]
    assert summary["progress/tokens"] == 12 * 4 * 32
    assert read_status(RunFolder(run)) is Status.DONE
    assert read_config(RunFolder(run)).training.steps == 12
    assert "val loss" in done.stderr and "perplexity" in done.stderr and "story 3" in done.stderr
    assert "val loss" in (run / "train.log").read_text(), "the log file has the published line too"

    again = command(*arguments(corpus, "a run, ü"))
    assert again.returncode == 0 and "story 3" in again.stderr, "a finished run shows its end again"
    assert numbers(run) == rows

    story = command("sample", "a run, ü", "--prompt", "One day", "--count", "2", "--max-tokens", "5", "--json")
    texts = [json.loads(line) for line in story.stdout.splitlines()]
    assert len(texts) == 2 and all(text["text"].startswith("One day") for text in texts)


def test_another_corpus_under_a_run_is_found(command: Command, corpus: Path, tmp_path: Path) -> None:
    assert command(*arguments(corpus, "run")).returncode == 0
    other = tmp_path / "other"
    other.mkdir()
    for file in corpus.iterdir():
        (other / file.name).write_text(file.read_text().replace("Tom", "Kim"))
    refused = command(*arguments(other, "run", "training.steps=16"))
    assert refused.returncode == 3
    assert "another corpus" in refused.stderr
    assert read_status(RunFolder(tmp_path / "run")) is Status.DONE, "a refusal changes nothing"
    assert read_config(RunFolder(tmp_path / "run")).training.steps == 12
    taken_for_done = command(*arguments(other, "run"))
    assert taken_for_done.returncode == 3 and "another corpus" in taken_for_done.stderr


def test_corpora_of_equal_names_and_sizes_are_not_one_run(command: Command, corpus: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(corpus, own)
    base = [a for a in arguments(own, "") if not a.startswith("hydra.run.dir")]
    swept = [*base, "-m", "training.seed=0"]
    assert command(*swept).returncode == 0
    for file in own.iterdir():
        file.write_text(file.read_text().replace("Tom", "Kim"))
    again = command(*swept)
    assert again.returncode == 3 and "another corpus" in again.stderr, again.stderr

    both = command(*[a for a in base if not a.startswith("data.path")], "-m", f"data.path={corpus},{own}")
    assert both.returncode == 2 and "rename a file" in both.stderr


def test_two_jobs_that_differ_in_no_result_are_refused(command: Command, corpus: Path, tmp_path: Path) -> None:
    base = [a for a in arguments(corpus, "") if not a.startswith("hydra.run.dir")]
    refused = command(*base, "-m", "sampling.temperature=0.2,1.5")
    assert refused.returncode == 2 and "sampling.temperature=1.5 are the same run" in refused.stderr
    assert not (tmp_path / "outputs").exists()


def test_the_best_step_is_the_one_with_the_lowest_loss_and_is_kept(
    command: Command, corpus: Path, tmp_path: Path
) -> None:
    """At a rate that is too high the loss rises after its lowest value."""
    more = ("training.steps=9", "training.eval_every_steps=3", "training.checkpoint_every_steps=8",
            "optimizer.lr=1", "training.keep_checkpoints=1", "schedule.final_lr_fraction=1")  # fmt: skip
    done = command(*arguments(corpus, "run", *more))
    assert done.returncode == 0, done.stderr
    summary = read_json(tmp_path / "run" / "summary.json")
    measured = [(row["val/loss"], row["progress/step"]) for row in numbers(tmp_path / "run") if row.get("val/loss")]
    assert (summary["best/val_loss"], summary["best/step"]) == min(measured[1:]) != measured[-1]
    kept = {path.name for path in (tmp_path / "run" / "checkpoints").iterdir()}
    assert kept == {f"step-{summary['best/step']:08d}", "step-00000009"}


def test_a_refused_start_leaves_a_run_as_it_was(command: Command, corpus: Path, tmp_path: Path) -> None:
    assert command(*arguments(corpus, "run")).returncode == 0
    run = RunFolder(tmp_path / "run")
    before = {path: path.read_bytes() for path in (run.config, run.environment, run.status)}
    longer = arguments(corpus, "run", "training.steps=16")
    refused = command(*[word for word in longer if "prompts" not in word], f"sampling.prompts=['{'One day. ' * 20}']")
    assert refused.returncode == 2 and "shorten it" in refused.stderr
    assert {path: path.read_bytes() for path in before} == before
    assert command(*longer).returncode == 0
    assert numbers(run.path)[-1]["progress/step"] == 16, "a refused start does not pass for a finished one"

    run.config.unlink()  # which the message about a damaged one advises
    again = command(*longer)
    assert again.returncode == 0 and "story 3" in again.stderr, again.stderr


def test_a_refusal_removes_its_own_empty_folder_and_nobody_elses(
    command: Command, corpus: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    for run in ("mine", "new"):
        refused = command(*arguments(corpus, run, "sampling.prompts=['One day there was a cat and a dog and a boat']",
                                     "model.context_tokens=8"))  # fmt: skip
        assert refused.returncode == 2
        assert "shorten it" in refused.stderr
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
    assert not (tmp_path / "new").exists()


def test_two_jobs_of_a_sweep_are_two_separate_runs_in_one_process(
    command: Command, corpus: Path, tmp_path: Path
) -> None:
    base = [a for a in arguments(corpus, "") if not a.startswith(("hydra.run.dir", "model.n_layers"))]
    swept = command(*base, "-m", "model.n_layers=2,1")
    assert swept.returncode == 0, swept.stderr
    runs = sorted(tmp_path.glob("outputs/sweeps/run/*/summary.json"))
    assert len(runs) == 2
    alone = command(*arguments(corpus, "alone", "model.n_layers=1"))
    assert alone.returncode == 0
    second = next(run.parent for run in runs if read_config(RunFolder(run.parent)).model.n_layers == 1)
    assert numbers(second) == numbers(tmp_path / "alone"), "the first job leaves no trace in the second"
    assert weights(second) == weights(tmp_path / "alone")
    again = command(*base, "-m", "model.n_layers=2,1")
    assert again.returncode == 0 and len(list(tmp_path.glob("outputs/sweeps/run/*/summary.json"))) == 2


@pytest.mark.parametrize("kind", ["raise", "exit", "memory"])
def test_a_failing_job_of_train_m_leaves_the_others_running(
    command: Command, corpus: Path, tmp_path: Path, environment: dict[str, str], kind: str
) -> None:
    base = [a for a in arguments(corpus, "") if not a.startswith("hydra.run.dir")]
    register()
    victim = compose_config([*base[1:], "training.seed=0"]).sweep_folder.name
    environment["TSLM_FAULT"] = f"step:3:{kind}:{victim}"
    swept = command(*base, "-m", "training.seed=0,1")
    assert swept.returncode == 1
    assert swept.stderr.splitlines()[-1] == "tinystories-lm: 1 of 2 jobs failed, 1 done"
    statuses = {
        run.parent.name: json.loads(run.read_text()) for run in tmp_path.glob("outputs/sweeps/run/*/status.json")
    }
    assert statuses.pop(victim)["status"] == "failed"
    assert [status["status"] for status in statuses.values()] == ["done"]


def test_a_run_starts_with_the_weights_of_another(command: Command, corpus: Path, tmp_path: Path) -> None:
    assert command(*arguments(corpus, "first")).returncode == 0
    second = command(*arguments(corpus, "second", "training.init_from=first"))
    assert second.returncode == 0, second.stderr
    assert numbers(tmp_path / "second")[0]["val/loss"] == numbers(tmp_path / "first")[-1]["val/loss"]


REFUSALS = [
    (["training.stepz=5"], "did you mean training.steps"),
    (["experiment=rond1"], "did you mean round1"),
    (["experiment=round2", "hardware=cpu"], "it was published on an h100"),
    (["data.path=nowhere", "hardware=cpu"], "data.path=nowhere does not exist"),
    (["training.max_hours=1e-9", "hardware=cpu"], "training.max_hours"),
    (["--bogus"], "--bogus"),
    (["model=tiny,gpt_28m"], "add -m"),
    (["-m", "model.d_model=32,33"], "model.d_model=33"),
]


@pytest.mark.parametrize(("mistake", "words"), REFUSALS, ids=[" ".join(refusal[0]) for refusal in REFUSALS])
def test_a_mistake_is_one_line_with_exit_code_2_and_starts_nothing(
    command: Command, tmp_path: Path, mistake: list[str], words: str
) -> None:
    refused = command("train", *mistake)
    assert refused.returncode == 2, refused.stderr
    assert words in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1, refused.stderr
    assert not list(tmp_path.iterdir())


def test_a_run_that_diverges_stops_with_exit_code_6_and_its_last_good_checkpoint(
    command: Command, corpus: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    wild = [
        "optimizer.lr=9.99",
        "optimizer.weight_decay=9.9",
        "training.warmup_steps=0",
        "training.max_skipped_steps=3",
    ]
    ended = command(*arguments(corpus, str(run), *wild, "training.steps=40", "hardware.precision=float32"))
    assert ended.returncode == 6, ended.stderr
    said = ended.stderr.splitlines()[-1]
    assert re.search(
        r"diverged at step \d+: .*(4 times in a row|loss is nan); it begins in the (output|gradient) of \S+;", said
    )
    assert "Traceback" not in ended.stderr
    rows = read_metrics(RunFolder(run))
    assert rows and "NaN" not in (run / "metrics.jsonl").read_text()
    status = read_json(run / "status.json")
    assert status["status"] == "failed" and status["reason"].startswith("diverged at step")
    newest = max((run / "checkpoints").glob("step-*"))
    for tensor in load_file(newest / "model.safetensors").values():
        assert torch.isfinite(tensor).all()


def test_a_place_that_cannot_be_written_is_exit_code_5(command: Command, corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("a file where the folder would be")
    refused = command(*[a for a in arguments(corpus, "") if not a.startswith("hydra.run.dir")])
    assert refused.returncode == 5, refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    assert "cannot write" in refused.stderr
    named = command(*arguments(corpus, "outputs"))
    assert named.returncode == 5 and len(named.stderr.strip().splitlines()) == 1, named.stderr


def test_absent_hardware_is_named_with_what_to_type(command: Command) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("a GPU is there")
    refused = command("train", "hardware=h100")
    assert refused.returncode == 2
    assert "use hardware=" in refused.stderr


@pytest.mark.parametrize("more", [[], ["--resolve"]])
def test_the_shown_config_is_the_one_that_hydra_shows(command: Command, more: list[str]) -> None:
    """With a package named Hydra prints; without one we do."""
    settings = ["experiment=round2", "tracking.group=one", "sampling.prompts=['a, b']"]
    ours = command("train", "--cfg", "job", *more, *settings)
    theirs = command("train", "--cfg", "job", "--package", "_global_", *more, *settings)
    assert ours.returncode == 0 and ours.stdout == theirs.stdout and "group: one" in ours.stdout
    wrong = command("train", "--cfg", "job", "training.steps=0")
    assert wrong.returncode == 2 and not wrong.stdout and "training.steps=0" in wrong.stderr


def test_help_and_cfg_import_no_torch(environment: dict[str, str], tmp_path: Path) -> None:
    """Help of the other commands imports even less (tests/cli)."""
    program = (
        "import sys\n"
        "from tinystories_lm.cli.main import main\n"
        "for words in (['--help'], ['--cfg', 'job']):\n"
        "    sys.argv = ['tinystories-lm', 'train', *words]\n"
        "    try: main()\n"
        "    except SystemExit as end: assert not end.code, end.code\n"
        "    assert not {'torch', 'wandb', 'datasets'} & set(sys.modules), words"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "experiment" in done.stdout and "micro_batch_size: ${training.batch_size}" in done.stdout


def visible_gpu() -> str:
    import multiprocessing

    restrict_to_one_gpu(multiprocessing.current_process().name)
    return os.environ["CUDA_VISIBLE_DEVICES"]


def test_each_worker_of_joblib_sees_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    joblib = pytest.importorskip("joblib")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    found = joblib.Parallel(n_jobs=2, backend="loky")(joblib.delayed(visible_gpu)() for _ in range(8))
    assert set(found) == {"4", "7"}


def test_weights_of_a_model_with_other_settings_are_refused(command: Command, corpus: Path, tmp_path: Path) -> None:
    """Where the shapes agree they would load, and mean something else."""
    assert command(*arguments(corpus, "first")).returncode == 0
    refused = command(*arguments(corpus, "second", "training.init_from=first", "model.rope_theta=500"))
    assert refused.returncode == 2, refused.stderr
    assert "was trained with model.rope_theta=" in refused.stderr
    assert not (tmp_path / "second").exists()


def test_the_printed_commands_can_be_pasted(command: Command, corpus: Path, tmp_path: Path) -> None:
    own = tmp_path / "own presets" / "experiment"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text("# @package _global_\nname: mine\n")
    words = [word for word in arguments(corpus, "a run") if word.startswith(("data.path", "hydra.run.dir")) is False]
    typed = [words[0], "--config-dir", "own presets", "experiment=mine", *words[1:], f"data.path={corpus}"]
    done = command(*typed, "training.fresh=true", "hydra.run.dir=a run")
    assert done.returncode == 0, done.stderr
    sample, train = (shlex.split(line) for line in done.stderr.splitlines() if line.startswith("  tinystories-lm "))
    assert sample[1:3] == ["sample", "a run"] and command(*sample[1:], "--max-tokens", "1").returncode == 0
    longer = command(*train[1:])
    assert longer.returncode == 0 and "extended from 12 to 24" in longer.stderr, longer.stderr


def test_a_mode_of_hydra_is_what_m_is(command: Command, corpus: Path, tmp_path: Path) -> None:
    base = [a for a in arguments(corpus, "") if not a.startswith("hydra.run.dir")]
    assert (
        command(
            *[a for a in base if "steps=12" not in a], "hydra.mode=MULTIRUN", "training.seed=0,1", "training.steps=1"
        ).returncode
        == 0
    )
    assert len(list(tmp_path.glob("outputs/sweeps/run/*/summary.json"))) == 2
    assert not (tmp_path / "outputs" / "run").exists()


def test_a_redirected_output_has_the_lines_of_the_run_and_the_terminal_its_bar(
    corpus: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    master, terminal = os.openpty()
    words = [sys.executable, "-m", "tinystories_lm", *arguments(corpus, "run", "training.steps=2")]
    with (tmp_path / "out.log").open("w") as kept:
        started = subprocess.Popen(words, cwd=tmp_path, env=environment, stdout=kept, stderr=terminal)
    os.close(terminal)
    shown = b""
    with contextlib.suppress(OSError):  # a terminal that nobody holds any more
        while part := os.read(master, 4096):
            shown += part
    assert started.wait() == 0, shown
    lines = (tmp_path / "out.log").read_text()
    assert "val loss" in lines and "story 3" in lines and "verdict" in lines and b"story 3" not in shown
