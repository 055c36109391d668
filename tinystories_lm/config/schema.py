"""The schema of every setting: types, units and rules. The numbers live in conf/.

Hydra composes the YAML against these classes, so an unknown key or a wrong type fails with the key's
name; the rules below fail with both numbers. Past the entry point the program sees only these classes.
"""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

from tinystories_lm.config.choices import (
    Attention,
    Boundary,
    DecayShape,
    DecodeErrors,
    Device,
    Kind,
    MlpKind,
    OnWriteError,
    OptimizerKind,
    Precision,
    RowStart,
    Source,
    Switch,
    TrackingMode,
)


def changes_rounding() -> Any:
    return field(metadata={"kind": Kind.numerics})


def changes_nothing() -> Any:
    return field(metadata={"kind": Kind.free})


class SetOnce:
    """A value is set when the config is parsed and never again (Hydra cannot compose frozen classes)."""

    def __setattr__(self, name: str, value: object) -> None:
        if hasattr(self, name):
            raise AttributeError(f"{type(self).__name__}.{name} is already set: configs are not changed after parsing")
        object.__setattr__(self, name, value)


def require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


@dataclass(kw_only=True)
class ModelConfig(SetOnce):
    """A decoder-only transformer. Letters in brackets are those of model.py's shape legend."""

    n_layers: int
    d_model: int  # residual width [D]
    n_heads: int  # [H]; the head width K = D / H must be even, for RoPE
    d_ff: int  # MLP hidden width [F]
    context_tokens: int  # longest sequence [T]
    rope_theta: float  # base of the RoPE wavelengths, in tokens
    norm_eps: float  # added to the mean square in RMSNorm
    qk_norm: bool  # RMSNorm on each head's queries and keys
    mlp: MlpKind
    zero_init: bool  # what joins the residual stream is zero at first: every block begins as the identity
    tie_embeddings: bool  # one matrix for input embeddings and output head

    def __post_init__(self) -> None:
        for name in ("n_layers", "d_model", "n_heads", "d_ff", "context_tokens"):
            require(getattr(self, name) >= 1, f"model.{name}={getattr(self, name)} must be at least 1")
        require(self.context_tokens <= 2**20, f"model.context_tokens={self.context_tokens} must be at most {2**20}")
        require(
            self.d_model % (2 * self.n_heads) == 0,
            f"model.d_model={self.d_model} is no even multiple of model.n_heads={self.n_heads}",
        )
        require(1 < self.rope_theta < math.inf, f"model.rope_theta={self.rope_theta} must be finite and above 1")
        require(1e-12 <= self.norm_eps < 1, f"model.norm_eps={self.norm_eps} must lie in [1e-12, 1)")


@dataclass(kw_only=True)
class DataConfig(SetOnce):
    """A corpus, how it is cut into documents, and its tokenizer."""

    name: str
    source: Source  # where the corpus comes from when no path is given
    path: str | None = changes_nothing()  # text, JSONL or Parquet: a file, or a folder of train*, valid*, test*
    hub_path: str
    hub_name: str
    hub_revision: str
    published_tokens: float = changes_nothing()  # of the hub's training split, for plans; 0 is unknown
    text_column: str  # of JSONL, Parquet and hub rows
    boundary: Boundary
    decode_errors: DecodeErrors  # invalid UTF-8: stop with the byte's offset, or replace and count
    held_out_fraction: float  # of the documents, for validation, where the corpus is a single file
    grammar_bytes: int  # size of the training text that the story grammar writes
    grammar_seed: int
    vocab_size: int  # entries of the BPE vocabulary, <|endoftext|> included [V]
    tokenizer_bytes: int  # the vocabulary is learnt from about so much of the training text, spread over all of it
    allow_smaller_vocabulary: bool  # continue where the corpus cannot fill vocab_size
    cache_dir: str = changes_nothing()  # where tokenizers and token caches are kept

    def __post_init__(self) -> None:
        require(0 < self.held_out_fraction < 1, f"data.held_out_fraction={self.held_out_fraction} must lie in (0, 1)")
        require(
            257 <= self.vocab_size <= 65_536,
            f"data.vocab_size={self.vocab_size} must lie in 257 (bytes and <|endoftext|>) to 65536 (uint16)",
        )
        require(self.tokenizer_bytes >= 1, f"data.tokenizer_bytes={self.tokenizer_bytes} must be positive")
        require(self.grammar_bytes >= 1, f"data.grammar_bytes={self.grammar_bytes} must be positive")
        require(0 <= self.published_tokens < math.inf, f"data.published_tokens={self.published_tokens} is no count")
        require(self.path != "", "data.path is empty: name a file or a folder, or leave it out")


