"""The `sample` command: texts as they come and in order, the same ones however they are asked for."""

import io
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from tests.conftest import Command
from tests.generation.test_generate import PLAIN, with_
from tests.interop.test_export import make_run
from tinystories_lm.generation.decoder import Decoder
from tinystories_lm.generation.generate import begin_texts, write
from tinystories_lm.generation.sample import show, write_json_lines
from tinystories_lm.generation.text import Text
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.system.hashing import sha256_of
from tinystories_lm.system.json_files import read_json, write_json


class Terminal(io.StringIO):
    """Remembers what stood there at each flush."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def flush(self) -> None:
        self.seen.append(self.getvalue())


def texts_of(tokenizer: Tokenizer, *prompts: str, **controls: object) -> list[Text]:
    config = with_(max_tokens=9, **controls)
    return begin_texts(tokenizer, prompts, config, count=2, context_tokens=16)


def test_a_text_is_shown_as_it_comes_and_the_others_in_their_turn(model: Transformer, tokenizer: Tokenizer) -> None:
    texts, terminal = texts_of(tokenizer, "Once", "The"), Terminal()
    show(write(Decoder(model, 4), texts, PLAIN), texts, terminal)
    assert terminal.getvalue() == "\n\n".join(text.prompt + text.written for text in texts) + "\n"
    assert all(later.startswith(earlier) for earlier, later in zip(terminal.seen, terminal.seen[1:], strict=False))
    assert len(set(terminal.seen)) > 2, "as it comes, not at the end"


def test_json_has_a_line_for_each_text_in_order(model: Transformer, tokenizer: Tokenizer) -> None:
    texts, terminal = texts_of(tokenizer, "Once", "The", stop=["e"]), Terminal()
    write_json_lines(write(Decoder(model, 4), texts, PLAIN), texts, terminal)
    rows = [json.loads(line) for line in terminal.getvalue().splitlines()]
    assert [row["text"] for row in rows] == [text.prompt + text.written for text in texts]
    assert all(row["ended"] == text.ended for row, text in zip(rows, texts, strict=True))


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a folder with one run under outputs/."""
    folder = tmp_path_factory.mktemp("outputs")
    make_run(folder / "outputs" / "small" / "one")
    return folder


def test_a_seed_gives_the_same_text_every_time_alone_or_beside_others(outputs: Path, command: Command) -> None:
    asked = ("sample", str(outputs / "outputs/small/one"), "--prompt", "One day", "--max-tokens", "12", "--seed", "3")
    first, again, many = command(*asked), command(*asked), command(*asked, "--count", "3", "--json")
    assert first.returncode == 0, first.stderr
    assert first.stdout == again.stdout
    assert json.loads(many.stdout.splitlines()[0])["text"] + "\n" == first.stdout


def test_an_empty_prompt_gives_a_story_of_the_models_own(outputs: Path, command: Command) -> None:
    done = command("sample", str(outputs / "outputs/small/one"), "--prompt", "", "--max-tokens", "8")
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.strip()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--prompt", "ball " * 99], "shorten it"),
        (["--top-p", "0"], "top_p=0.0 must lie in (0, 1]"),
        (["--top-p", "nan"], "top_p=nan must lie in (0, 1]"),
        (["--temperature", "nan"], "temperature=nan must lie in [0, 100]"),
        (["--repetition-penalty", "inf"], "repetition_penalty=inf must be positive"),
        (["--min-p", "2"], "min_p=2.0 must lie in [0, 1]"),
        (["--no-repeat-ngram", "-1"], "no_repeat_ngram=-1 must not be negative"),
        (["--count", "0"], "count=0 must lie in 1 to 10000"),
        (["--stop", ""], "empty string"),
        (["--prompt", "caf\udce9"], "is not valid UTF-8"),
        (["--temperature", "1e-40"], "too small to divide by"),
        (["--grid", "--stop", "x"], "leave --stop"),
        (["--seed", "-1"], "seed=-1"),
        (["--precision", "float16"], "invalid choice"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(outputs: Path, command: Command, arguments: list[str], message: str) -> None:
    refused = command("sample", str(outputs / "outputs/small/one"), *arguments)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert message in refused.stderr and refused.stderr.count("\n") == 1


def test_a_run_without_a_checkpoint_is_one_line(tmp_path: Path, command: Command) -> None:
    run = make_run(tmp_path / "outputs" / "small" / "one")
    next(run.checkpoints.iterdir()).rename(tmp_path / "elsewhere")
    refused = command("sample", "small")
    assert refused.returncode == 2
    assert "has no checkpoint" in refused.stderr and refused.stderr.count("\n") == 1


def test_weights_that_are_not_finite_are_refused_by_the_tensors_name(tmp_path: Path, command: Command) -> None:
    run: RunFolder = make_run(tmp_path / "outputs" / "small" / "one")
    (checkpoint,) = run.checkpoints.glob("step-*")
    file, manifest = checkpoint / "model.safetensors", checkpoint / "manifest.json"
    tensors = load_file(file)
    tensors["blocks.1.mlp.up.weight"][3, 4] = torch.nan
    save_file(tensors, file)
    record = read_json(manifest)
    record["files"][file.name] = {"bytes": file.stat().st_size, "sha256": sha256_of(file)}
    write_json(manifest, record)
    refused = command("sample", "small")
    assert refused.returncode == 3
    assert "blocks.1.mlp.up.weight has values that are not finite" in refused.stderr
