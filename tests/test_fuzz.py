"""Twenty thousand broken inputs: each is read, or refused by an error of our own that is one line."""

import functools
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.interop.test_export import compose, make_run
from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.data.tokenizer import load_tokenizer
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.runs.checkpoint import check_checkpoint, load_weights
from tinystories_lm.runs.folder import RunFolder, choices_of, overrides_of, read_config
from tinystories_lm.runs.records import read_metrics, read_record, read_samples, read_summary
from tinystories_lm.runs.status import read_status_file
from tinystories_lm.system.errors import CommandError

WORDS = [b"0", b"-1", b"1e999", b"NaN", b"null", b"true", b'"', b"[", b"]", b"{", b"}", b":", b",", b"\n", b"\0",
         b"\xff", b"../", b"${x}", b"&a", b"*a", b"!!python", b"- ", b"9" * 30, b"\\u0000", b" ", b"a"]  # fmt: skip


def broken(choose: random.Random, content: bytes) -> bytes:
    """Remove, double, overwrite or insert one to six pieces of the content."""
    for _ in range(choose.randint(1, 6)):
        start = choose.randrange(len(content) + 1)
        end = min(len(content), start + choose.choice([0, 1, 1, 2, 8, 40]))
        other = choose.choice([b"", choose.choice(WORDS), choose.randbytes(end - start), content[start:end] * 2])
        content = content[:start] + other + content[end:]
    return content


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    run = make_run(tmp_path_factory.mktemp("fuzz") / "run")
    run.summary.write_text(
        '{"name": "a", "val/loss": 1.5, "val/perplexity": 4.5, "val/bits_per_byte": 0.7, "cost/usd": 0.0,'
        '"time/train_seconds": 3.0, "progress/step": 4, "progress/tokens": 99, "parameters": 5, "stories": ["Once."]}'
    )
    run.metrics.write_text('{"progress/step": 1, "progress/tokens": 10, "train/loss": 5.5}\n' * 3)
    run.samples.write_text('{"step": 1, "prompt": "One", "text": "One day", "settings": {}}\n' * 3)
    (run.path / ".hydra").mkdir()
    (run.path / ".hydra" / "overrides.yaml").write_text("- model=tiny\n- optimizer.lr=1e-3\n")
    (run.path / ".hydra" / "hydra.yaml").write_text(
        "hydra:\n  runtime:\n    choices:\n      model: tiny\n  verbose: 1\n"
    )
    return run


@functools.cache
def model_of(tokenizer: Path) -> Transformer:
    return Transformer(compose().model, vocab_size=load_tokenizer(tokenizer).get_vocab_size())


def weights_of(run: RunFolder) -> None:
    load_weights(run.checkpoints / "step-00000012", model_of(run.tokenizer))


def checkpoint_of(run: RunFolder) -> None:
    check_checkpoint(run.checkpoints / "step-00000012", run_id="abc")


READERS: list[tuple[str, Callable[[RunFolder], object], int]] = [
    ("environment.json", read_record, 3000),
    ("summary.json", read_summary, 3000),
    ("status.json", read_status_file, 2000),
    ("metrics.jsonl", read_metrics, 2000),
    ("samples.jsonl", read_samples, 2000),
    (".hydra/overrides.yaml", overrides_of, 2000),
    (".hydra/hydra.yaml", choices_of, 2000),
    ("config.yaml", read_config, 800),
    ("tokenizer.json", lambda run: load_tokenizer(run.tokenizer), 1000),
    ("checkpoints/step-00000012/manifest.json", checkpoint_of, 2000),
    ("checkpoints/step-00000012/state.json", checkpoint_of, 1000),
    ("checkpoints/step-00000012/model.safetensors", weights_of, 1000),
]


@pytest.mark.parametrize("share", [0.02, pytest.param(1.0, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("name", "read", "count"), READERS, ids=[f"{name} {count}" for name, _, count in READERS]
)  # fmt: skip
def test_a_broken_file_is_read_or_refused_in_one_line(
    run: RunFolder, tmp_path: Path, name: str, read: Callable[[RunFolder], object], count: int, share: float
) -> None:
    copy = RunFolder(Path(shutil.copytree(run.path, tmp_path / "run")))
    whole, refusals = (copy.path / name).read_bytes(), []
    read(copy)
    for number in range(int(count * share)):
        (copy.path / name).write_bytes(broken(random.Random(number), whole))
        try:
            read(copy)
        except CommandError as error:
            refusals.append(str(error))
    assert not [refusal for refusal in refusals if "\n" in refusal]
    tolerant = name in ("metrics.jsonl", "samples.jsonl", ".hydra/overrides.yaml", ".hydra/hydra.yaml")
    assert tolerant or len(refusals) > count * share / 4, "it does look"


@pytest.mark.parametrize("count", [20, pytest.param(500, marks=pytest.mark.slow)])
def test_a_broken_override_is_a_setting_or_refused_in_one_line(count: int) -> None:
    register()
    typed = [b"model=tiny", b"optimizer.lr=1e-3", b"training.steps=10", b"sampling.prompts=['a','b']", b"+sweep=seeds"]
    refusals = []
    for number in range(count):
        choose = random.Random(number)
        words = broken(choose, choose.choice(typed)).decode("utf-8", "replace")
        try:
            compose_config([words, "hardware=cpu"])
        except CommandError as error:
            refusals.append(str(error))
    assert len(refusals) > count / 4 and not [refusal for refusal in refusals if "\n" in refusal]