@dataclass(kw_only=True)
class OptimizerConfig(SetOnce):
    """AdamW (Loshchilov and Hutter 2019), alone or beside Muon: norms and embeddings do not decay."""

    kind: OptimizerKind
    lr: float  # peak learning rate; Muon's steps are scaled to the size of AdamW's, so one rate serves both
    tuned_at_width: int  # d_model that lr was tuned at, for other widths to follow from; 0 takes lr as it is
    beta1: float
    beta2: float
    eps: float
    weight_decay: float
    clip_grad_norm: float  # largest global norm of the gradient

    def __post_init__(self) -> None:
        require(0 < self.lr < 10, f"optimizer.lr={self.lr} must lie in (0, 10)")
        require(self.tuned_at_width >= 0, f"optimizer.tuned_at_width={self.tuned_at_width} must not be negative")
        require(0 <= self.beta1 < 1, f"optimizer.beta1={self.beta1} must lie in [0, 1)")
        require(0 <= self.beta2 < 1, f"optimizer.beta2={self.beta2} must lie in [0, 1)")
        require(1e-30 <= self.eps < 1, f"optimizer.eps={self.eps} must lie in [1e-30, 1): float32 knows less as 0")
        require(0 <= self.weight_decay < 10, f"optimizer.weight_decay={self.weight_decay} must lie in [0, 10)")
        require(0 < self.clip_grad_norm < math.inf, f"optimizer.clip_grad_norm={self.clip_grad_norm} must be positive")

    def peak_lr(self, d_model: int) -> float:
        """The peak rate of a model so wide: as 1 / sqrt(d_model) from the width that `lr` was tuned at.

        A step of the size of AdamW's changes each weight by as much, and what a matrix gives by as much more as the
        root of its width. experiments/speedrun has the best rates at 64, 128 and 256 wide.
        """
        return self.lr * math.sqrt(self.tuned_at_width / d_model) if self.tuned_at_width else self.lr


@dataclass(kw_only=True)
class ScheduleConfig(SetOnce):
    """Linear warm-up, a plateau at optimizer.lr, and a decay over the last part of the steps."""

    decay_shape: DecayShape
    decay_fraction: float  # of the steps after the warm-up; 1 leaves no plateau
    final_lr_fraction: float  # of optimizer.lr, at the last step

    def __post_init__(self) -> None:
        require(0 < self.decay_fraction <= 1, f"schedule.decay_fraction={self.decay_fraction} must lie in (0, 1]")
        require(
            0 <= self.final_lr_fraction <= 1, f"schedule.final_lr_fraction={self.final_lr_fraction} must lie in [0, 1]"
        )


@dataclass(kw_only=True)
class TrainingConfig(SetOnce):
    """How long, in what batches, and how often to look."""

    seed: int
    steps: int  # optimizer steps
    batch_size: int  # sequences a step, over all micro-batches [B]
    micro_batch_size: int = changes_rounding()  # sequences a forward pass; its gradients add up to the batch's
    batch_doublings: int  # the batch begins so many times halved and has doubled to batch_size at half of the steps
    rows_begin: RowStart
    warmup_steps: int
    log_every_steps: int
    eval_every_steps: int
    eval_tokens: int  # the first so many of the validation split are scored, always the same
    checkpoint_every_steps: int = changes_nothing()
    keep_checkpoints: int = changes_nothing()  # newest ones, beside the best
    on_write_error: OnWriteError = changes_nothing()  # of a checkpoint, and not of the last one
    max_hours: float = changes_nothing()  # a run estimated to take longer does not start
    max_dollars: float = changes_nothing()  # likewise
    deterministic: bool = changes_rounding()  # deterministic kernels on the GPU; the CPU always is
    max_skipped_steps: int = changes_nothing()  # so many in a row may have no finite loss and gradient
    profile_steps: int = changes_nothing()  # so many early steps are recorded by torch's profiler; 0 is none
    fresh: bool = changes_nothing()  # begin a new run although an interrupted one could be resumed
    init_from: str | None  # a run whose weights this one begins from

    def __post_init__(self) -> None:
        positive = (
            "steps", "batch_size", "micro_batch_size", "log_every_steps", "eval_every_steps", "eval_tokens",
            "checkpoint_every_steps", "keep_checkpoints",
        )  # fmt: skip
        for name in positive:
            require(getattr(self, name) >= 1, f"training.{name}={getattr(self, name)} must be at least 1")
        require(0 <= self.seed < 2**63, f"training.seed={self.seed} must lie in 0 to 2^63 - 1")
        require(
            0 <= self.warmup_steps <= self.steps,
            f"training.warmup_steps={self.warmup_steps} must lie in 0 to training.steps={self.steps}",
        )
        require(
            self.batch_size % self.micro_batch_size == 0,
            f"training.batch_size={self.batch_size} is no multiple of "
            f"training.micro_batch_size={self.micro_batch_size}",
        )
        require(
            0 <= self.batch_doublings < self.batch_size.bit_length() and self.batch_size % 2**self.batch_doublings == 0,
            f"training.batch_size={self.batch_size} cannot be halved training.batch_doublings={self.batch_doublings} "
            "times",
        )
        require(
            0 <= self.max_skipped_steps <= 10,
            f"training.max_skipped_steps={self.max_skipped_steps} must lie in 0 to 10: more would hide a run's end",
        )
        require(self.profile_steps >= 0, f"training.profile_steps={self.profile_steps} must not be negative")
        require(self.max_hours > 0, f"training.max_hours={self.max_hours} must be positive")
        require(self.max_dollars > 0, f"training.max_dollars={self.max_dollars} must be positive")

    def sequences(self, step: int) -> range:
        """Which of the run's sequences step 0, 1, … reads, counted from its beginning."""
        return range(step * self.batch_size, (step + 1) * self.batch_size)


