"""An exported run is what stock transformers loads: the same logits, tokens and texts, or no folder at all."""

import json
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from tests.conftest import SMALL_RUN, WarmProcess, clean_environment
from tests.model.test_transformer import SMALL, with_
from tinystories_lm.config.choices import Precision
from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.config.schema import Config, ModelConfig
from tinystories_lm.data.tokenizer import train_tokenizer
from tinystories_lm.generation.load import load_model
from tinystories_lm.interop import export as module
from tinystories_lm.interop.export import export_run
from tinystories_lm.interop.huggingface import stock_config, tensor_names
from tinystories_lm.interop.model_card import licence_of
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.runs.checkpoint import Progress, save_checkpoint
from tinystories_lm.runs.folder import RunFolder, write_config
from tinystories_lm.runs.records import read_metrics
from tinystories_lm.runs.status import Status, write_status
from tinystories_lm.system.errors import DamagedError, UsageError
from tinystories_lm.system.hashing import sha256_of
from tinystories_lm.system.json_files import write_json
from tinystories_lm.training.optimizer import build_optimizer

transformers: Any = pytest.importorskip("transformers", reason="the stock classes are in the dev extra")
TEXTS = [
    "One day, Tom saw a big tree and was glad. The end.",
    " a leading space",
    "two  spaces , and a comma ; don 't clean up !",
    "naïve 東京 🐶 e\u0301\n\n\tend ",
    "",
]


def compose(*overrides: str) -> Config:
    register()
    return compose_config([*SMALL_RUN, *overrides]).config


