"""Carry out `prepare --compile`: compile what a run will need, so that it starts sooner."""

from pathlib import Path
from typing import NamedTuple

from tinystories_lm.data.corpus import Split
from tinystories_lm.data.token_cache import prepare
from tinystories_lm.jobs.reproducibility import open_machine_as_before
from tinystories_lm.jobs.workspace import token_stream, training_batches
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.planning.preflight import ResolvedJob
from tinystories_lm.system.errors import UsageError
from tinystories_lm.training.compile import Compiled, compile_loss
from tinystories_lm.training.compile_cache import code_folder, compile_key
from tinystories_lm.training.loop import micro_batches


class CompiledAhead(NamedTuple):
    compiled: Compiled
    folder: Path  # of the compiled code


def compile_ahead(job: ResolvedJob) -> CompiledAhead:
    """Compile the steps of a new run of this config on this machine, for the attention kernel that it would use.

    Raises UsageError where the run would not be compiled, or cannot be.
    """
    config = job.config
    machine = open_machine_as_before(job, ())
    if not machine.compile:
        raise UsageError(
            f"hardware.compile={config.hardware.compile} compiles nothing for this run on this {machine.device.type}: "
            "leave --compile out, or add hardware.compile=on here and for train"
        )
    cache = prepare(config.data)
    model = Transformer(
        config.model, vocab_size=cache.vocab_size, residual=machine.residual, attention_fn=machine.attention_fn
    )
    model.initialise(config.training.seed)
    model.to(machine.device)
    batch = training_batches(token_stream(cache, Split.TRAIN, machine), config).batch(0, device=machine.device)
    part = micro_batches(batch, config.training.micro_batch_size)[0]
    return CompiledAhead(compile_loss(model, part, machine), code_folder(compile_key(model, part, machine)))
