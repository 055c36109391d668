"""Load a trained model from its run folder for inference."""

from pathlib import Path
from typing import NamedTuple

import torch
from tokenizers import Tokenizer

from tinystories_lm.config.schema import Config
from tinystories_lm.data.tokenizer import load_tokenizer
from tinystories_lm.model.flops import count_parameters
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.runs.checkpoint import Progress, check_size, load_weights, read_progress
from tinystories_lm.runs.folder import RunFolder, read_config
from tinystories_lm.runs.lookup import find_run
from tinystories_lm.runs.records import read_record
from tinystories_lm.runs.resume import with_best_checkpoint
from tinystories_lm.system.errors import DamagedError
from tinystories_lm.system.hashing import sha256_of


class LoadedModel(NamedTuple):
    run: RunFolder
    config: Config
    model: Transformer  # in float32, for inference
    tokenizer: Tokenizer
    checkpoint: Path
    progress: Progress  # of the checkpoint


def load_model(name: str, *, device: str = "cpu") -> LoadedModel:
    """Load run `name` at its best checkpoint.

    The model is built on the meta device, so that no time is spent on weights that are overwritten, and a weight that
    the checkpoint lacks cannot keep an initial value unnoticed.

    Raises UsageError for an unknown run and one without a checkpoint, DamagedError naming the file that is damaged.
    """
    run = find_run(name)
    return with_best_checkpoint(run, lambda checkpoint: _load(run, checkpoint, device))


def _load(run: RunFolder, checkpoint: Path, device: str) -> LoadedModel:
    config, tokenizer = read_config(run), _tokenizer_of(run)
    check_size(checkpoint, count_parameters(config.model, vocab_size=tokenizer.get_vocab_size()).total)
    with torch.device("meta"):
        model = Transformer(config.model, vocab_size=tokenizer.get_vocab_size())
    model.materialise(device)
    load_weights(checkpoint, model)
    return LoadedModel(run, config, model.eval(), tokenizer, checkpoint, read_progress(checkpoint))


def _tokenizer_of(run: RunFolder) -> Tokenizer:
    """Load the run's tokenizer; raise DamagedError if it is not the one that the run was trained with."""
    tokenizer = load_tokenizer(run.tokenizer)
    corpus = read_record(run).corpus
    if corpus is not None and sha256_of(run.tokenizer) != corpus.tokenizer_sha256:
        raise DamagedError(f"{run.tokenizer} is damaged: it is not the tokenizer that the run was trained with")
    return tokenizer