def make_run(folder: Path, *overrides: str, wide: float = 3.0) -> RunFolder:
    """Write a run folder as `train` leaves it, with weights far from zero and no training."""
    config = compose(*overrides)
    run = RunFolder(folder)
    run.path.mkdir(parents=True)
    write_config(run, config)
    tokenizer = train_tokenizer(
        ["One day, Tom saw a big red ball. It was old. The end."] * 3, 300, allow_smaller_vocabulary=True
    )
    tokenizer.save(str(run.tokenizer))
    corpus = {"tokenizer_sha256": sha256_of(run.tokenizer), "vocab_size": tokenizer.get_vocab_size()}
    write_json(run.environment, {"run_id": "abc", "pieces": [], "corpus": corpus})
    model = Transformer(config.model, vocab_size=tokenizer.get_vocab_size())
    model.initialise(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(wide if weight.dim() > 1 else 1.1)
    optimizer = build_optimizer(model, config.optimizer, device=torch.device("cpu"))
    save_checkpoint(run.checkpoints, model, optimizer, Progress(step=12), run_id="abc", keep=1)
    write_status(run, Status.DONE, reason="", step=12)
    return run


def export(run: RunFolder, folder: Path, precision: Precision = Precision.float32) -> module.Exported:
    return export_run(str(run.path), folder, precision=precision, with_gguf=False)


def stock_model(folder: Path) -> Any:
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@pytest.mark.parametrize("precision", [Precision.float32, Precision.bfloat16])
@pytest.mark.parametrize("qk_norm", [False, True])
@pytest.mark.parametrize("tie", [False, True])
def test_stock_transformers_computes_the_same(tmp_path: Path, tie: bool, qk_norm: bool, precision: Precision) -> None:
    run = make_run(tmp_path / "run", f"model.tie_embeddings={tie}", f"model.qk_norm={qk_norm}")
    exported = export(run, tmp_path / "out", precision)
    stock = stock_model(tmp_path / "out")
    assert type(stock).__name__ == ("Qwen3ForCausalLM" if qk_norm else "LlamaForCausalLM")
    ours = load_model(str(run.path)).model
    with torch.no_grad():
        for weight in ours.parameters():
            weight.copy_(weight.to(getattr(torch, precision)))
        ids = torch.randint(ours.embedding.num_embeddings, (2, 32), generator=torch.Generator().manual_seed(1))
        torch.testing.assert_close(stock(ids).logits, ours(ids), atol=1e-5, rtol=0)
        written = ids[:1, :5]
        for _ in range(8):
            written = torch.cat((written, ours(written)[:, -1:].argmax(dim=-1)), dim=1)
    told = stock.generate(ids[:1, :5], do_sample=False, repetition_penalty=1.0, max_new_tokens=8, eos_token_id=-1)
    assert told.tolist() == written.tolist()
    tensors = load_file(tmp_path / "out" / "model.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {getattr(torch, precision)}
    assert ("lm_head.weight" in tensors) is not tie
    assert sum(tensor.numel() for tensor in tensors.values()) == exported.parameters.total
    assert json.loads((tmp_path / "out" / "config.json").read_text())["dtype"] == precision
    assert exported.logit_difference <= 1e-5
    assert stock.get_input_embeddings().padding_idx is None, "the end of a text keeps its gradient"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return make_run(tmp_path_factory.mktemp("made") / "run")


@pytest.fixture(scope="module")
def exported(run: RunFolder) -> Path:
    folder = run.path.parent / "out"
    export(run, folder)
    return folder


@pytest.mark.parametrize("text", TEXTS)
def test_the_stock_tokenizer_reads_and_writes_as_ours(run: RunFolder, exported: Path, text: str) -> None:
    stock, ours = transformers.AutoTokenizer.from_pretrained(exported), load_model(str(run.path)).tokenizer
    ids = ours.encode(text).ids
    assert stock(text)["input_ids"] == ids
    assert stock.decode(ids) == ours.decode(ids) == text
    assert (stock.eos_token_id, stock.bos_token_id, stock.pad_token_id, stock.model_max_length) == (0, 0, None, 32)
    assert stock.decode([0, *ids], skip_special_tokens=True) == text
    assert stock.clean_up_tokenization_spaces is False  # transformers 4 would take " ," for ","


@pytest.mark.parametrize(
    ("overrides", "wanted"),
    [
        ([], {"do_sample": True, "temperature": 0.8, "top_p": 0.95, "top_k": 0, "repetition_penalty": 1.3}),
        (["sampling=greedy"], {"do_sample": False, "repetition_penalty": None, "no_repeat_ngram_size": None}),
        (
            ["sampling.top_k=7", "sampling.min_p=0.1", "sampling.no_repeat_ngram=3"],
            {"top_k": 7, "min_p": 0.1, "no_repeat_ngram_size": 3},
        ),
    ],
)
def test_the_runs_sampling_settings_are_generates_own(
    tmp_path: Path, overrides: list[str], wanted: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    export(make_run(tmp_path / "run", *overrides), tmp_path / "out")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stock = stock_model(tmp_path / "out")
        told = stock.generate()  # no prompt: a text of its own
    found = stock.generation_config
    assert wanted == {key: getattr(found, key) for key in wanted}
    assert (found.max_new_tokens, found.eos_token_id, found.pad_token_id) == (8, 0, 0)
    assert told[0, 0] == 0 and told.shape[1] <= 9
    assert not caplog.records


def test_a_failed_comparison_leaves_nothing_behind(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(tensors: dict[str, torch.Tensor], path: Path, **options: Any) -> None:
        wrong = tensors["model.layers.1.mlp.up_proj.weight"].clone()
        wrong[3] += 0.01
        save_file(tensors | {"model.layers.1.mlp.up_proj.weight": wrong}, path, **options)

    monkeypatch.setattr(module, "save_file", save)
    with pytest.raises(DamagedError, match="logits .* differ"):
        export(run, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_tokenizer_that_encodes_differently_leaves_nothing_behind(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = module._write_tokenizer

    def write_wrong(folder: Path, trained: Any) -> None:
        write(folder, trained)
        path = folder / "tokenizer.json"
        path.write_text(path.read_text().replace('"add_prefix_space": false', '"add_prefix_space": true'))
        path.write_text(path.read_text().replace('"add_prefix_space":false', '"add_prefix_space":true'))

    monkeypatch.setattr(module, "_write_tokenizer", write_wrong)
    with pytest.raises(DamagedError, match="tokenizer encodes"):
        export(run, tmp_path / "out")
    assert not list(tmp_path.iterdir())


@dataclass(kw_only=True)
class LaterConfig(ModelConfig):
    window_tokens: int


def test_a_setting_that_no_stock_class_has_is_refused_by_name() -> None:
    values = {name: getattr(SMALL, name) for name in SMALL.__dataclass_fields__}
    with pytest.raises(UsageError, match=r"model\.window_tokens=8: no stock class"):
        stock_config(LaterConfig(**values, window_tokens=8), vocab_size=97, dtype="float32")


def test_a_tensor_that_no_stock_class_has_is_refused_by_name() -> None:
    model = Transformer(SMALL, vocab_size=97)
    model.blocks[1].scale = torch.nn.Parameter(torch.ones(3))
    with pytest.raises(UsageError, match=r"blocks\.1\.scale: no stock class"):
        module.stock_tensors(model, torch.float32)


@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize("qk_norm", [False, True])
def test_every_tensor_has_its_stock_name(tie: bool, qk_norm: bool) -> None:
    config = with_(SMALL, tie_embeddings=tie, qk_norm=qk_norm)
    names = tensor_names(config)
    assert list(names) and set(names) == set(dict(Transformer(config, vocab_size=97).named_parameters()))
    stock = transformers.AutoConfig.for_model(**stock_config(config, vocab_size=97, dtype="float32"))
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(stock)
    assert set(names.values()) == set(dict(model.named_parameters()))


def test_a_folder_that_holds_something_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        export_run("no such run", tmp_path / "out", precision=Precision.float32, with_gguf=False)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="not a folder"):
        export_run("no such run", tmp_path / "file", precision=Precision.float32, with_gguf=False)
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"


def test_an_empty_folder_is_filled(run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert "config.json" in export(run, tmp_path / "out").files


def test_without_transformers_one_line_says_what_to_install(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UsageError, match=r"pip install -e '\.\[hf\]'"):
        export(run, tmp_path / "out")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, corpus: Path, warm_process: WarmProcess) -> RunFolder:
    """Train with the real command, evaluating more often than the card has rows."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    places = [f"hydra.run.dir={folder}", f"data.path={corpus}", f"data.cache_dir={folder.parent / 'cache'}"]
    kept = [override for override in SMALL_RUN if not override.startswith(("training.steps", "training.eval_every"))]
    often = ["training.steps=20", "training.eval_every_steps=1"]
    done = warm_process.run(["train", *kept, *places, *often], folder.parent, clean_environment(), timeout=120)
    assert done.returncode == 0, done.stderr
    return RunFolder(folder)


def test_the_card_has_the_figures_of_the_exported_checkpoint_and_no_places(trained: RunFolder, tmp_path: Path) -> None:
    trained.summary.unlink()  # as of a run that is not at its end
    later = {"progress/step": 999, "progress/tokens": 1, "val/loss": 1.0, "val/perplexity": 2.7}
    with trained.metrics.open("a") as file:
        file.write(json.dumps(later) + "\n")
    export(trained, tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    front = yaml.safe_load(card.split("---")[1])
    assert front["license"] == ["unknown"], "a corpus of the user's own"
    assert (front["library_name"], front["pipeline_tag"]) == ("transformers", "text-generation")
    step = int(load_model(str(trained.path)).checkpoint.name.removeprefix("step-"))
    rows = {row["progress/step"]: row for row in read_metrics(trained) if "val/loss" in row}
    assert f"| validation loss | {rows[step]['val/loss']:.4f} nats per token |" in card
    assert f"| bits per byte | {rows[step]['val/bits_per_byte']:.4f} |" in card
    assert card.count("~~~~~~text\nOne day") == 3
    assert "| 999 |" not in card, "after the exported checkpoint"
    curve = card.split("| step | tokens | validation loss | perplexity |")[1].split("\n\n")[0].splitlines()[2:]
    assert len(curve) == 12 and curve[0].startswith("| 0 |") and curve[-1].startswith(f"| {step} |")
    assert (tmp_path / "out" / "curve.svg").is_file() and "(curve.svg)" in card
    for file in (tmp_path / "out").iterdir():
        assert str(trained.path.parent.parent).encode() not in file.read_bytes(), file


@pytest.mark.parametrize(
    ("overrides", "licence"),
    [
        (["data=tinystories"], ["cdla-sharing-1.0"]),
        (["data=tinystories", "data.path=corpus"], ["cdla-sharing-1.0"]),
        (["data=wikitext2"], ["cc-by-sa-3.0", "gfdl"]),
        (["data=stories"], ["mit"]),
        (["data=stories", "data.path=corpus"], ["unknown"]),
    ],
)
def test_the_card_names_the_licence_of_the_corpus(overrides: list[str], licence: list[str]) -> None:
    assert list(licence_of(compose(*overrides).data).ids) == licence
