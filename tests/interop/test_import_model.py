"""A stock folder becomes a run that computes what the stock class computes, or it is refused by name."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from tests.conftest import Command
from tests.interop.test_export import compose, export, make_run
from tinystories_lm.config.choices import Precision
from tinystories_lm.config.schema import Config
from tinystories_lm.generation.generate import write_texts
from tinystories_lm.generation.load import load_model
from tinystories_lm.interop.export import export_run
from tinystories_lm.interop.import_model import import_run
from tinystories_lm.runs.checkpoint import check_checkpoint
from tinystories_lm.runs.folder import RunFolder, read_config
from tinystories_lm.runs.lookup import find_run
from tinystories_lm.runs.status import Status, read_status
from tinystories_lm.system.errors import CommandError, DamagedError, UsageError
from tinystories_lm.system.json_files import read_json

transformers: Any = pytest.importorskip("transformers", reason="the stock classes are in the dev extra")
TEXT = "One day, Tom saw a big red ball. It was old, naïve and 東京. The end."


@pytest.fixture(scope="module")
def config() -> Config:
    return compose()


def byte_level_bpe(*, specials: list[str], last: str | None = None) -> Tokenizer:
    """Train a typical third-party tokenizer, with `last` added after the BPE model's own vocabulary."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=290, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([TEXT] * 3, trainer)
    if last is not None:
        tokenizer.add_special_tokens([AddedToken(last, special=True)])
    return tokenizer


def stock_folder(
    folder: Path, kind: str = "Llama", *, eos: str = "</s>", dtype: str = "float32", **settings: Any
) -> Any:
    """Build a model and its tokenizer with transformers and tokenizers alone; eos is not entry 0."""
    tokenizer = byte_level_bpe(specials=["<pad>", "<unk>", "</s>"], last=eos if eos != "</s>" else None)
    torch.manual_seed(0)
    stock_config = getattr(transformers, f"{kind}Config")(
        **{
            "vocab_size": tokenizer.get_vocab_size(), "hidden_size": 32, "intermediate_size": 48,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 8,
            "max_position_embeddings": 32, "rms_norm_eps": 1e-6, "initializer_range": 0.2,
            "rope_parameters": {"rope_type": "default", "rope_theta": 500.0},
            "bos_token_id": None, "eos_token_id": tokenizer.token_to_id(eos), "pad_token_id": None, **settings,
        }
    )  # fmt: skip
    model = getattr(transformers, f"{kind}ForCausalLM")(stock_config).to(getattr(torch, dtype)).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" in name:
                weight.copy_(torch.rand_like(weight) + 0.5)
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return model


def swapped(ids: torch.Tensor, end: int) -> torch.Tensor:
    return torch.where(ids == 0, end, torch.where(ids == end, 0, ids))


