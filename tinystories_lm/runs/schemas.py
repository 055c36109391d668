"""Typed records of a run folder's JSON files: one definition gives the types, the validation and the messages.

`msgspec.convert` checks a parsed file against these and ignores keys that are not declared. Fields stand in the order
in which they are written; None stands for a key that is not in the file, and is not written.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from tinystories_lm.config.choices import Attention

LARGEST_INTEGER = 2**63 - 1  # no count is larger, and every float can hold it
Count = Annotated[int, Meta(ge=0, le=LARGEST_INTEGER)]
Integer = Annotated[int, Meta(ge=-LARGEST_INTEGER, le=LARGEST_INTEGER)]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
RunId = Annotated[str, Meta(pattern=r"^[0-9a-z]{1,64}\Z")]  # it becomes a part of paths in wandb/
Device = Annotated[str, Meta(pattern=r"^(cpu|cuda|mps)(:\d{1,3})?\Z")]


class Record(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of a file; a field with a default may be missing."""


class MachineRecord(Struct, frozen=True, kw_only=True):
    """The hardware that one process used."""

    hardware: str = ""
    device: Device
    device_name: str
    precision: str
    residual: str = "float32"  # what runs used before it was recorded
    compile: bool
    attention: Attention
    threads: Count
    cpu_cores: Count | None = None
    peak_flops_per_second: float
    dollars_per_hour: float = 0.0


class Segment(Record, frozen=True, kw_only=True):
    """One process of a run: it took the steps after `first_step`."""

    first_step: Count | None = None
    started: str | None = None
    git_commit: str
    python: str | None = None
    platform: str | None = None
    packages: dict[str, str]  # versions by name
    machine: MachineRecord
    compile_seconds: float | None = None
    optimizer_arithmetic: Count = 1  # config/choices.py has the number of each optimizer

    def __post_init__(self) -> None:
        if "torch" not in self.packages:
            raise ValueError("`packages` has no `torch`")


class SplitRecord(Record, frozen=True, kw_only=True):
    """The size of one split of a corpus."""

    tokens: Count
    documents: Count | None = None
    bytes: Count | None = None


class CorpusRecord(Record, frozen=True, kw_only=True):
    """The text and the tokenizer: two runs with equal records read the same tokens.

    fingerprint, splits: None for an imported model.
    """

    fingerprint: Sha256 | None = None
    tokenizer_sha256: Sha256
    vocab_size: Count
    splits: dict[str, SplitRecord] | None = None


class PlanRecord(Record, frozen=True, kw_only=True):
    """The predictions for the whole run, made when it started."""

    name: str | None = None
    parameters: Count
    parameters_without_embeddings: Count | None = None
    tokens: Count | None = None
    corpus_tokens: Count  # of the training split
    corpus_counted: bool | None = None
    epochs: float | None = None
    tokens_per_parameter: float | None = None
    flops: float | None = None
    flops_per_token: dict[str, Any] | None = None
    memory_bytes: dict[str, Any] | None = None
    machines: list[dict[str, Any]] | None = None
    warnings: list[str] | None = None
    expected_seconds: float | None = None
    expected_dollars: float | None = None


class InitialWeights(Record, frozen=True, kw_only=True):
    """The checkpoint of another run whose weights a run started with."""

    checkpoint: str
    sha256: Sha256  # of its model.safetensors


class EndOfText(Record, frozen=True, kw_only=True):
    """The end-of-text token of an imported tokenizer."""

    token: str
    id: Count


class RunRecord(Record, frozen=True, kw_only=True, rename={"segments": "pieces"}):
    """environment.json: what a run was made with.

    segments: the processes of the run in their order; none for an imported model.
    exact: whether the numbers are bit for bit those of one uninterrupted process; None is unknown.
    """

    run_id: RunId
    imported_from: str | None = None
    end_of_text: EndOfText | None = None
    segments: tuple[Segment, ...]
    init_from: InitialWeights | None = None
    config_hash: str | None = None
    corpus: CorpusRecord | None = None
    exact: bool | None = None
    plan: PlanRecord | None = None

    @property
    def corpus_tokens(self) -> int | None:
        """Return the counted tokens of the training split, None where they are not recorded."""
        split = (self.corpus.splits or {}).get("train") if self.corpus is not None else None
        return split.tokens if split is not None else None


