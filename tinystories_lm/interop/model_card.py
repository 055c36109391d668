"""Write the README.md of an exported model: what it is, its data and training, its quality and its limits.

Every figure is read from the run's own files, and unknown figures are left out. The card names no path and no user.
"""

import html
from collections.abc import Sequence
from typing import NamedTuple

from tinystories_lm.config.choices import OPTIMIZERS, Source
from tinystories_lm.config.schema import Config, DataConfig
from tinystories_lm.generation.load import LoadedModel
from tinystories_lm.generation.text import Sample
from tinystories_lm.interop.huggingface import ARCHITECTURES, model_type
from tinystories_lm.model.flops import count_parameters
from tinystories_lm.runs.checkpoint import Progress, step_of
from tinystories_lm.runs.records import read_evaluation, read_record
from tinystories_lm.runs.schemas import MetricsRow, RunRecord
from tinystories_lm.system.console import amount, counted, duration
from tinystories_lm.training.loss import perplexity

CURVE_ROWS = 12
FENCE = "~~~~~~"


class Licence(NamedTuple):
    """The licence of a corpus; `ids` are the model hub's."""

    ids: tuple[str, ...]
    text: str


LICENCES = {
    "roneneldan/TinyStories": Licence(("cdla-sharing-1.0",), "TinyStories (Eldan and Li 2023): CDLA-Sharing-1.0"),
    "Salesforce/wikitext": Licence(
        ("cc-by-sa-3.0", "gfdl"), "WikiText (Merity et al. 2016), from Wikipedia: CC BY-SA 3.0 and GFDL"
    ),
}
GRAMMAR = Licence(("mit",), "stories written by the seeded grammar of tinystories_lm: MIT")
UNKNOWN = Licence(("unknown",), "a local corpus, whose licence is unknown")


def licence_of(data: DataConfig) -> Licence:
    if data.source is Source.hub:
        return LICENCES.get(data.hub_path, UNKNOWN)
    return GRAMMAR if data.path is None else UNKNOWN


def model_card(
    trained: LoadedModel,
    progress: Progress,
    samples: Sequence[Sample],
    rows: Sequence[MetricsRow],
    *,
    precision: str,
    with_gguf: bool,
) -> str:
    """Return the card as Markdown.

    progress: that of the exported checkpoint, whose figures the card reports.
    rows: of metrics.jsonl up to that checkpoint; where they have several evaluations, the card shows curve.svg.
    """
    config, record = trained.config, read_record(trained.run)
    imported = record.imported_from
    parts = [
        _front_matter(config, imported=imported is not None),
        f"# {_plain(config.name)}\n\n{_what_it_is(trained, imported)}",
        _use(with_gguf=with_gguf),
        "## Model\n\n" + _table(_model_rows(trained, precision=precision)),
    ]
    if imported is None:
        parts += [
            "## Data\n\n" + _data(config, record),
            "## Training\n\n" + _table(_training_rows(config, record, progress)),
            "## Quality\n\n"
            + _validation(progress, eval_tokens=config.training.eval_tokens)
            + _evaluation(trained)
            + _curve(rows),
        ]
    parts += ["## Samples\n\n" + _samples(samples), "## Limits\n\n" + _limits(trained, imported)]
    return "\n\n".join(parts) + "\n"


def _front_matter(config: Config, *, imported: bool) -> str:
    licence = UNKNOWN if imported else licence_of(config.data)
    lines = ["---", "license:", *(f"- {name}" for name in licence.ids)]
    if config.data.hub_path in LICENCES and not imported:
        lines += ["datasets:", f"- {config.data.hub_path}"]
    if licence is not UNKNOWN:
        lines += ["language:", "- en"]
    return "\n".join([*lines, "library_name: transformers", "pipeline_tag: text-generation", "---"])


def _what_it_is(trained: LoadedModel, imported: str | None) -> str:
    count = count_parameters(trained.config.model, vocab_size=trained.tokenizer.get_vocab_size())
    if imported is not None:
        return f"A language model: {count}. It was trained elsewhere and imported from {_code(imported)}."
    corpus = trained.config.data.name
    return f"A small language model trained from scratch on the corpus {_code(corpus)} by tinystories_lm: {count}."