@pytest.mark.parametrize("eos", ["</s>", "<|end|>"])
@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize("kind", ["Llama", "Qwen3"])
def test_a_stock_model_computes_the_same_here(tmp_path: Path, config: Config, kind: str, tie: bool, eos: str) -> None:
    stock = stock_folder(tmp_path / "stock", kind, eos=eos, tie_word_embeddings=tie)
    imported = import_run(tmp_path / "stock", tmp_path / "run", config)
    ours, end = load_model(str(tmp_path / "run")), stock.config.eos_token_id
    assert (imported.end_token, imported.end_id) == (eos, end) and end != 0
    ids = torch.randint(stock.config.vocab_size, (2, 32), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        theirs, found = stock(ids).logits, ours.model(swapped(ids, end))
    order = swapped(torch.arange(stock.config.vocab_size), end)
    torch.testing.assert_close(found[..., order], theirs, atol=1e-5, rtol=0)
    their_tokenizer = Tokenizer.from_file(str(tmp_path / "stock" / "tokenizer.json"))
    their_ids = torch.tensor(their_tokenizer.encode(TEXT).ids)
    assert ours.tokenizer.encode(TEXT).ids == swapped(their_ids, end).tolist()
    assert ours.tokenizer.decode(ours.tokenizer.encode(TEXT).ids) == TEXT
    assert their_tokenizer.token_to_id(eos) == end and ours.tokenizer.id_to_token(0) == "<|endoftext|>"


def test_the_run_folder_is_one_that_the_commands_read(tmp_path: Path, config: Config) -> None:
    stock_folder(tmp_path / "stock")
    import_run(tmp_path / "stock", tmp_path / "outputs" / "mine" / "run", config)
    run = find_run("mine", outputs=tmp_path / "outputs")
    assert read_status(run) is Status.DONE
    stored = read_config(run)
    assert (stored.model.n_layers, stored.model.rope_theta, stored.model.norm_eps) == (2, 500.0, 1e-6)
    assert stored.data.vocab_size == read_json(run.environment)["corpus"]["vocab_size"]
    assert (stored.data.name, stored.sampling) == (config.data.name, config.sampling)
    trained = load_model(str(run.path))
    check_checkpoint(trained.checkpoint, run_id=read_json(run.environment)["run_id"])
    assert len(write_texts(trained.model, trained.tokenizer, ["One day"], stored.sampling, count=2)) == 2
    assert read_json(run.environment)["imported_from"] == "stock"
    assert not {"val/loss", "val/perplexity", "cost/usd"} & set(read_json(run.summary))
    for file in (file for file in run.path.rglob("*") if file.is_file()):
        assert str(tmp_path).encode() not in file.read_bytes(), file


@pytest.mark.parametrize("precision", [Precision.float32, Precision.bfloat16])
def test_what_was_exported_comes_back_bit_for_bit(tmp_path: Path, config: Config, precision: Precision) -> None:
    run = make_run(tmp_path / "run", "model.qk_norm=true")
    export(run, tmp_path / "out", precision)
    imported = import_run(tmp_path / "out", tmp_path / "back", config)
    assert (imported.end_token, imported.end_id) == ("<|endoftext|>", 0)
    export_run(str(imported.run), tmp_path / "again", precision=precision, with_gguf=False)
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("out", "again"))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "out" / name).read_text() == (tmp_path / "again" / name).read_text()
    if precision is Precision.float32:
        ours, back = load_model(str(run.path)), load_model(str(imported.run))
        ids = torch.randint(ours.model.embedding.num_embeddings, (2, 32))
        assert torch.equal(ours.model(ids), back.model(ids))
    card = (tmp_path / "again" / "README.md").read_text()
    assert "imported from `out`" in card and "## Training" not in card


