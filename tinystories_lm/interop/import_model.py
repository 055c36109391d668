"""The `import` command: convert a folder with a Llama-shaped model to a run folder, to evaluate and sample it.

transformers is not needed: config.json, safetensors and tokenizer.json are read directly, and no code from the folder
is executed.
"""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from tinystories_lm.config.fingerprint import config_hash
from tinystories_lm.config.schema import Config, ModelConfig
from tinystories_lm.data.tokenizer import END_OF_TEXT, END_OF_TEXT_ID, load_tokenizer
from tinystories_lm.interop.huggingface import CONFIG_FILE, read_stock_config, require_unused, tensor_names
from tinystories_lm.interop.import_tokenizer import OwnTokenizer, own_tokenizer
from tinystories_lm.model.flops import ParameterCount, count_parameters
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.runs.checkpoint import Progress, save_checkpoint
from tinystories_lm.runs.folder import RunFolder, new_run_id, write_config
from tinystories_lm.runs.records import write_record
from tinystories_lm.runs.schemas import CorpusRecord, EndOfText, RunRecord, Summary
from tinystories_lm.runs.status import Status, write_status
from tinystories_lm.system.errors import DamagedError, UsageError
from tinystories_lm.system.files import new_folder, write_text
from tinystories_lm.system.hashing import sha256_of
from tinystories_lm.system.json_files import read_json, write_sealed
from tinystories_lm.training.optimizer import build_optimizer

LARGEST_VOCABULARY = 65_536  # token ids are stored as uint16
LEAST_BYTES_PER_WEIGHT = 2
READ_DTYPES = (torch.float32, torch.bfloat16, torch.float16)
LEFT_OUT = ".rotary_emb.inv_freq"  # older folders store these; they follow from rope_theta


class Imported(NamedTuple):
    run: Path
    parameters: ParameterCount
    end_token: str  # the source's name of the end-of-text token
    end_id: int

    def __str__(self) -> str:
        moved = (self.end_token, self.end_id) != (END_OF_TEXT, END_OF_TEXT_ID)
        was = f"; its end of text {self.end_token} ({self.end_id}) became {END_OF_TEXT} ({END_OF_TEXT_ID})"
        return f"{self.run}: {self.parameters}" + (was if moved else "")


def import_run(source: Path, run: Path, config: Config) -> Imported:
    """Convert the model in `source` to the run folder `run`, which must be new or empty.

    config: how the model is evaluated and sampled; its model section is replaced.

    Raises UsageError naming the key, the tensor or the part of the tokenizer that this program cannot represent, and
    DamagedError for broken files. No folder is left behind in either case.
    """
    require_unused(run)
    if not (source / CONFIG_FILE).is_file():
        raise UsageError(f"{source} has no {CONFIG_FILE}: name a folder that holds a model")
    stock = read_json((source / CONFIG_FILE).resolve())
    try:
        model_config, vocab_size = read_stock_config(stock)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:  # a value of an unexpected type
        raise UsageError(
            f"{CONFIG_FILE} does not describe a model: {error!r}; name a folder with a Llama-shaped model"
        ) from error
    if vocab_size > LARGEST_VOCABULARY:
        raise UsageError(f"{CONFIG_FILE}: vocab_size={vocab_size}: this program supports at most {LARGEST_VOCABULARY}")
    tokenizer = own_tokenizer(source, end_id=_end_id(source, stock), vocab_size=vocab_size)
    model = _load(source, model_config, vocab_size, end_id=tokenizer.end_id)
    data = dataclasses.replace(config.data, vocab_size=vocab_size)
    config = dataclasses.replace(config, model=model_config, data=data)
    with new_folder(run.resolve()) as new:
        _write_run(RunFolder(new), config, model, tokenizer, source.resolve().name)
    return Imported(run, count_parameters(model_config, vocab_size=vocab_size), tokenizer.end_token, tokenizer.end_id)


def _end_id(source: Path, stock: dict[str, Any]) -> int:
    """Read the id of the end-of-text token from config.json or generation_config.json."""
    found, where = stock.get("eos_token_id"), CONFIG_FILE
    if found is None and (source / "generation_config.json").is_file():
        where = "generation_config.json"
        found = read_json((source / where).resolve()).get("eos_token_id")
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if found is None:
        raise UsageError(f"{CONFIG_FILE} has no eos_token_id, which marks the end of a text: add it")
    if type(found) is not int:
        raise UsageError(f"{where}: eos_token_id={found}: this program supports one end of text: keep one entry")
    return found