def _use(*, with_gguf: bool) -> str:
    text = """## How to load it

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("FOLDER")
tokenizer = AutoTokenizer.from_pretrained("FOLDER")
inputs = tokenizer("Once upon a time", return_tensors="pt")
print(tokenizer.decode(model.generate(**inputs)[0], skip_special_tokens=True))
```

No custom code is needed. `model.generate()` without a prompt starts a new text."""
    return text + ("\n\n`model.gguf` is the same model for llama.cpp and related tools." if with_gguf else "")


def _model_rows(trained: LoadedModel, *, precision: str) -> list[tuple[str, object]]:
    model, vocab_size = trained.config.model, trained.tokenizer.get_vocab_size()
    count = count_parameters(model, vocab_size=vocab_size)
    return [
        ("class", f"`{ARCHITECTURES[model_type(model)]}`"),
        ("parameters", f"{count.total:,}"),
        ("without embeddings", f"{count.without_embeddings:,}"),
        ("layers", model.n_layers),
        ("width", model.d_model),
        ("heads", f"{model.n_heads} of width {model.d_model // model.n_heads}"),
        ("MLP", f"SwiGLU, {model.d_ff} wide"),
        ("positions", f"RoPE, base {model.rope_theta:g}"),
        ("norm", f"RMSNorm, eps {model.norm_eps:g}" + (", also on queries and keys" if model.qk_norm else "")),
        ("embeddings", "one matrix for input and output" if model.tie_embeddings else "separate for input and output"),
        ("context", f"{model.context_tokens} tokens"),
        ("vocabulary", f"{vocab_size:,} entries, byte-level BPE"),
        ("weights", precision),
    ]


def _data(config: Config, record: RunRecord) -> str:
    data, corpus = config.data, record.corpus
    text = f"{_code(data.name)}: {licence_of(data).text}."
    if data.path is not None:
        text += " It was read from local files."
    elif data.source is Source.hub:
        text += f" Revision {_code(data.hub_revision)}."
    if corpus is not None and corpus.splits:
        rows = [
            (name, *("?" if count is None else f"{count:,}" for count in (split.tokens, split.documents, split.bytes)))
            for name, split in corpus.splits.items()
        ]
        text += "\n\n" + _table(rows, header=("split", "tokens", "documents", "bytes"))
    if corpus is not None and corpus.fingerprint is not None:
        text += f"\n\nFingerprint of the text: `{corpus.fingerprint}`."
    return text


def _training_rows(config: Config, record: RunRecord, progress: Progress) -> list[tuple[str, object]]:
    """List the training settings and figures up to the exported checkpoint."""
    training, optimizer, schedule = config.training, config.optimizer, config.schedule
    rows: list[tuple[str, object]] = [
        ("steps", f"{progress.step:,}" + (f" of {training.steps:,}" if progress.step != training.steps else "")),
        ("batch", f"{training.batch_size} × {config.model.context_tokens} tokens"),
        ("tokens", f"{progress.tokens:,}"),
    ]
    if record.corpus_tokens:
        rows.append(("epochs", f"{progress.tokens / record.corpus_tokens:.2f}"))
    betas = f"betas {optimizer.beta1:g} and {optimizer.beta2:g}"
    decay = f"{schedule.decay_shape} over the last {schedule.decay_fraction:.0%} to {schedule.final_lr_fraction:.0%}"
    peak = f"{optimizer.peak_lr(config.model.d_model):g}"
    rows += [
        ("optimizer", f"{OPTIMIZERS[optimizer.kind].label}, {betas}, decay {optimizer.weight_decay:g}"),
        ("learning rate", f"{peak}, {counted(training.warmup_steps, 'warm-up step')}, then {decay}"),
        ("gradient norm", f"at most {optimizer.clip_grad_norm:g}"),
        ("seed", training.seed),
    ]
    if record.segments:
        machines = [segment.machine for segment in record.segments]
        rows.append(("hardware", ", ".join(dict.fromkeys(machine.device_name for machine in machines))))
        rows.append(("precision", ", ".join(dict.fromkeys(machine.precision for machine in machines))))
    rows += [("time", duration(progress.train_seconds)), ("cost", f"${progress.dollars:.2f}")]
    return rows


def _figures(loss: float, perplexity: float, bits_per_byte: float | None) -> list[tuple[str, str]]:
    rows = [("validation loss", f"{loss:.4f} nats per token"), ("perplexity", f"{perplexity:.3f}")]
    return rows if bits_per_byte is None else [*rows, ("bits per byte", f"{bits_per_byte:.4f}")]