def test_neither_transformers_nor_a_network_is_needed(
    stock: Path, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    import_run(stock, stock.parent / "run", config)
    assert load_model(str(stock.parent / "run")).model.config.n_layers == 2


def test_a_context_too_short_for_the_prompts_is_exported_all_the_same(tmp_path: Path, config: Config) -> None:
    stock_folder(tmp_path / "stock", max_position_embeddings=4)
    sampling = dataclasses.replace(config.sampling, prompts=[TEXT])
    import_run(tmp_path / "stock", tmp_path / "run", dataclasses.replace(config, sampling=sampling))
    export(RunFolder(tmp_path / "run"), tmp_path / "out")
    assert (tmp_path / "out" / "README.md").read_text().count("~~~~~~text") == 3


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_narrow_weights_are_widened(tmp_path: Path, config: Config, dtype: str) -> None:
    stock = stock_folder(tmp_path / "stock", dtype=dtype)
    import_run(tmp_path / "stock", tmp_path / "run", config)
    weight = load_model(str(tmp_path / "run")).model.blocks[1].mlp.down.weight
    assert weight.dtype == torch.float32
    assert torch.equal(weight, stock.model.layers[1].mlp.down_proj.weight.float())


def test_the_older_form_of_the_config_and_weights_in_parts_are_read(tmp_path: Path, config: Config) -> None:
    stock = stock_folder(tmp_path / "stock")
    (tmp_path / "stock" / "model.safetensors").unlink()
    stock.save_pretrained(tmp_path / "stock", max_shard_size="20KB")
    assert not (tmp_path / "stock" / "model.safetensors").exists()
    change(tmp_path / "stock", {"rope_parameters": None, "rope_theta": 500, "rope_scaling": None, "head_dim": None})
    import_run(tmp_path / "stock", tmp_path / "run", config)
    ids = torch.randint(3, 250, (1, 32))
    ours = load_model(str(tmp_path / "run")).model
    torch.testing.assert_close(ours(ids)[..., 3:], stock(ids).logits[..., 3:], atol=1e-5, rtol=0)


def change(folder: Path, changes: dict[str, object], file: str = "config.json") -> None:
    """Replace keys of a JSON file; None removes them."""
    path = folder / file
    values = (json.loads(path.read_text()) if path.exists() else {}) | changes
    path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original") / "stock"
    stock_folder(folder)
    return folder


@pytest.fixture
def stock(original: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "stock"
    folder.mkdir()
    for file in original.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def refusal(stock: Path, config: Config, *, kind: type[CommandError] = UsageError) -> str:
    """Return the one-line error that refuses an import, and check that nothing is left behind."""
    run = stock.parent / "run"
    with pytest.raises(kind) as caught:
        import_run(stock, run, config)
    assert [path.name for path in stock.parent.iterdir()] == ["stock"]
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "gpt2"}, "model_type=gpt2"),
        ({"hidden_act": "gelu"}, "hidden_act=gelu"),
        ({"num_key_value_heads": 2}, "num_key_value_heads=2"),
        ({"attention_bias": True}, "attention_bias=True"),
        ({"mlp_bias": True}, "mlp_bias=True"),
        ({"head_dim": 16}, "head_dim=16"),
        ({"num_attention_heads": 32, "num_key_value_heads": 32, "head_dim": 1}, "hidden_size=32"),
        ({"num_attention_heads": "four"}, "num_attention_heads=four"),
        ({"rope_parameters": {"rope_type": "llama3", "rope_theta": 1e4}}, "rope_parameters.rope_type=llama3"),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "rope_scaling.rope_type=linear"),
        ({"rope_parameters": {"rope_theta": 1e4, "partial_rotary_factor": 0.5}}, "partial_rotary_factor=0.5"),
        ({"partial_rotary_factor": 0.25}, "partial_rotary_factor=0.25"),
        ({"rope_parameters": None}, "has no rope_theta"),
        ({"use_sliding_window": True, "sliding_window": 8}, "use_sliding_window=True"),
        ({"layer_types": ["full_attention", "sliding_attention"]}, "layer_types=['sliding_attention']"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantization_config="),
        ({"auto_map": {"AutoModelForCausalLM": "evil.Model"}}, "auto_map="),
        ({"vocab_size": 70_000}, "vocab_size=70000"),
        ({"vocab_size": 300}, "vocab_size=300: tokenizer.json has"),
        ({"hidden_size": None}, "has no hidden_size"),
        ({"rms_norm_eps": None}, "has no rms_norm_eps"),
        ({"max_position_embeddings": 0}, "context_tokens=0"),
        ({"eos_token_id": None}, "has no eos_token_id"),
        ({"eos_token_id": [2, 5]}, "eos_token_id=[2, 5]"),
        ({"eos_token_id": 9_999}, "eos_token_id=9999"),
        ({"model_type": "qwen3", "num_key_value_heads": None}, "num_key_value_heads=32"),
        ({"model_type": "qwen3", "head_dim": None}, "head_dim=128"),
        ({"model_type": "qwen3"}, "no tensor model.layers.0.self_attn.k_norm.weight"),
        ({"num_hidden_layers": 1}, "a tensor model.layers.1."),
        ({"num_hidden_layers": 3}, "no tensor model.layers.2."),
        ({"num_hidden_layers": 10**9}, "bytes of weights"),
        ({"intermediate_size": 2**40}, "bytes of weights"),
        ({"layer_types": 5}, "does not describe a model"),
        ({"layer_types": [["x"]]}, "does not describe a model"),
        ({"model_type": ["llama"]}, "does not describe a model"),
        ({"rms_norm_eps": 10**400}, "does not describe a model"),
        ({"intermediate_size": 40}, "mlp.gate_proj.weight is [48, 32]"),
        ({"tie_word_embeddings": True}, "tie_word_embeddings=true"),
    ],
)
def test_a_config_that_has_no_place_here_is_refused_by_its_key(
    stock: Path, config: Config, changes: dict[str, object], message: str
) -> None:
    change(stock, changes)
    if changes.get("eos_token_id", 0) is None:
        (stock / "generation_config.json").unlink()
    assert message in refusal(stock, config)


