"""Tables of the configuration: settings, choices, presets, models, hardware, corpora, sweeps, verdicts."""

import re
from functools import cache
from pathlib import Path

from markup import cell_comment, head, names, table
from omegaconf import OmegaConf

from tinystories_lm.config.compose import compose_config, hardware_choices, register
from tinystories_lm.config.presets import conf_folder
from tinystories_lm.config.reference import Setting, describe_value, reference
from tinystories_lm.config.schema import Config, ModelConfig
from tinystories_lm.config.stated import defaults
from tinystories_lm.model.flops import count_parameters

GROUPS = ("model", "data", "optimizer", "schedule", "hardware", "tracking", "sampling", "sweep")


def settings() -> str:
    """Return one table for each section of the configuration."""
    sections: dict[str, list[list[str]]] = {}
    for key, default in defaults().items():
        sections.setdefault(key.rpartition(".")[0], []).append(_setting(reference()[key], default))
    header = ["setting", "type and range", "unit", "default", "changes", "meaning"]
    return "\n\n".join(
        f"### {f'`{section}`' if section else 'Top level'}\n\n{table(header, rows)}"
        for section, rows in sections.items()
    )


def _setting(setting: Setting, default: object) -> list[str]:
    kind = ", ".join(f"`{word}`" for word in setting.words) if setting.type == "choice" else setting.type
    kind = ", ".join(filter(None, [kind, setting.rules.describe_range()]))
    value = describe_value(default, code="`{}`".format)
    return [f"`{setting.key}`", kind, setting.unit, value, setting.changes, cell_comment(setting.meaning)]


def choices() -> str:
    """Return every group with its choices, the default one in bold."""
    default = _group_defaults()
    rows = []
    for group in GROUPS:
        names = [file.stem for file in _files(group)]
        shown = [f"**`{name}`**" if default.get(group) == name else f"`{name}`" for name in names]
        rows.append([f"`{'+sweep' if group == 'sweep' else group}=`", ", ".join(shown)])
    rows.insert(0, ["`experiment=`", ", ".join(f"`{file.stem}`" for file in _files("experiment"))])
    return table(["group", "choices (default in bold)"], rows)


def _files(group: str) -> list[Path]:
    return sorted((conf_folder() / group).glob("*.yaml"))


def _group_defaults() -> dict[str, str]:
    found = OmegaConf.to_container(OmegaConf.load(conf_folder() / "config.yaml"))
    assert isinstance(found, dict)
    return {key: value for entry in found["defaults"] if isinstance(entry, dict) for key, value in entry.items()}


def models() -> str:
    """Return the sizes of conf/model with their parameter counts."""
    rows = []
    for file in _files("model"):
        model = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(_composed().model), OmegaConf.load(file)))
        assert isinstance(model, ModelConfig)
        count = count_parameters(model, vocab_size=_composed().data.vocab_size)
        sizes = (model.n_layers, model.d_model, model.n_heads, model.d_ff, model.context_tokens)
        counts = [_millions(count.total), _millions(count.without_embeddings)]
        rows.append((count.total, [f"`{file.stem}`", *map(str, sizes), *counts]))
    header = ["`model=`", "layers", "width", "heads", "MLP width", "context", "parameters", "without embeddings"]
    return table(header, [row for _, row in sorted(rows)], right=range(1, 8))


@cache
def _composed(*overrides: str) -> Config:
    register()
    return compose_config(overrides).config


def _millions(count: float) -> str:
    return f"{count / 1e6:.1f}M" if count >= 1e6 else f"{count / 1e3:.0f}k"


def presets() -> str:
    """Return the presets with their question, model, corpus and length."""
    rows = []
    order = ("smoke", "round1", "round2", "round3", "round4")
    files = sorted(_files("experiment"), key=lambda file: order.index(file.stem) if file.stem in order else 99)
    for file in files:
        config = _composed(f"experiment={file.stem}")
        question = head(file)[0].partition("Published")[0].partition("Choices:")[0].strip()
        count = count_parameters(config.model, vocab_size=config.data.vocab_size).total
        training = config.training
        length = f"{training.steps:,} × {training.batch_size} × {config.model.context_tokens}"
        model = f"{_group_choice(file, 'model')}: {_millions(count)}"
        rows.append([f"`{file.stem}`", question, model, f"`{config.data.name}`", length])
    return table(["preset", "question", "model: parameters", "corpus", "steps × batch × context"], rows)


def _group_choice(preset: Path, group: str) -> str:
    found = re.search(rf"override /{group}: (\w+)", preset.read_text(encoding="utf-8"))
    return f"`{found[1] if found else _group_defaults()[group]}`"


def hardware() -> str:
    """Return the choices of conf/hardware with peak, utilisation, memory and price."""
    rows = []
    for found in hardware_choices():
        peak = f"{found.peak_flops_per_second / 1e12:,.0f} TFLOP/s" if found.peak_flops_per_second else ""
        price = f"{found.dollars_per_hour:.2f}" if found.dollars_per_hour else ""
        memory = f"{found.memory_bytes / 1e9:.0f} GB" if found.memory_bytes else ""
        device = [str(found.device), str(found.precision)]
        rows.append([f"`{found.name}`", *device, peak, f"{found.utilisation:.0%}", memory, price])
    header = ["`hardware=`", "device", "precision", "peak", "assumed utilisation", "memory", "dollars per hour"]
    return table(header, rows, right=(3, 4, 5, 6))


def corpora() -> str:
    """Return the choices of conf/data."""
    rows = [[f"`{file.stem}`", head(file)[0]] for file in _files("data")]
    return table(["`data=`", "corpus"], rows)


def sweeps() -> str:
    """Return the named sweeps with their question, what they vary and how long they take."""
    rows = []
    for file in _files("sweep"):
        question, command = head(file)[:2]
        params = OmegaConf.to_container(OmegaConf.load(file))
        assert isinstance(params, dict)
        varied = [f"`{key}={value}`" for key, value in params["params"].items() if "," in str(value)]
        rows.append([f"`{file.stem}`", question, ", ".join(varied), command.partition(" · ")[2]])
    return table(["sweep", "question", "varies", "takes"], rows)


def verdicts() -> str:
    """Return the rules of the diagnosis with the thresholds as the configuration has them."""
    rules = _composed().verdict
    rows = [
        ["diverged", f"the run ended so, or its validation loss is {rules.diverged_rise_nats:g} nat above its best"],
        [
            "too early",
            f"fewer than {rules.least_evaluations} evaluations after step 0, or less than {rules.least_fall_nats:g} "
            "nats learned: no guess is made",
        ],
        [
            "data-bound",
            f"after at least one epoch, validation loss {rules.gap_nats:g} nats above training loss, or "
            f"{rules.rise_nats:g} above its best while training loss falls",
        ],
        [
            "undertrained",
            f"over the last third, validation loss still falls by {rules.steep_nats:g} nats or more per doubling of "
            "tokens",
        ],
        [
            "capacity-bound",
            f"it falls by less than {rules.flat_nats:g} per doubling after {rules.sated_tokens_per_parameter:g} tokens "
            f"per parameter, or by less than {rules.steep_nats:g} after {rules.glutted_tokens_per_parameter:g}",
        ],
        ["healthy", "none of these"],
    ]
    return table(["verdict", "when"], rows)


def looping_share() -> str:
    return f"{_composed().verdict.looping_share:.0%}"


PARTS = names(settings, choices, models, presets, hardware, corpora, sweeps, verdicts, looping_share)