class VerdictRecord(Record, frozen=True, kw_only=True):
    """The verdict on a run, its reasons and what to do next."""

    name: str
    finding: str | None = None
    decoder_loop: bool | None = None
    because: list[str]
    next: list[str]
    evidence: dict[str, Any] | None = None


class RowsRecord(Record, frozen=True, kw_only=True):
    """How many bytes of a file of rows were written, and their sha256."""

    bytes: Count
    sha256: Sha256


METRIC_NAMES = {
    "val_loss": "val/loss",
    "val_perplexity": "val/perplexity",
    "val_bits_per_byte": "val/bits_per_byte",
    "best_val_loss": "best/val_loss",
    "best_step": "best/step",
    "step": "progress/step",
    "tokens": "progress/tokens",
    "epochs": "progress/epochs",
    "dollars": "cost/usd",
    "train_seconds": "time/train_seconds",
    "segments": "pieces",
}


class Summary(Record, frozen=True, kw_only=True, rename=METRIC_NAMES):
    """summary.json: the final figures of a run, or what is known of an imported model."""

    name: str | None = None
    imported_from: str | None = None
    val_loss: float | None = None
    val_perplexity: float | None = None
    val_bits_per_byte: float | None = None
    best_val_loss: float | None = None
    best_step: Count | None = None
    step: Count | None = None
    tokens: Count | None = None
    epochs: float | None = None
    dollars: float | None = None
    train_seconds: float | None = None
    parameters: Count | None = None
    parameters_without_embeddings: Count | None = None
    skipped_steps: Count | None = None
    segments: Count | None = None
    exact: bool | None = None
    expected_seconds: float | None = None
    expected_dollars: float | None = None
    stories: list[str] | None = None
    rows: dict[str, RowsRecord] | None = None
    verdict: VerdictRecord | None = None

    def missing(self) -> str | None:
        """Return the first key that is missing for a finished run, or for an imported model; None where none is."""
        needed = ["parameters", "stories"]
        if self.imported_from is None:
            needed = ["name", "val_loss", "val_perplexity", "val_bits_per_byte", "step", "tokens", "dollars"]
            needed += ["train_seconds", "parameters", "stories"]
        return next((METRIC_NAMES.get(name, name) for name in needed if getattr(self, name) is None), None)


EVALUATION_NAMES = {
    **{name: METRIC_NAMES[name] for name in ("val_loss", "val_perplexity", "val_bits_per_byte")},
    "val_tokens": "val/tokens",
    "val_bytes": "val/bytes",
    "data_fingerprint": "data/fingerprint",
    "looping": "stories/looping",
    "non_words": "stories/non_words",
}


class Evaluation(Record, frozen=True, kw_only=True, rename=EVALUATION_NAMES):
    """evaluation.json, as far as a model card needs it."""

    step: Count
    val_loss: float
    val_perplexity: float
    val_bits_per_byte: float
    val_tokens: Count
    val_bytes: Count
    data_fingerprint: str | None = None
    looping: float | None = None
    non_words: float | None = None


class SampleRow(Record, frozen=True, kw_only=True):
    """A line of samples.jsonl."""

    step: Count
    prompt: str
    text: str
    ended: str | None = None
    settings: dict[str, Any] | None = None


MetricsRow = dict[str, int | float]  # a line of metrics.jsonl, by the metrics' names


class _Counts(Struct, rename={"step": "progress/step", "tokens": "progress/tokens"}):
    """The two keys that every line of metrics.jsonl has."""

    step: Count
    tokens: Count


def parse_metrics_row(value: object) -> MetricsRow:
    """Return the value as a line of metrics.jsonl; raises msgspec.ValidationError."""
    row = msgspec.convert(value, dict[str, Integer | float])
    msgspec.convert(row, _Counts)
    return row