def test_the_end_of_a_text_may_stand_in_the_generation_config(stock: Path, config: Config) -> None:
    change(stock, {"eos_token_id": None})
    change(stock, {"eos_token_id": [2]}, "generation_config.json")
    assert import_run(stock, stock.parent / "run", config).end_token == "</s>"


def test_a_head_of_its_own_is_asked_for_where_it_is_not_tied(tmp_path: Path, config: Config) -> None:
    stock_folder(tmp_path / "stock", tie_word_embeddings=True)
    change(tmp_path / "stock", {"tie_word_embeddings": False})
    assert "no tensor lm_head.weight" in refusal(tmp_path / "stock", config)


def test_bad_weights_are_refused_by_name(stock: Path, config: Config) -> None:
    file, name = stock / "model.safetensors", "model.layers.1.mlp.up_proj.weight"
    tensors = load_file(file)
    save_file(tensors | {name: tensors[name].to(torch.int8)}, file)
    assert f"{name} is int8" in refusal(stock, config)
    tensors[name][2, 3] = float("nan")
    save_file(tensors, file)
    assert name in refusal(stock, config, kind=DamagedError)
    file.write_bytes(file.read_bytes()[:-5])
    assert "damaged" in refusal(stock, config, kind=DamagedError)
    file.rename(stock / "pytorch_model.bin")
    assert "pytorch_model.bin is a pickle" in refusal(stock, config)


def test_an_index_reaches_no_other_folder(stock: Path, config: Config) -> None:
    change(stock, {"weight_map": {"lm_head.weight": "../stock/model.safetensors"}}, "model.safetensors.index.json")
    assert "of this folder" in refusal(stock, config, kind=DamagedError)


def byte_fallback(tokenizer: dict[str, Any]) -> None:
    tokenizer["model"]["byte_fallback"] = True


def prefix_space(tokenizer: dict[str, Any]) -> None:
    tokenizer["pre_tokenizer"]["add_prefix_space"] = True


def missing_byte(tokenizer: dict[str, Any]) -> None:
    index = tokenizer["model"]["vocab"].pop("\u0120")
    tokenizer["model"]["vocab"]["something else"] = index


def begin(tokenizer: dict[str, Any]) -> None:
    template = processors.TemplateProcessing(single="</s> $A", special_tokens=[("</s>", 2)])
    tokenizer["post_processor"] = json.loads(template.__getstate__())


def not_special(tokenizer: dict[str, Any]) -> None:
    tokenizer["added_tokens"][0]["special"] = False