@dataclass(kw_only=True)
class HardwareConfig(SetOnce):
    """What the run runs on, what it can do and what an hour of it costs."""

    name: str = changes_nothing()
    device: Device = changes_rounding()
    precision: Precision = changes_rounding()  # of activations and matrix products; weights and optimizer stay float32
    residual: Precision = changes_rounding()  # of the residual stream, where activations are bfloat16
    compile: Switch = changes_rounding()  # torch.compile
    attention: Attention = changes_rounding()
    threads: int = changes_rounding()  # CPU threads; 0 takes all cores
    peak_flops_per_second: float = changes_nothing()  # in the given precision, dense; 0: measured at the start
    utilisation: float = changes_nothing()  # share of the peak that training reaches, for estimates
    dollars_per_hour: float = changes_nothing()

    def __post_init__(self) -> None:
        require(0 <= self.threads <= 1024, f"hardware.threads={self.threads} must lie in 0 (all cores) to 1024")
        require(
            0 <= self.peak_flops_per_second < math.inf,
            f"hardware.peak_flops_per_second={self.peak_flops_per_second} must not be negative",
        )
        require(
            self.residual is not Precision.auto,
            "hardware.residual=auto: choose float32, as autocast has it, or bfloat16",
        )
        require(0 < self.utilisation <= 1, f"hardware.utilisation={self.utilisation} must lie in (0, 1]")
        require(
            0 <= self.dollars_per_hour < math.inf,
            f"hardware.dollars_per_hour={self.dollars_per_hour} must not be negative",
        )


@dataclass(kw_only=True)
class TrackingConfig(SetOnce):
    """Weights & Biases: a mirror of the run folder, never its only copy."""

    mode: TrackingMode
    project: str
    entity: str | None
    group: str
    job_type: str
    tags: list[str]
    artifacts: bool  # send the best checkpoint as a model artifact when the run is done
    init_timeout_seconds: int
    finish_timeout_seconds: int

    def __post_init__(self) -> None:
        require(self.project != "", "tracking.project is empty: name a W&B project")
        require(self.init_timeout_seconds >= 1, f"tracking.init_timeout_seconds={self.init_timeout_seconds} is below 1")
        require(
            self.finish_timeout_seconds >= 1,
            f"tracking.finish_timeout_seconds={self.finish_timeout_seconds} is below 1",
        )


