"""Define every setting: its type, unit and rules. The values are in conf/.

Hydra composes the YAML against these classes, so an unknown key or a wrong type fails with the key's name; the rules
below fail with the values. After parsing, the program sees only these classes. The comment behind a field is its
description in docs/configuration.md; fields.py explains what a field declares beside its type.
"""

import math
import operator
from dataclasses import MISSING, dataclass, replace
from typing import Any

from tinystories_lm.config.choices import (
    Attention,
    Boundary,
    DecayShape,
    DecodeErrors,
    Device,
    OnWriteError,
    OptimizerKind,
    Precision,
    Source,
    Switch,
    TrackingMode,
)
from tinystories_lm.config.fields import SetOnce, added_later, changes_nothing, changes_rounding, describe_settings

NOT_IN_WANDB_NAMES = "/\\#?%:"
MOST_NAME_CHARS, MOST_TAG_CHARS = 128, 64  # of W&B


@dataclass(kw_only=True)
class ModelConfig(SetOnce):
    """A decoder-only transformer. The letters in brackets are those of the shape legend in model/transformer.py."""

    n_layers: int  # transformer blocks
    d_model: int  # residual width [D]
    n_heads: int  # attention heads [H]; the head width K = D / H must be even, for RoPE
    d_ff: int  # MLP hidden width [F]
    context_tokens: int  # longest sequence [T]
    rope_theta: float  # base of the RoPE wavelengths
    norm_eps: float  # added to the mean square in RMSNorm
    qk_norm: bool  # apply RMSNorm to each head's queries and keys
    tie_embeddings: bool  # use one matrix for the input embedding and the output head

    def __post_init__(self) -> None:
        self.require_at_least_1("n_layers", "d_model", "n_heads", "d_ff", "context_tokens")
        self.require(f"must be at most {2**20}", context_tokens=self.context_tokens <= 2**20)
        unit = 2 * self.n_heads
        below = self.d_model - self.d_model % unit
        nearest = f"{below} or {below + unit}" if below else f"{unit}"
        self.require(
            f"is not a multiple of 2 × model.n_heads={self.n_heads}; use {nearest}", d_model=below == self.d_model
        )
        self.require("must be finite and above 1", rope_theta=1 < self.rope_theta < math.inf)
        self.require("must lie in [1e-12, 1)", norm_eps=1e-12 <= self.norm_eps < 1)


@dataclass(kw_only=True)
class DataConfig(SetOnce):
    """A corpus, how it is split into documents, and its tokenizer."""

    name: str  # name of the corpus in messages and records
    source: Source  # where the corpus comes from when data.path is not set
    path: str | None = changes_nothing()  # text, JSONL or Parquet: a file, or a folder of train*, valid*, test* files
    hub_path: str  # dataset on the Hugging Face hub, as OWNER/NAME
    hub_name: str  # configuration of that dataset, where it has several
    hub_revision: str  # commit of that dataset
    published_tokens: float = changes_nothing(before=0)  # tokens of the hub's training split, for plans; 0: unknown
    text_column: str  # column of JSONL, Parquet and hub rows that holds the text
    boundary: Boundary  # where a document ends in plain text
    decode_errors: DecodeErrors  # at invalid UTF-8: stop and report the byte's offset, or replace and count
    held_out_fraction: float  # share of a single file's documents that becomes the validation split
    grammar_bytes: int  # size of the training text that the story grammar writes
    grammar_seed: int  # which stories the grammar writes
    vocab_size: int  # entries of the BPE vocabulary, <|endoftext|> included [V]
    tokenizer_bytes: int = added_later(before=25_000_000)  # training text the tokenizer learns from, evenly sampled
    allow_smaller_vocabulary: bool  # continue when the corpus cannot fill vocab_size
    version: int = added_later(before=1)  # rules for the tokenizer's sample and for epochs; 1 has those of older runs
    cache_dir: str = changes_nothing()  # folder of tokenizers and token caches

    def __post_init__(self) -> None:
        self.require("must lie in (0, 1)", held_out_fraction=0 < self.held_out_fraction < 1)
        vocabulary_fits = 257 <= self.vocab_size <= 65_536
        self.require("must lie in 257 (bytes and <|endoftext|>) to 65536 (uint16)", vocab_size=vocabulary_fits)
        self.require(
            "must be positive", tokenizer_bytes=self.tokenizer_bytes >= 1, grammar_bytes=self.grammar_bytes >= 1
        )
        self.require("must be finite and not negative", published_tokens=0 <= self.published_tokens < math.inf)
        self.require("must be 2, or 1 to repeat an older run", version=self.version in (1, 2))
        if self.path == "":
            raise ValueError("data.path is empty: name a file or a folder, or leave it out")


