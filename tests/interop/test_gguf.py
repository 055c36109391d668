"""A GGUF file holds the model that was exported, as another program's reader sees it."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.interop.test_export import make_run
from tinystories_lm.config.choices import Precision
from tinystories_lm.generation.load import load_model
from tinystories_lm.interop.export import export_run
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.system.errors import DamagedError, UsageError
from tinystories_lm.system.hashing import sha256_of

gguf: Any = pytest.importorskip("gguf", reason="gguf is in the dev extra")
transformers: Any = pytest.importorskip("transformers", reason="export needs transformers")
loader: Any = pytest.importorskip("transformers.modeling_gguf_pytorch_utils")


def export(run: RunFolder, folder: Path, precision: Precision = Precision.float32) -> Path:
    export_run(str(run.path), folder, precision=precision, with_gguf=True)
    return folder / "model.gguf"


@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize("qk_norm", [False, True])
def test_transformers_own_reader_of_gguf_computes_the_same(tmp_path: Path, qk_norm: bool, tie: bool) -> None:
    run = make_run(tmp_path / "run", f"model.qk_norm={qk_norm}", f"model.tie_embeddings={tie}")
    path = export(run, tmp_path / "out")
    stock = transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.from_pretrained(tmp_path / "out"))
    read = loader.load_gguf_checkpoint(path, return_tensors=True, model_to_load=stock)
    left_out = stock.load_state_dict(read["tensors"], strict=False)
    assert left_out.missing_keys == (["lm_head.weight"] if tie else []) and not left_out.unexpected_keys
    ours = load_model(str(run.path)).model
    ids = torch.randint(ours.embedding.num_embeddings, (2, 32), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(stock.eval()(ids).logits, ours(ids), atol=1e-5, rtol=0)


def test_the_file_tells_what_a_reader_needs_to_know(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    reader = gguf.GGUFReader(export(run, tmp_path / "out", Precision.bfloat16))
    found = {name: field.contents() for name, field in reader.fields.items()}
    wanted = {
        "general.architecture": "llama",
        "general.name": "run",
        "general.license": "mit",
        "general.file_type": 32,
        "llama.context_length": 32,
        "llama.embedding_length": 32,
        "llama.block_count": 2,
        "llama.feed_forward_length": 64,
        "llama.attention.head_count": 2,
        "llama.attention.head_count_kv": 2,
        "llama.rope.dimension_count": 16,
        "llama.rope.freq_base": 10_000.0,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.eos_token_id": 0,
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.add_bos_token": False,
    }
    assert {key: found.get(key) for key in wanted} == wanted
    assert found["llama.attention.layer_norm_rms_epsilon"] == pytest.approx(1e-5)
    stored = json.loads(run.tokenizer.read_text())["model"]
    assert found["tokenizer.ggml.tokens"] == sorted(stored["vocab"], key=lambda token: stored["vocab"][token])
    assert found["tokenizer.ggml.merges"] == [" ".join(merge) for merge in stored["merges"]]
    types = found["tokenizer.ggml.token_type"]
    assert types[0] == gguf.TokenType.CONTROL and set(types[1:]) == {gguf.TokenType.NORMAL}
    forms = {tensor.name: tensor.tensor_type.name for tensor in reader.tensors}
    assert forms["blk.1.attn_q.weight"] == forms["token_embd.weight"] == "BF16"
    assert forms["blk.1.attn_norm.weight"] == forms["output_norm.weight"] == "F32"
    embedding = next(tensor for tensor in reader.tensors if tensor.name == "token_embd.weight")
    read = torch.from_numpy(embedding.data.copy()).view(torch.bfloat16)
    assert torch.equal(read, load_model(str(run.path)).model.embedding.weight.to(torch.bfloat16))


def test_a_file_that_reads_back_otherwise_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "made" / "run")
    close = gguf.GGUFWriter.close

    def damage(writer: Any) -> None:
        close(writer)
        content = bytearray(writer.path.read_bytes())
        content[-500] ^= 1
        writer.path.write_bytes(content)

    monkeypatch.setattr(gguf.GGUFWriter, "close", damage)
    with pytest.raises(DamagedError, match=r"model.gguf, read back, differs in \w+"):
        export(run, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_without_the_package_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(UsageError, match=r"pip install -e '\.\[gguf\]'"):
        export_run("no such run", tmp_path / "out", precision=Precision.float32, with_gguf=True)


def test_words_cut_otherwise_than_gpt2_are_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    stored = json.loads(run.tokenizer.read_text())
    cuts = [{"type": "Digits", "individual_digits": True}, stored["pre_tokenizer"]]
    run.tokenizer.write_text(json.dumps(stored | {"pre_tokenizer": {"type": "Sequence", "pretokenizers": cuts}}))
    corpus = {"tokenizer_sha256": sha256_of(run.tokenizer), "vocab_size": 300}
    run.environment.write_text(json.dumps({"run_id": "abc", "pieces": [], "corpus": corpus}))
    with pytest.raises(UsageError, match="pre_tokenizer.type=Sequence"):
        export(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()
