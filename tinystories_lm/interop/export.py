"""The `export` command: write a run's model as a folder that transformers loads without custom code.

The folder gets its final name only after transformers has loaded it with the same logits and tokens.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor

from tinystories_lm.analysis.loss_curve import draw
from tinystories_lm.config.choices import Precision
from tinystories_lm.data.tokenizer import END_OF_TEXT
from tinystories_lm.generation.generate import write_texts
from tinystories_lm.generation.load import LoadedModel, load_model
from tinystories_lm.generation.text import Sample
from tinystories_lm.interop.gguf import require_gguf, require_gpt2_words, write_gguf
from tinystories_lm.interop.huggingface import generation_config, require_unused, stock_config, tensor_names
from tinystories_lm.interop.model_card import UNKNOWN, has_curve, licence_of, model_card
from tinystories_lm.model.flops import ParameterCount, count_parameters
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.runs.records import read_metrics
from tinystories_lm.system.errors import CannotWriteError, DamagedError, UsageError
from tinystories_lm.system.files import new_folder, write_text
from tinystories_lm.system.json_files import write_json

TOLERANCE = 1e-5  # largest difference between float32 logits
SAMPLES = 3
TEXTS = (  # both tokenizers must encode and decode these alike
    "Once upon a time, there was a little dog named Cookie. \"It's mine!\" she said , and wouldn 't share .",
    "  two spaces,\ttab,\r\nlines\n\n\n and a trailing space ",
    "naïve café, Ærøskøbing, Ελλάδα, 東京, e\u0301, \u200bzero width, 🐶👩‍👩‍👧",
    "",
)


class Exported(NamedTuple):
    folder: Path
    files: list[str]
    architecture: str
    parameters: ParameterCount
    precision: Precision
    logit_difference: float  # the largest between transformers' model and this program's, with the same weights

    def __str__(self) -> str:
        return (
            f"{self.folder}: {self.architecture}, {self.parameters}, {self.precision}: {', '.join(self.files)}; "
            f"read back by transformers, its logits differ by at most {self.logit_difference:.1e}"
        )


def export_run(name: str, folder: Path, *, precision: Precision, with_gguf: bool) -> Exported:
    """Write run `name` at its best checkpoint to `folder`, which must be new or empty.

    precision: dtype of the stored weights; `auto` means float32, as in training.

    Raises UsageError for a model that no class of transformers can represent or a missing package, and DamagedError if
    the folder, read back, differs from the run. No folder is left behind in either case.
    """
    require_unused(folder)
    transformers = _require_transformers()
    if with_gguf:
        require_gguf()
    trained = load_model(name)
    if with_gguf:
        require_gpt2_words(trained.tokenizer)
    dtype = torch.bfloat16 if precision is Precision.bfloat16 else torch.float32
    precision = Precision(str(dtype).removeprefix("torch."))
    vocab_size = trained.tokenizer.get_vocab_size()
    config = stock_config(trained.config.model, vocab_size=vocab_size, dtype=precision)
    tensors = stock_tensors(trained.model, dtype)
    samples = _write_samples(trained)
    with new_folder(folder.resolve()) as new:
        write_json(new / "config.json", config)
        write_json(new / "generation_config.json", generation_config(trained.config.sampling))
        _write_tokenizer(new, trained)
        _write_tensors(new, tensors)
        difference = _verify(transformers, new, trained.model, trained.tokenizer)
        if with_gguf:
            found, name = licence_of(trained.config.data), trained.config.name
            licence = "" if found is UNKNOWN else " AND ".join(found.ids)
            path = new / "model.gguf"
            write_gguf(path, trained.config.model, tensors, trained.tokenizer, name=name, licence=licence)
        _write_card(new, trained, samples, precision=precision, with_gguf=with_gguf)
        files = sorted(file.name for file in new.iterdir())
    parameters = count_parameters(trained.config.model, vocab_size=vocab_size)
    return Exported(folder, files, config["architectures"][0], parameters, precision, difference)


def _require_transformers() -> ModuleType:
    try:
        import transformers
    except ImportError as error:
        raise UsageError("export needs the package transformers: pip install -e '.[hf]'") from error
    return transformers


@torch.no_grad()
def stock_tensors(model: Transformer, dtype: torch.dtype) -> dict[str, Tensor]:
    """Return the tensors by their names in transformers; also round the model to `dtype` for the comparison.

    Raises UsageError naming a tensor that only one of the two models has.
    """
    names, parameters = tensor_names(model.config), dict(model.named_parameters())
    if set(names) != set(parameters):
        other = sorted(set(names) ^ set(parameters))[0]
        raise UsageError(f"{other}: no stock class of transformers has such a tensor: this run cannot be exported")
    for tensor in parameters.values():
        tensor.copy_(tensor.to(dtype))
    return {names[ours]: tensor.detach().to(dtype).contiguous() for ours, tensor in parameters.items()}


def _write_samples(trained: LoadedModel) -> list[Sample]:
    """Write samples with the exported weights; the run's own samples may come from another step or precision."""
    config = trained.config.sampling
    prompts = config.prompts[:SAMPLES] or [""]
    each = -(-SAMPLES // len(prompts))
    try:
        samples = write_texts(trained.model, trained.tokenizer, prompts, config, count=each)
    except UsageError:  # an imported model's context may be shorter than the prompts
        samples = write_texts(trained.model, trained.tokenizer, [""], config, count=SAMPLES)
    return samples[:SAMPLES]


def _write_tokenizer(folder: Path, trained: LoadedModel) -> None:
    """Copy the run's tokenizer.json and write the settings that transformers expects."""
    write_text(folder / "tokenizer.json", trained.run.tokenizer.read_text(encoding="utf-8"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END_OF_TEXT,
        "eos_token": END_OF_TEXT,
        "model_max_length": trained.config.model.context_tokens,
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
    }
    write_json(folder / "tokenizer_config.json", settings)


def _write_tensors(folder: Path, tensors: dict[str, Tensor]) -> None:
    path = folder / "model.safetensors"
    try:
        save_file(tensors, path, metadata={"format": "pt"})  # transformers refuses a file without it
    except SafetensorError as error:  # how safetensors reports a full disk
        raise CannotWriteError(f"cannot write {path.name}: {error}: free some space or name another folder") from error
    path.chmod((folder / "config.json").stat().st_mode)  # safetensors makes its files unreadable for other users


def _write_card(folder: Path, trained: LoadedModel, samples: list[Sample], *, precision: str, with_gguf: bool) -> None:
    rows = [row for row in read_metrics(trained.run) if row["progress/step"] <= trained.progress.step]
    if has_curve(rows):
        write_text(folder / "curve.svg", draw(rows, title=trained.config.name))
    card = model_card(trained, trained.progress, samples, rows, precision=precision, with_gguf=with_gguf)
    write_text(folder / "README.md", card)


def _verify(transformers: ModuleType, folder: Path, model: Transformer, tokenizer: Tokenizer) -> float:
    """Return the largest difference between the logits of the exported model and ours, over a context of random tokens.

    Raises DamagedError if it exceeds TOLERANCE or the tokenizers differ.
    """
    with _without_progress_bars(transformers):
        try:
            stock = transformers.AutoModelForCausalLM.from_pretrained(
                folder, dtype=torch.float32, local_files_only=True
            )
            stock_tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except Exception as error:  # transformers raises many types here
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            why = f"transformers cannot load the exported model ({reason}): nothing was written"
            raise DamagedError(why) from error
    assert [type(stock).__name__] == stock.config.architectures
    vocab_size, context = model.embedding.num_embeddings, model.config.context_tokens
    tokens = torch.randint(vocab_size, (1, context), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        difference = (model(tokens) - stock.eval()(tokens).logits).abs().max().item()
    if not difference <= TOLERANCE:  # also true for NaN
        raise DamagedError(
            f"the logits of the exported model differ from the run's by {difference:.2g}, more than {TOLERANCE:g}: "
            "nothing was written"
        )
    for text in TEXTS:
        ids = tokenizer.encode(text).ids
        if stock_tokenizer(text, verbose=False)["input_ids"] != ids or stock_tokenizer.decode(ids) != text:
            raise DamagedError(
                f"the exported tokenizer encodes {text!r} differently from the run's: nothing was written"
            )
    return difference


@contextlib.contextmanager
def _without_progress_bars(transformers: ModuleType) -> Iterator[None]:
    logging = transformers.utils.logging
    was_enabled = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_enabled:
            logging.enable_progress_bar()