@dataclass(kw_only=True)
class OptimizerConfig(SetOnce):
    """AdamW (Loshchilov and Hutter 2019), alone or beside Muon. Norms and embeddings have no weight decay."""

    kind: OptimizerKind = added_later(before=OptimizerKind.adamw)  # Muon leaves norms and embeddings to AdamW
    lr: float  # peak learning rate; Muon's updates are scaled to the size of AdamW's, so that one rate serves both
    tuned_at_width: int = added_later(before=0)  # d_model that lr was tuned at; scales lr to other widths; 0: unscaled
    beta1: float  # AdamW's decay of the gradient average
    beta2: float  # AdamW's decay of the squared-gradient average
    eps: float  # added to AdamW's denominator
    weight_decay: float  # decoupled decay, times the learning rate
    clip_grad_norm: float  # largest global norm of the gradient

    def __post_init__(self) -> None:
        self.require("must lie in (0, 10)", lr=0 < self.lr < 10)
        self.require("must not be negative", tuned_at_width=self.tuned_at_width >= 0)
        self.require("must lie in [0, 1)", beta1=0 <= self.beta1 < 1, beta2=0 <= self.beta2 < 1)
        self.require("must lie in [1e-30, 1): float32 rounds less to 0", eps=1e-30 <= self.eps < 1)
        self.require("must lie in [0, 10)", weight_decay=0 <= self.weight_decay < 10)
        self.require("must be positive", clip_grad_norm=0 < self.clip_grad_norm < math.inf)

    def peak_lr(self, d_model: int) -> float:
        """Return the peak rate for a model of this width: `lr` times sqrt(tuned_at_width / d_model).

        An update changes every weight by about the same amount, so that its effect on a matrix product grows as the
        square root of the width. experiments/speedrun has the best rates at widths 64, 128 and 256.
        """
        return self.lr * math.sqrt(self.tuned_at_width / d_model) if self.tuned_at_width else self.lr


@dataclass(kw_only=True)
class ScheduleConfig(SetOnce):
    """Linear warm-up, a plateau at optimizer.lr, and a decay over the last part of the steps."""

    decay_shape: DecayShape  # shape of the decay after the plateau
    decay_fraction: float  # share of the steps after the warm-up; 1 leaves no plateau
    final_lr_fraction: float  # learning rate at the last step, as a share of optimizer.lr

    def __post_init__(self) -> None:
        self.require("must lie in (0, 1]", decay_fraction=0 < self.decay_fraction <= 1)
        self.require("must lie in [0, 1]", final_lr_fraction=0 <= self.final_lr_fraction <= 1)