def two_ends(tokenizer: dict[str, Any]) -> None:
    tokenizer["model"]["vocab"]["<|endoftext|>"] = tokenizer["model"]["vocab"].pop("<pad>")
    tokenizer["added_tokens"][0]["content"] = "<|endoftext|>"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda tokenizer: tokenizer["model"].update(type="WordPiece"), "model.type=WordPiece"),
        (byte_fallback, "model.byte_fallback=True"),
        (lambda tokenizer: tokenizer["model"].update(unk_token="<unk>"), "model.unk_token=<unk>"),
        (lambda tokenizer: tokenizer.update(decoder=None), "decoder.type=None"),
        (lambda tokenizer: tokenizer.update(pre_tokenizer={"type": "Metaspace"}), "pre_tokenizer.type=Metaspace"),
        (lambda tokenizer: tokenizer.update(normalizer={"type": "NFC"}), "normalizer.type=NFC"),
        (lambda tokenizer: tokenizer.pop("model"), "not a byte-level BPE"),
        (prefix_space, "add_prefix_space=True"),
        (missing_byte, "256 bytes"),
        (begin, "post_processor.type=TemplateProcessing"),
        (not_special, "added_tokens='<pad>'"),
        (two_ends, "as another entry"),
        (
            lambda tokenizer: tokenizer.update(pre_tokenizer={"type": "Sequence", "pretokenizers": []}),
            "not a byte-level",
        ),
        (lambda tokenizer: tokenizer["model"]["vocab"].update(zzz="9"), "not a byte-level"),
        (lambda tokenizer: tokenizer["added_tokens"][0].update(id=[1]), "not a byte-level"),
    ],
)
def test_a_tokenizer_of_another_kind_is_refused_by_name(stock: Path, config: Config, damage: Any, message: str) -> None:
    tokenizer = json.loads((stock / "tokenizer.json").read_text())
    damage(tokenizer)
    (stock / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert message in refusal(stock, config)


def test_a_beginning_of_text_is_refused_by_name(stock: Path, config: Config) -> None:
    change(stock, {"add_bos_token": True}, "tokenizer_config.json")
    assert "add_bos_token=true" in refusal(stock, config)


def test_what_would_cut_or_fill_up_a_text_is_taken_out(stock: Path, config: Config) -> None:
    path = stock / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=64)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.save(str(path))
    import_run(stock, stock.parent / "run", config)
    ours = load_model(str(stock.parent / "run")).tokenizer
    assert ours.decode(ours.encode(TEXT).ids) == TEXT and len(ours.encode("a").ids) == 1


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json"])
def test_a_folder_without_its_files_is_refused_by_name(stock: Path, config: Config, file: str) -> None:
    (stock / file).write_text("{")
    assert file in refusal(stock, config, kind=DamagedError)
    (stock / file).unlink()
    assert f"has no {file}" in refusal(stock, config)


def test_what_a_tokenizer_calls_its_end_moves_no_cursor(stock: Path, tmp_path: Path, command: Command) -> None:
    file = stock / "tokenizer.json"
    file.write_text(file.read_text().replace("</s>", "\\u001b[2J</s>"))
    done = command("import", str(stock), "run")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout and "[2J</s>" in done.stdout


def test_a_run_that_is_there_is_kept(stock: Path, config: Config) -> None:
    run = RunFolder(stock.parent / "run")
    run.path.mkdir()
    run.summary.write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        import_run(Path("no such folder"), run.path, config)
    assert run.summary.read_text() == "mine"


def test_the_commands_import_sample_and_refuse_to_train_it(original: Path, tmp_path: Path, command: Command) -> None:
    made = command("import", str(original), "outputs/imported/one", "tracking=off")
    assert (made.returncode, made.stderr) == (0, ""), made.stderr
    told = command("sample", "imported", "--prompt", "One day", "--max-tokens", "4", "--json")
    assert told.returncode == 0 and json.loads(told.stdout)["prompt"] == "One day"
    train = command("train", "hydra.run.dir=outputs/imported/one", "tracking=off", "hardware=cpu")
    assert train.returncode == 2
    assert "holds an imported model" in train.stderr and train.stderr.count("\n") == 1
