"""Build a run's model and optimizer where it starts: fresh weights, a checkpoint, or another run's weights."""

from pathlib import Path

from tinystories_lm.config.schema import Config
from tinystories_lm.hardware.machine import Machine
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.runs.checkpoint import load_optimizer, load_weights
from tinystories_lm.runs.folder import RunFolder, read_config
from tinystories_lm.runs.lookup import find_run
from tinystories_lm.runs.records import read_record
from tinystories_lm.runs.resume import StartPoint, best_checkpoint
from tinystories_lm.runs.schemas import InitialWeights
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.hashing import sha256_of
from tinystories_lm.training.loop import TrainingState
from tinystories_lm.training.optimizer import build_optimizer


def find_initial_weights(
    name: str, run: RunFolder, recorded: InitialWeights | None, *, tokenizer_sha256: str
) -> InitialWeights:
    """Return the checkpoint of the run `name`, with whose weights the run in the folder `run` starts.

    recorded: the checkpoint that an earlier start of the same run took: the name may mean another run by now.

    Raises UsageError for a run with another tokenizer, and where the recorded weights have changed.
    """
    if recorded is not None and Path(recorded.checkpoint).is_dir():
        checkpoint = Path(recorded.checkpoint)
    else:
        other = find_run(name, besides=run)
        read_config(other)  # refuses a model that this version cannot build
        corpus = read_record(other).corpus
        if corpus is None or corpus.tokenizer_sha256 != tokenizer_sha256:
            raise UsageError(f"training.init_from={other.path} has another tokenizer: its token ids mean other text")
        checkpoint = best_checkpoint(other)
    found = InitialWeights(checkpoint=str(checkpoint), sha256=sha256_of(checkpoint / "model.safetensors"))
    if recorded is not None and recorded.sha256 != found.sha256:
        raise UsageError(
            f"training.init_from={name}: {checkpoint} has changed since the run started with its weights: "
            "start a new run with training.fresh=true"
        )
    return found


def build_state(
    config: Config, machine: Machine, start: StartPoint, *, vocab_size: int, initial_weights: InitialWeights | None
) -> TrainingState:
    """Return the model and the optimizer of a start, on the machine's device.

    initial_weights: for a run that has no checkpoint of its own yet.

    Raises DamagedError where a checkpoint does not fit the model.
    """
    model = Transformer(
        config.model, vocab_size=vocab_size, residual=machine.residual, attention_fn=machine.attention_fn
    )
    if start.checkpoint is not None:
        load_weights(start.checkpoint, model)
    elif initial_weights is not None:
        load_weights(Path(initial_weights.checkpoint), model)
    else:
        model.initialise(config.training.seed)
    model.to(machine.device)
    optimizer = build_optimizer(model, config.optimizer, device=machine.device)
    if start.checkpoint is not None:
        load_optimizer(start.checkpoint, model, optimizer)
    return TrainingState(model, optimizer, start.progress)