def _load(source: Path, config: ModelConfig, vocab_size: int, *, end_id: int) -> Transformer:
    """Load the model in float32, with rows 0 and `end_id` of the embedding and the head swapped."""
    _check_sizes(source, count_parameters(config, vocab_size=vocab_size).total)
    with torch.device("meta"):
        model = Transformer(config, vocab_size=vocab_size)
    model.materialise("cpu")
    found = _read_tensors(source)
    names, parameters = tensor_names(config), dict(model.named_parameters())
    _check_tied(found, names, tied=config.tie_embeddings)
    if missing := sorted(set(names.values()) - set(found)):
        raise UsageError(f"{source.name} has no tensor {missing[0]}, which {CONFIG_FILE} asks for")
    if unexpected := sorted(set(found) - set(names.values())):
        raise UsageError(f"{source.name} has a tensor {unexpected[0]}, which this program's model does not have")
    order = torch.arange(vocab_size)
    order[[END_OF_TEXT_ID, end_id]] = order[[end_id, END_OF_TEXT_ID]]
    with torch.no_grad():
        for ours, parameter in parameters.items():
            tensor = found.pop(names[ours])
            if tensor.shape != parameter.shape:
                shapes = f"{list(tensor.shape)}, {CONFIG_FILE} asks for {list(parameter.shape)}"
                raise UsageError(f"{source.name}: {names[ours]} is {shapes}")
            parameter.copy_(tensor[order] if ours in ("embedding.weight", "head.weight") else tensor)
    return model


def _check_sizes(source: Path, parameters: int) -> None:
    """Refuse a config.json that asks for more weights than the files hold, before memory is allocated."""
    size = sum(file.stat().st_size for file in _weight_files(source))
    if size < LEAST_BYTES_PER_WEIGHT * parameters:
        raise UsageError(f"{source.name} has {size:,} bytes of weights; {CONFIG_FILE} asks for {parameters:,} of them")


def _read_tensors(source: Path) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for file in _weight_files(source):
        try:
            tensors |= load_file(file)
        except (OSError, SafetensorError) as error:
            raise DamagedError(f"{file} is damaged: {error}") from error
    kept = {name: tensor for name, tensor in tensors.items() if not name.endswith(LEFT_OUT)}
    for name, tensor in kept.items():
        if tensor.dtype not in READ_DTYPES:
            dtype = str(tensor.dtype).removeprefix("torch.")
            raise UsageError(f"{source.name}: {name} is {dtype}: this program reads float32, bfloat16 and float16")
        if not torch.isfinite(tensor).all():
            raise DamagedError(f"{source.name}: {name} has values that are not finite")
    return kept


def _weight_files(source: Path) -> list[Path]:
    """List the weight files: model.safetensors, or those of its index."""
    index = source / "model.safetensors.index.json"
    if index.is_file():
        places = read_json(index.resolve()).get("weight_map")
        names = sorted({str(name) for name in places.values()}) if isinstance(places, dict) else []
        if not names or any(Path(name).name != name for name in names):
            raise DamagedError(f"{index} must name files of this folder")
        files = [source / name for name in names]
    else:
        files = [source / "model.safetensors"]
    if missing := [file.name for file in files if not file.is_file()]:
        pickled = min((file.name for file in source.glob("pytorch_model*")), default=None)
        why = f"; {pickled} is a pickle, which this program does not read: save the model as safetensors"
        raise UsageError(f"{source} has no {missing[0]}{why if pickled else ''}")
    return files


def _check_tied(found: dict[str, Tensor], names: dict[str, str], *, tied: bool) -> None:
    """Drop a tied head that is stored beside the embedding; raises UsageError where the two differ."""
    head = found.pop("lm_head.weight", None) if tied else None
    if head is not None and not torch.equal(head, found.get(names["embedding.weight"], torch.empty(0))):
        raise UsageError(
            f"{CONFIG_FILE}: tie_word_embeddings=true, but lm_head.weight is not model.embed_tokens.weight"
        )


def _write_run(run: RunFolder, config: Config, model: Transformer, tokenizer: OwnTokenizer, source: str) -> None:
    """Write the run folder: a finished run at step 0, without any figure that was not measured.

    source: the source folder's name, without its path.
    """
    vocab_size = config.data.vocab_size
    write_config(run, config)
    write_text(run.tokenizer, tokenizer.text)
    load_tokenizer(run.tokenizer)
    run_id = new_run_id()
    record = RunRecord(
        run_id=run_id,
        imported_from=source,
        end_of_text=EndOfText(token=tokenizer.end_token, id=tokenizer.end_id),
        segments=(),
        config_hash=config_hash(config),
        corpus=CorpusRecord(tokenizer_sha256=sha256_of(run.tokenizer), vocab_size=vocab_size),
    )
    write_record(run, record)
    optimizer = build_optimizer(model, config.optimizer, device=torch.device("cpu"))
    save_checkpoint(run.checkpoints, model, optimizer, Progress(), run_id=run_id, keep=1)
    count = count_parameters(config.model, vocab_size=vocab_size)
    summary = Summary(
        name=config.name,
        imported_from=source,
        step=0,
        parameters=count.total,
        parameters_without_embeddings=count.without_embeddings,
        stories=[],
    )
    write_sealed(run.summary, msgspec.to_builtins(summary))
    write_status(run, Status.DONE, reason="", step=0)
