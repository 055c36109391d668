"""Build the parts of a run before its first step, and compute its validation loss and samples from them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from tinystories_lm.config.schema import Config
from tinystories_lm.data.batches import Batches, fits, token_tensor, validation_batches
from tinystories_lm.data.corpus import Split
from tinystories_lm.data.token_cache import TokenCache
from tinystories_lm.data.tokenizer import load_tokenizer, token_byte_lengths
from tinystories_lm.generation.generate import encode_prompt, write_texts
from tinystories_lm.generation.text import Sample
from tinystories_lm.hardware.machine import Machine
from tinystories_lm.jobs.provenance import record_compilation
from tinystories_lm.model.flops import ParameterCount, count_parameters, flops_per_token
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.planning.preflight import ResolvedJob
from tinystories_lm.runs.checkpoint import delete_superseded, load_optimizer, load_weights
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.resume import StartPoint
from tinystories_lm.runs.schemas import InitialWeights, RunRecord
from tinystories_lm.system.errors import UsageError
from tinystories_lm.training.compile import compile_if_possible
from tinystories_lm.training.loop import Recipe, TrainingState, ValidationLoss, micro_batches, until_stopped, validate
from tinystories_lm.training.loss import LossOf, mean_loss
from tinystories_lm.training.nonfinite import first_nonfinite
from tinystories_lm.training.optimizer import build_optimizer


@dataclass(frozen=True)
class Workspace:
    """All parts of a run."""

    job: ResolvedJob
    record: RunRecord
    tokenizer: Tokenizer
    state: TrainingState
    recipe: Recipe
    validation_N: Tensor  # the token stream of the validation split
    token_bytes_V: Tensor  # bytes of text that each token stands for

    @property
    def run(self) -> RunFolder:
        return self.job.run

    @property
    def config(self) -> Config:
        return self.job.config

    @property
    def model(self) -> Transformer:
        assert isinstance(self.state.model, Transformer)  # the training loop accepts any module
        return self.state.model

    @property
    def machine(self) -> Machine:
        return self.recipe.machine

    @property
    def display_name(self) -> str:
        """Return the name that W&B shows for the run."""
        return f"{self.config.name}-{self.record.run_id[:6]}"

    @property
    def parameters(self) -> ParameterCount:
        return count_parameters(self.config.model, vocab_size=self.tokenizer.get_vocab_size())

    @property
    def flops_per_token(self) -> float:
        return flops_per_token(self.config.model, vocab_size=self.tokenizer.get_vocab_size())

    def evaluate(self, stop_requested: Callable[[], bool]) -> ValidationLoss:
        """Compute the validation loss; raises StoppedError once a stop is requested."""
        batches = validation_batches(
            self.validation_N,
            eval_tokens=self.config.training.eval_tokens,
            context_tokens=self.config.model.context_tokens,
            batch_size=self.config.training.micro_batch_size,
            device=self.machine.device,
        )
        inference_machine = self.machine.for_inference()
        return validate(
            self.model,
            until_stopped(batches, stop_requested),
            self.token_bytes_V,
            inference_machine,
            loss_of=self.recipe.loss_of if inference_machine.compile else mean_loss,
        )

    def write_samples(self, count: int | None = None) -> list[Sample]:
        """Continue each prompt of the config `count` times, or `sampling.count` times."""
        sampling = self.config.sampling
        with self.machine.for_inference().attending():
            return write_texts(self.model, self.tokenizer, sampling.prompts, sampling, count=count or sampling.count)

    def first_nonfinite(self, step: int) -> str:
        """Describe the first tensor of a step that has a NaN or an infinite value."""
        batch = self.recipe.batches.batch(step - 1, device=self.machine.device)
        return first_nonfinite(self.model, micro_batches(batch, self.config.training.micro_batch_size), self.machine)


def open_workspace(
    job: ResolvedJob, record: RunRecord, start: StartPoint, machine: Machine, cache: TokenCache
) -> Workspace:
    """Build all parts of a run.

    Raises UsageError for a prompt that does not fit the context, DamagedError for weights that do not fit the model.
    """
    config, run = job.config, job.run
    tokenizer = load_tokenizer(run.tokenizer)
    initial_weights = record.init_from if config.training.init_from is not None else None
    state = _build_state(config, machine, start, vocab_size=cache.vocab_size, initial_weights=initial_weights)
    keep = config.training.keep_checkpoints
    delete_superseded(run.checkpoints, state.progress, keep=keep)  # a killed process may leave some
    batches = training_batches(token_stream(cache, Split.TRAIN, machine), config)
    validation_N = token_stream(cache, Split.VALIDATION, machine)
    token_bytes_V = torch.from_numpy(token_byte_lengths(tokenizer)).to(machine.device)
    loss_of: LossOf = mean_loss
    if machine.compile:
        batch = batches.batch(state.progress.step, device=machine.device)
        part = micro_batches(batch, config.training.micro_batch_size)[0]
        compiled = compile_if_possible(state.model, part, machine, wanted=config.hardware.compile)
        record = record_compilation(run, record, state.progress, compiled)
        loss_of, machine = compiled.loss_of, compiled.machine
    for prompt in config.sampling.prompts:  # a prompt that is too long is refused now, not at the end
        encode_prompt(tokenizer, prompt, context_tokens=config.model.context_tokens)
    recipe = Recipe(
        training=config.training,
        schedule=config.schedule,
        peak_lr=config.optimizer.peak_lr(config.model.d_model),
        clip_grad_norm=config.optimizer.clip_grad_norm,
        batches=batches,
        machine=machine,
        loss_of=loss_of,
    )
    return Workspace(job, record, tokenizer, state, recipe, validation_N, token_bytes_V)


def _build_state(
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


def token_stream(cache: TokenCache, split: Split, machine: Machine) -> Tensor:
    """Return a split's tokens [N], on the machine's device where they fit there."""
    tokens = cache.splits[split].tokens
    return token_tensor(tokens, machine.device if fits(tokens, machine.device) else torch.device("cpu"))


def training_batches(tokens_N: Tensor, config: Config) -> Batches:
    """Return the run's batches; raise UsageError for a corpus too short for one."""
    try:
        return Batches(
            tokens_N,
            context_tokens=config.model.context_tokens,
            sequences=config.training.sequences,
            seed=config.training.seed,
            data_version=config.data.version,
        )
    except ValueError as error:
        raise UsageError(str(error)) from error