def _validation(progress: Progress, *, eval_tokens: int) -> str:
    if progress.val_loss is None:
        return "It was not evaluated.\n\n"
    rows = _figures(progress.val_loss, perplexity(progress.val_loss), progress.val_bits_per_byte)
    text = f"Measured on the first {eval_tokens:,} tokens of the validation split, or all of it, at every evaluation."
    if progress.val_step != progress.step:
        text += f" The figures are those of step {progress.val_step:,}, the last evaluation before this checkpoint."
    return f"{text}\n\n{_table(rows)}\n\n"


def _evaluation(trained: LoadedModel) -> str:
    """Format what `evaluate` measured for this checkpoint on the run's own text, if it did."""
    found, corpus = read_evaluation(trained.run), read_record(trained.run).corpus
    if found is None or found.step != step_of(trained.checkpoint):
        return ""
    trained_on = corpus.fingerprint if corpus is not None else None
    if trained_on is not None and found.data_fingerprint not in (None, trained_on):
        return ""
    rows = _figures(found.val_loss, found.val_perplexity, found.val_bits_per_byte)
    shares = {"stories that loop": found.looping, "words absent from the training text": found.non_words}
    rows += [(label, f"{share:.1%}") for label, share in shares.items() if share is not None]
    text = (
        f"Measured on the whole validation split ({found.val_tokens:,} tokens, {found.val_bytes:,} bytes), "
        "with strided context:"
    )
    return f"{text}\n\n{_table(rows)}\n\n"


def has_curve(rows: Sequence[MetricsRow]) -> bool:
    """Return whether the rows have several evaluations, so that there is something to draw."""
    return sum("val/loss" in row for row in rows) > 1


def _curve(rows: Sequence[MetricsRow]) -> str:
    found = [row for row in rows if "val/loss" in row]
    if not found:
        return ""
    kept = sorted({round(place * (len(found) - 1) / (CURVE_ROWS - 1)) for place in range(CURVE_ROWS)})
    lines = [
        (
            f"{row['progress/step']:,}",
            amount(row["progress/tokens"]),
            f"{row['val/loss']:.4f}",
            f"{row['val/perplexity']:.2f}",
        )
        for row in (found[place] for place in kept)
    ]
    picture = "![training and validation loss against steps](curve.svg)\n\n" if has_curve(rows) else ""
    return picture + _table(lines, header=("step", "tokens", "validation loss", "perplexity"))


def _samples(samples: Sequence[Sample]) -> str:
    settings = {key: value for key, value in samples[0].settings.items() if value and key != "seed"}
    drawn = ", ".join(f"{key} {value}" for key, value in settings.items())
    shown = [f"{FENCE}text\n{sample.text.replace(FENCE, '')}\n{FENCE}" for sample in samples]
    head = f"Unedited, written by these weights with tinystories_lm's decoder ({_plain(drawn)})."
    return "\n\n".join([head, *shown])


def _limits(trained: LoadedModel, imported: str | None) -> str:
    data, context = trained.config.data, trained.config.model.context_tokens
    kinds = {
        "roneneldan/TinyStories": "It writes short stories for small children, in the vocabulary of TinyStories, "
        "and little else.",
        "Salesforce/wikitext": "It writes text in the style of encyclopedia articles; their content is invented.",
    }
    known = kinds.get(data.hub_path, "It writes texts like those of its corpus and little else.")
    lines = [
        *([] if imported is not None else [known]),
        "It knows no facts, follows no instructions and cannot hold a conversation.",
        "A story may become inconsistent: names, pronouns and objects change, and sentences may contradict each other.",
        f"It reads and writes at most {context} tokens; it was not trained on longer texts.",
        "It was not made safe or fair; it may repeat the prejudices of its corpus.",
        "The tokenizer has no padding token: for prompts of different lengths, pad on the left and mask the padding.",
        "The marker `<|endoftext|>` within a text is read as the end of a text, as in transformers' other models.",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _table(rows: Sequence[Sequence[object]], header: Sequence[str] = ("", "")) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_plain(str(cell)).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _plain(text: str) -> str:
    """Return text from users or data as one line with HTML escaped, since Markdown would pass it through."""
    return html.escape(" ".join(text.split()), quote=False)


def _code(text: str) -> str:
    return f"`{' '.join(text.replace('`', ' ').split())}`"