@dataclass(kw_only=True)
class SamplingConfig(SetOnce):
    """How the next token is drawn; the meaning of each control is that of transformers' processors."""

    prompts: list[str]
    count: int  # texts for each prompt
    seed: int
    max_tokens: int  # written after the prompt, at most
    temperature: float  # 0 takes the likeliest token
    top_k: int  # keep the k likeliest; 0 keeps all
    top_p: float  # keep the smallest set that holds this much probability; 1 keeps all
    min_p: float  # drop what is less likely than this share of the likeliest; 0 keeps all
    repetition_penalty: float  # divides positive and multiplies negative logits of tokens seen before; 1 is none
    no_repeat_ngram: int  # no sequence of so many tokens is written twice; 0 allows all
    stop: list[str]  # a text ends before the first of these
    beyond_context: bool  # when the context is full, read its last half again and continue, rather than end

    def __post_init__(self) -> None:
        require(self.count >= 1, f"sampling.count={self.count} must be at least 1")
        require(self.count <= 10_000, f"sampling.count={self.count} must be at most 10000")
        require(0 <= self.seed < 2**63, f"sampling.seed={self.seed} must lie in 0 to 2^63 - 1")
        require(self.max_tokens >= 1, f"sampling.max_tokens={self.max_tokens} must be at least 1")
        require(0 <= self.temperature <= 100, f"sampling.temperature={self.temperature} must lie in [0, 100]")
        tiny = f"sampling.temperature={self.temperature} is too small to divide by: 0 takes the likeliest token"
        require(self.temperature == 0 or self.temperature >= 1e-6, tiny)
        require(self.top_k >= 0, f"sampling.top_k={self.top_k} must not be negative (0 keeps all)")
        require(0 < self.top_p <= 1, f"sampling.top_p={self.top_p} must lie in (0, 1]")
        require(0 <= self.min_p <= 1, f"sampling.min_p={self.min_p} must lie in [0, 1]")
        require(self.no_repeat_ngram >= 0, f"sampling.no_repeat_ngram={self.no_repeat_ngram} must not be negative")
        require("" not in self.stop, "sampling.stop holds an empty string: every text would end at once")
        require(
            0 < self.repetition_penalty < math.inf,
            f"sampling.repetition_penalty={self.repetition_penalty} must be positive",
        )


@dataclass(kw_only=True)
class VerdictConfig(SetOnce):
    """From where on a number says something about a run; verdict.py has the rules."""

    least_evaluations: int  # after step 0: with fewer it is too early to judge
    least_fall_nats: float  # of the validation loss since step 0: with less it is too early as well
    diverged_rise_nats: float  # of the validation loss over its best
    gap_nats: float  # validation over training loss, after an epoch
    rise_nats: float  # of the validation loss over its best, while the training loss falls
    steep_nats: float  # fall of the validation loss per doubling of tokens, over the last third
    flat_nats: float  # likewise: below it the curve is flat
    sated_tokens_per_parameter: float  # from where on a flat curve says that the model is full
    glutted_tokens_per_parameter: float  # from where on one that still falls a little says so
    looping_share: float  # of the last samples, above which the decoder loops

    def __post_init__(self) -> None:
        require(self.least_evaluations >= 2, f"verdict.least_evaluations={self.least_evaluations}: a slope wants 2")
        for name in ("least_fall_nats", "diverged_rise_nats", "gap_nats", "rise_nats", "steep_nats", "flat_nats"):
            require(getattr(self, name) > 0, f"verdict.{name}={getattr(self, name)} must be positive")
        require(
            self.flat_nats <= self.steep_nats,
            f"verdict.flat_nats={self.flat_nats} is above verdict.steep_nats={self.steep_nats}",
        )


@dataclass(kw_only=True)
class Config(SetOnce):
    """One run, whole: what conf/ composes to and what the run folder stores."""

    name: str = changes_nothing()  # the preset's, and that of its folder under outputs/
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
        plain = bool(self.name) and "/" not in self.name and not self.name.startswith(".")
        require(plain, f"name={self.name!r} must be a plain folder name")
        told = f"optimizer.tuned_at_width: at model.d_model={self.model.d_model} the rate is no longer in (0, 10)"
        require(0 < self.optimizer.peak_lr(self.model.d_model) < 10, told)

    @property
    def tokens(self) -> int:
        """Tokens trained on over all steps."""
        return self.training.sequences(self.training.steps).start * self.model.context_tokens

    @property
    def attention_shape(self) -> tuple[int, int, int, int]:
        """Of the queries in a training step: micro-batch, heads, tokens, head width."""
        heads = self.model.n_heads
        return self.training.micro_batch_size, heads, self.model.context_tokens, self.model.d_model // heads


def settings(config: Config) -> dict[str, tuple[Any, Kind]]:
    """Every setting as `section.key: (value, kind)`, in the schema's order."""
    found: dict[str, tuple[Any, Kind]] = {}
    for section in dataclasses.fields(config):
        value, kind = getattr(config, section.name), section.metadata.get("kind", Kind.exact)
        if not dataclasses.is_dataclass(value):
            found[section.name] = (value, kind)
            continue
        for key in dataclasses.fields(value):
            inner = key.metadata.get("kind", kind)
            found[f"{section.name}.{key.name}"] = (getattr(value, key.name), inner)
    return found


def setting_types() -> dict[str, Any]:
    """Every setting's full name and its type."""
    found: dict[str, Any] = {}
    for section in dataclasses.fields(Config):
        if not dataclasses.is_dataclass(section.type):
            found[section.name] = section.type
            continue
        for key in dataclasses.fields(section.type):
            found[f"{section.name}.{key.name}"] = key.type
    return found