@dataclass(kw_only=True)
class TrainingConfig(SetOnce):
    """Steps, batches, and the intervals of evaluations and checkpoints."""

    seed: int  # seed of the initial weights and of the order of the data
    steps: int  # optimizer steps
    batch_size: int  # sequences per step, over all micro-batches [B]
    micro_batch_size: int = changes_rounding()  # sequences per forward pass; gradients accumulate over the batch
    warmup_steps: int  # steps over which the learning rate rises linearly
    log_every_steps: int  # interval of rows in metrics.jsonl
    eval_every_steps: int  # interval of evaluations and samples
    eval_tokens: int  # tokens scored at each evaluation: always the first of the validation split
    checkpoint_every_steps: int = changes_nothing()  # interval of checkpoints
    keep_checkpoints: int = changes_nothing()  # newest checkpoints to keep, beside the best
    on_write_error: OnWriteError = changes_nothing(before=OnWriteError.stop)  # what a failed write of a checkpoint does
    max_hours: float = changes_nothing()  # a run with a longer estimate does not start
    max_dollars: float = changes_nothing()  # a run with a higher estimate does not start
    deterministic: bool = changes_rounding()  # use deterministic kernels on the GPU; the CPU always does
    max_skipped_steps: int = changes_nothing(before=10)  # longest row of steps without a finite loss and gradient
    profile_steps: int = changes_nothing(before=0)  # early steps that torch's profiler records; 0: none
    fresh: bool = changes_nothing()  # start a new run even if an interrupted one could be resumed
    init_from: str | None  # run whose weights this one starts from

    def __post_init__(self) -> None:
        self.require_at_least_1("steps", "batch_size", "micro_batch_size", "log_every_steps", "eval_every_steps")
        self.require_at_least_1("eval_tokens", "checkpoint_every_steps", "keep_checkpoints")
        self.require("must lie in 0 to 2^63 - 1", seed=0 <= self.seed < 2**63)
        self.require(f"must lie in 0 to training.steps={self.steps}", warmup_steps=0 <= self.warmup_steps <= self.steps)
        self.require(
            f"is not a multiple of training.micro_batch_size={self.micro_batch_size}; "
            f"use {math.gcd(self.batch_size, self.micro_batch_size)} for the latter",
            batch_size=self.batch_size % self.micro_batch_size == 0,
        )
        skips_few = 0 <= self.max_skipped_steps <= 10
        self.require("must lie in 0 to 10: more would hide a divergence", max_skipped_steps=skips_few)
        self.require("must not be negative", profile_steps=self.profile_steps >= 0)
        self.require("must be positive", max_hours=self.max_hours > 0, max_dollars=self.max_dollars > 0)

    def sequences(self, step: int) -> range:
        """Which of the run's sequences step 0, 1, … reads, counted from its beginning."""
        return range(step * self.batch_size, (step + 1) * self.batch_size)


@dataclass(kw_only=True)
class HardwareConfig(SetOnce):
    """The device of a run, its speed and its price."""

    name: str = changes_nothing()  # name of the choice in messages and records
    device: Device = changes_rounding()  # processor that computes the run
    precision: Precision = changes_rounding()  # precision of activations and products; weights stay float32
    residual: Precision = changes_rounding(before=Precision.float32)  # precision of the residual stream
    compile: Switch = changes_rounding()  # torch.compile
    attention: Attention = changes_rounding()  # kernel of causal attention
    threads: int = changes_rounding()  # CPU threads; 0: all cores
    peak_flops_per_second: float = changes_nothing()  # dense peak in that precision; 0: measured at the start
    utilisation: float = changes_nothing()  # share of the peak that training reaches, for estimates
    memory_bytes: float = changes_nothing(before=0.0)  # a GPU's memory, for plans; 0: unknown (a run asks the GPU)
    dollars_per_hour: float = changes_nothing()  # price of the machine

    def __post_init__(self) -> None:
        self.require("must lie in 0 (all cores) to 1024", threads=0 <= self.threads <= 1024)
        finite_peak = 0 <= self.peak_flops_per_second < math.inf
        self.require("must be finite and not negative", peak_flops_per_second=finite_peak)
        self.require(
            "is not offered: choose float32 (autocast's choice) or bfloat16",
            residual=self.residual is not Precision.auto,
        )
        self.require("must lie in (0, 1]", utilisation=0 < self.utilisation <= 1)
        self.require("must be finite and not negative", memory_bytes=0 <= self.memory_bytes < math.inf)
        self.require("must be finite and not negative", dollars_per_hour=0 <= self.dollars_per_hour < math.inf)


