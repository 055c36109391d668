"""Where a run starts: fresh weights, a checkpoint, or another run's weights."""

from pathlib import Path
from typing import Any

import torch

from tinystories_lm.config.schema import Config
from tinystories_lm.data.batches import Batches
from tinystories_lm.hardware.machine import Machine
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.runs.checkpoint import load_optimizer, load_weights
from tinystories_lm.runs.folder import RunFolder, read_config, read_environment
from tinystories_lm.runs.lookup import find_run
from tinystories_lm.runs.resume import StartPoint, best_checkpoint
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.hashing import sha256_of
from tinystories_lm.training.optimizer import build_optimizer


def _source(config: Config, run: RunFolder, record: dict[str, Any], tokenizer_sha256: str) -> Path | None:
    """The checkpoint of another run whose weights this one begins with; `record` keeps which one that is.

    Raises UsageError for one with another tokenizer, and where its weights are no longer those that the run was begun
    with: a run's name may mean another one tomorrow.
    """
    name, begun = config.training.init_from, record.get("init_from")
    if name is None:
        return None
    if begun is not None and Path(begun["checkpoint"]).is_dir():
        checkpoint = Path(begun["checkpoint"])
    else:
        other = find_run(name, besides=run)
        read_config(other)  # refuses a model that this version cannot build
        if read_environment(other).get("corpus", {}).get("tokenizer_sha256") != tokenizer_sha256:
            raise UsageError(f"training.init_from={other.path} has another tokenizer: its token ids mean other text")
        checkpoint = best_checkpoint(other)
    now = {"checkpoint": str(checkpoint), "sha256": sha256_of(checkpoint / "model.safetensors")}
    if begun is not None and begun["sha256"] != now["sha256"]:
        raise UsageError(f"training.init_from={name}: {checkpoint} is not what the run was begun with: begin a new one")
    record["init_from"] = now
    return checkpoint


def _begin(
    model: Transformer, config: Config, machine: Machine, start: StartPoint, source: Path | None
) -> torch.optim.Optimizer:
    """Put the weights and the optimizer where the run begins, on the machine's device."""
    if (begun_from := start.checkpoint or source) is not None:
        load_weights(begun_from, model)
    else:
        model.initialise(config.training.seed)
    model.to(machine.device)
    optimizer = build_optimizer(model, config.optimizer, device=machine.device)
    if start.checkpoint is not None:
        load_optimizer(start.checkpoint, model, optimizer)
    return optimizer


def _batches(stream: torch.Tensor, config: Config) -> Batches:
    try:
        return Batches(
            stream,
            context_tokens=config.model.context_tokens,
            sequences=config.training.sequences,
            seed=config.training.seed,
        )
    except ValueError as error:
        raise UsageError(str(error)) from error
