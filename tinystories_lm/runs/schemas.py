"""The shapes of a run folder's JSON, as records.misfit takes them: what its readers rely on, and no more."""

import re
from typing import Any

from tinystories_lm.config.choices import Attention, MlpKind

SHA256 = re.compile(r"[0-9a-f]{64}")
RUN_ID = re.compile(r"[0-9a-z]{1,64}")  # it becomes a part of paths in wandb/

MACHINE: dict[str, Any] = {
    "device": re.compile(r"(cpu|cuda|mps)(:\d{1,3})?"),
    "device_name": str,
    "precision": str,
    "compile": bool,
    "attention": Attention,
    "threads": int,
    "peak_flops_per_second": float,
}
PIECE: dict[str, Any] = {
    "git_commit": str,
    "packages": {"torch": str, "*": str},
    "machine": MACHINE,
    "first_step?": int,
    "started?": str,
}
CORPUS: dict[str, Any] = {
    "fingerprint?": SHA256,
    "tokenizer_sha256": SHA256,
    "vocab_size": int,
    "splits?": {"train": {"tokens": int}, "*": {"tokens": int, "documents": int, "bytes": int}},
}
PLAN: dict[str, Any] = {
    "parameters": int,
    "corpus_tokens": int,
    "expected_seconds?": float,
    "expected_dollars?": float,
}
STORED: dict[str, Any] = {  # of config.yaml
    "name": str,
    "model": {"n_layers": int, "d_model": int, "n_heads": int, "d_ff": int, "mlp?": MlpKind},
    "data": {"vocab_size": int},
    "training": {"steps": int},
}
ENVIRONMENT: dict[str, Any] = {
    "run_id": RUN_ID,
    "pieces": [PIECE],
    "corpus?": CORPUS,
    "plan?": PLAN,
    "imported_from?": str,
    "init_from?": {"checkpoint": str, "sha256": SHA256},
    "exact?": bool,
}

VERDICT: dict[str, Any] = {"name": str, "because": [str], "next": [str]}
IMPORTED: dict[str, Any] = {"imported_from": str, "parameters": int, "stories": [str]}
SUMMARY: dict[str, Any] = {
    "name?": str,
    **dict.fromkeys(("val/loss?", "val/perplexity?", "val/bits_per_byte?", "cost/usd?", "time/train_seconds?"), float),
    **dict.fromkeys(("progress/step?", "progress/tokens?", "parameters?"), int),
    "progress/epochs?": float,
    "expected_seconds?": float,
    "stories?": [str],
    "verdict?": VERDICT,
    "rows?": {"*": {"bytes": int, "sha256": SHA256}},
}
EVALUATION: dict[str, Any] = {  # of evaluation.json, for the card of an exported model
    "step": int,
    **dict.fromkeys(("val/loss", "val/perplexity", "val/bits_per_byte"), float),
    **dict.fromkeys(("val/tokens", "val/bytes"), int),
}
# What a run that is done by this release has all of.
WHOLE_SUMMARY = {
    key if key in ("progress/epochs?", "expected_seconds?", "verdict?", "rows?") else key.removesuffix("?"): inner
    for key, inner in SUMMARY.items()
}
METRICS: dict[str, Any] = {"progress/step": int, "progress/tokens": int, "*": float}
SAMPLES: dict[str, Any] = {"step": int, "prompt": str, "text": str}