@dataclass(kw_only=True)
class TrackingConfig(SetOnce):
    """Weights & Biases: a copy of the run folder, never the only one."""

    mode: TrackingMode  # whether and when W&B receives the run
    project: str  # W&B project
    entity: str | None  # W&B user or team; null: the account's default
    group: str  # W&B group of runs
    job_type: str  # W&B job type
    tags: list[str]  # W&B tags
    artifacts: bool = added_later(before=False)  # upload the best checkpoint as a model artifact when the run is done
    init_timeout_seconds: int  # longest wait for W&B at the start
    finish_timeout_seconds: int  # longest wait for W&B at the end

    def __post_init__(self) -> None:
        if self.project == "":
            raise ValueError("tracking.project is empty: name a W&B project")
        for key, name in (("project", self.project), ("entity", self.entity or "")):
            if found := [letter for letter in name if letter in NOT_IN_WANDB_NAMES]:
                raise ValueError(f"tracking.{key}={name} has {found[0]!r}, which W&B allows in no name: remove it")
        self.require(
            f"must have at most {MOST_NAME_CHARS} characters",
            project=len(self.project) <= MOST_NAME_CHARS,
            group=len(self.group) <= MOST_NAME_CHARS,
            job_type=len(self.job_type) <= MOST_NAME_CHARS,
        )
        for tag in self.tags:
            if not 1 <= len(tag) <= MOST_TAG_CHARS:
                raise ValueError(f"tracking.tags has {tag[:80]!r}: a tag of W&B has 1 to {MOST_TAG_CHARS} characters")
        self.require_at_least_1("init_timeout_seconds", "finish_timeout_seconds")


@dataclass(kw_only=True)
class SamplingConfig(SetOnce):
    """How the next token is drawn; each control has the meaning of transformers' logits processor of that name."""

    prompts: list[str]  # beginnings of the sampled texts
    count: int  # texts for each prompt
    seed: int  # seed of the draws
    max_tokens: int  # most tokens written after the prompt
    temperature: float  # divides the logits; 0 takes the most likely token
    top_k: int  # keep the k most likely tokens; 0: keep all
    top_p: float  # keep the smallest set with this total probability; 1: keep all
    min_p: float  # drop tokens less likely than this share of the most likely one; 0: keep all
    repetition_penalty: float  # divides positive and multiplies negative logits of tokens seen before; 1: no penalty
    no_repeat_ngram: int = added_later(before=0)  # length of token sequences that are not written twice; 0: any may be
    stop: list[str] = added_later(before=[])  # a text ends before the first of these strings
    beyond_context: bool = added_later(before=False)  # at a full context, keep its last half and continue

    def __post_init__(self) -> None:
        self.require("must lie in 1 to 10000", count=1 <= self.count <= 10_000)
        self.require("must lie in 0 to 2^63 - 1", seed=0 <= self.seed < 2**63)
        self.require_at_least_1("max_tokens")
        self.require("must lie in [0, 100]", temperature=0 <= self.temperature <= 100)
        divides = self.temperature == 0 or self.temperature >= 1e-6
        self.require("is too small to divide by: 0 takes the most likely token", temperature=divides)
        self.require("must not be negative (0 keeps all)", top_k=self.top_k >= 0)
        self.require("must lie in (0, 1]", top_p=0 < self.top_p <= 1)
        self.require("must lie in [0, 1]", min_p=0 <= self.min_p <= 1)
        self.require("must not be negative", no_repeat_ngram=self.no_repeat_ngram >= 0)
        if "" in self.stop:
            raise ValueError("sampling.stop holds an empty string, at which every text would end: remove it")
        self.require("must be positive", repetition_penalty=0 < self.repetition_penalty < math.inf)


