"""Plans: what a run would be, by arithmetic, before it is paid for."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import SMALL_RUN, Command
from tests.data.test_corpus import REAL_DATA, needs_real_data
from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.data.tokenizer import train_tokenizer
from tinystories_lm.planning.plan import Plan, describe, guess_corpus_tokens, make_plan


def plan_of(*overrides: str, corpus_tokens: int | None = None) -> Plan:
    register()
    return make_plan(compose_config(list(overrides)).config, corpus_tokens=corpus_tokens)


def test_round_2_on_an_h100_is_what_was_published() -> None:
    plan = plan_of("experiment=round2")
    (h100,) = (machine for machine in plan.machines if machine.hardware == "h100")
    assert plan.tokens == 15_000 * 64 * 512
    assert h100.seconds == pytest.approx(6 * 60, rel=0.05) and h100.dollars == pytest.approx(0.30, rel=0.05)
    assert plan.tokens_per_parameter == pytest.approx(16.9, abs=0.1)
    assert plan.flops_per_token.total == pytest.approx(175e6, rel=0.01)


def test_the_first_round_is_called_data_bound_before_it_runs() -> None:
    (first, *_) = plan_of("experiment=round1").warnings
    assert first == (
        "wikitext2 has about 3.1M tokens for 29.1M parameters; 20 per parameter would be 582M: expect a data-bound run"
    )


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["experiment=round2", "training.steps=100"], "expect an undertrained run"),
        (["training.steps=100000"], "repeated tokens teach little"),
        (["training.steps=200000"], "a larger model would learn more"),
        (["optimizer.lr=5e-3"], "often diverge"),
        (["training.eval_every_steps=10"], "raise training.eval_every_steps"),
    ],
)
def test_each_waste_has_its_warning_and_only_its_own(overrides: list[str], said: str) -> None:
    assert any(said in warning for warning in plan_of(*overrides).warnings)
    assert not any(said in warning for warning in plan_of("training.steps=2400").warnings)


def test_a_corpus_that_was_counted_is_no_guess() -> None:
    assert "about" not in plan_of("experiment=round1", corpus_tokens=3_100_000).warnings[0]
    assert plan_of("experiment=round2", corpus_tokens=491_520_000).epochs == 1.0


def test_the_command_imports_no_torch_and_answers_programs(
    command: Command, corpus: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    shown = command("plan", *SMALL_RUN, f"data.path={corpus}", "--json")
    assert shown.returncode == 0, shown.stderr
    found = json.loads(shown.stdout)
    assert found["tokens"] == 12 * 4 * 32 and found["corpus_tokens"] == round(
        (corpus / "train.txt").stat().st_size / 1.5  # bytes per token of 300 entries
    )
    assert not list(tmp_path.iterdir()), "a plan leaves nothing behind"
    script = "import sys\nfrom tinystories_lm.cli.main import run\nrun(['plan'])\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, env=environment, capture_output=True)
    wrong = command("plan", "experiment=rond1")
    assert wrong.returncode == 2 and "did you mean round1" in wrong.stderr


def test_a_calibration_is_remembered_for_its_own_shape_only(command: Command, corpus: Path) -> None:
    line = ["plan", *SMALL_RUN, f"data.path={corpus}", "--json"]
    here = [word for word in line if not word.startswith("hardware")]  # what is here, which only --calibrate settles
    first = json.loads(command(*here, "--calibrate").stdout)["machines"][0]
    assert first["basis"].startswith("measured here") and first["seconds"] > 0
    again = json.loads(command(*here).stdout)["machines"][0]
    assert again["basis"] == first["basis"] and again["seconds"] == first["seconds"]
    other = command(*[word for word in here if not word.startswith("model.d_ff")], "model.d_ff=96")
    assert json.loads(other.stdout)["machines"][0]["seconds"] is None


def test_the_text_names_every_hardware_with_a_known_peak() -> None:
    plan = plan_of("experiment=round4")
    text = describe(plan)
    for word in ("91.2M parameters", "a100", "h100", "h200", "rtx4090", "Chinchilla: 20", "activations"):
        assert word in text


@needs_real_data
@pytest.mark.parametrize("vocab_size", [512, pytest.param(2048, marks=pytest.mark.slow), 8192])
def test_the_guess_of_tokens_follows_the_vocabulary_and_the_text_in_a_table(tmp_path: Path, vocab_size: int) -> None:
    """Within 1.5 of a count, on the first megabytes of TinyStories."""
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    text = (REAL_DATA / "tinystories" / "train-v2-head.txt").read_text(encoding="utf-8")[:2_000_000]
    stories = text.split("<|endoftext|>")
    rows, lines = tmp_path / "rows", tmp_path / "lines"
    for folder in (rows, lines):
        folder.mkdir()
    for name, part in (("train", stories), ("valid", stories[:20])):
        parquet.write_table(pyarrow.table({"text": part}), rows / f"{name}.parquet", compression="zstd")
        (lines / f"{name}.txt").write_text("<|endoftext|>".join(part), encoding="utf-8")
    tokenizer = train_tokenizer(stories, vocab_size, allow_smaller_vocabulary=True)
    counted = sum(len(encoding.ids) + 1 for encoding in tokenizer.encode_batch(stories))
    register()
    for folder in (rows, lines):
        config = compose_config([f"data.path={folder}", f"data.vocab_size={vocab_size}"]).config
        assert 1 / 1.5 < guess_corpus_tokens(config) / counted < 1.5, folder.name