@dataclass(kw_only=True)
class VerdictConfig(SetOnce):
    """The thresholds of the diagnosis, whose rules are in analysis/diagnose.py."""

    least_evaluations: int = added_later(before=3)  # evaluations after step 0 that a verdict needs
    least_fall_nats: float = added_later(before=0.5)  # fall of the validation loss that a verdict needs
    diverged_rise_nats: float = added_later(before=1.0)  # rise of the validation loss above its best: diverged
    gap_nats: float = added_later(before=0.2)  # validation above training loss after an epoch: data-bound
    rise_nats: float = added_later(before=0.03)  # rise above the best while training loss falls: data-bound
    steep_nats: float = added_later(before=0.1)  # fall per doubling of tokens in the last third: undertrained
    flat_nats: float = added_later(before=0.05)  # the same fall, below which a curve is flat
    sated_tokens_per_parameter: float = added_later(before=20.0)  # from here on a flat curve means: capacity-bound
    glutted_tokens_per_parameter: float = added_later(before=100.0)  # from here on one that falls slightly does too
    looping_share: float = added_later(before=0.34)  # share of the last samples that repeat: the decoder loops

    def __post_init__(self) -> None:
        self.require("must be at least 2: a slope needs two points", least_evaluations=self.least_evaluations >= 2)
        for name in ("least_fall_nats", "diverged_rise_nats", "gap_nats", "rise_nats", "steep_nats", "flat_nats"):
            self.require("must be positive", **{name: getattr(self, name) > 0})
        self.require(
            f"must not exceed verdict.steep_nats={self.steep_nats}", flat_nats=self.flat_nats <= self.steep_nats
        )


@dataclass(kw_only=True)
class Config(SetOnce):
    """One whole run: what conf/ composes to and what the run folder stores."""

    name: str = changes_nothing()  # name of the preset and of its folder under outputs/
    model: ModelConfig
    data: DataConfig
    optimizer: OptimizerConfig
    schedule: ScheduleConfig
    training: TrainingConfig
    hardware: HardwareConfig
    sampling: SamplingConfig = changes_nothing()
    tracking: TrackingConfig = changes_nothing()
    verdict: VerdictConfig = changes_nothing()

    def __post_init__(self) -> None:
        if not self.name or "/" in self.name or self.name.startswith("."):
            raise ValueError(f"name={self.name!r} must be a plain folder name")
        rate = self.optimizer.peak_lr(self.model.d_model)
        self.optimizer.require(
            f"gives a learning rate of {rate:.3g} at model.d_model={self.model.d_model}, which must lie in (0, 10)",
            tuned_at_width=0 < rate < 10,
        )

    def with_data_version(self, version: int) -> "Config":
        """Return this config under another version of the data's rules."""
        return replace(self, data=replace(self.data, version=version))

    @property
    def tokens(self) -> int:
        """Tokens trained on over all steps."""
        return self.training.sequences(self.training.steps).start * self.model.context_tokens

    @property
    def attention_shape(self) -> tuple[int, int, int, int]:
        """Shape of the queries in a training step: micro-batch, heads, tokens, head width."""
        heads = self.model.n_heads
        return self.training.micro_batch_size, heads, self.model.context_tokens, self.model.d_model // heads


SETTINGS = describe_settings(Config)


def settings(config: Config) -> dict[str, Any]:
    """Return the value of every setting as `section.key`, in the schema's order; SETTINGS describes each."""
    return {name: operator.attrgetter(name)(config) for name in SETTINGS}


def values_of_older_runs() -> dict[str, dict[str, Any]]:
    """Return, by section, what older runs meant by the settings that their stored config lacks."""
    found: dict[str, dict[str, Any]] = {}
    for name, info in SETTINGS.items():
        if info.before is not MISSING:
            section, _, key = name.rpartition(".")
            found.setdefault(section, {})[key] = info.before
    return found
