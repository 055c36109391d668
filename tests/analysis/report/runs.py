"""Run folders as `train` leaves them, without training: every figure follows from a formula."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.config.schema import Config
from tinystories_lm.runs.folder import RunFolder, write_config
from tinystories_lm.runs.status import Status, write_status
from tinystories_lm.system.json_files import to_json, write_json

TOKENS_PER_STEP, FLOPS_PER_TOKEN, SECONDS_PER_STEP, DOLLARS_PER_SECOND = 1024, 6e6, 0.25, 3 / 3600
STORY = "Once upon a time there was a dog. The end."


def loss_at(step: int) -> float:
    return 2.0 + 6.0 / (1.0 + step / 20)


def rows_of(steps: int, *, every: int = 10, evaluate: int = 50, shift: float = 0.0) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for step in range(0, steps + 1, every):
        tokens, seconds = step * TOKENS_PER_STEP, 1.0 + step * SECONDS_PER_STEP
        row = {
            "progress/step": step,
            "progress/tokens": tokens,
            "progress/flops": tokens * FLOPS_PER_TOKEN,
            "cost/usd": seconds * DOLLARS_PER_SECOND,
            "time/train_seconds": seconds,
        }
        speed = 4000.0 + step % 7
        loss = loss_at(step) + shift
        if step:
            details = {"optimizer/lr": 1e-3, "optimizer/grad_norm": 1.0}
            rates = {"speed/tokens_per_second": speed, "speed/mfu": speed / 1e4}
            rows.append({**row, "train/loss": loss - 0.1, **details, **rates})
        if step % evaluate == 0:
            found = {"val/loss": loss, "val/perplexity": math.exp(loss), "val/bits_per_byte": loss / 3}
            rows.append({**row, **found})
    return rows


@cache
def composed(*overrides: str) -> Config:
    """Compose a config; a learning rate alone is put into one that Hydra has composed before."""
    if len(overrides) == 1 and overrides[0].startswith("optimizer.lr="):
        base = composed()
        return replace(base, optimizer=replace(base.optimizer, lr=float(overrides[0].partition("=")[2])))
    register()
    return compose_config(["hardware=cpu", *overrides]).config


def make_run(
    folder: Path,
    *overrides: str,
    steps: int = 200,
    status: Status = Status.DONE,
    reason: str = "",
    text: str = STORY,
    typed: Sequence[str] = (),
    verdict: dict[str, Any] | None = None,
    shift: float = 0.0,
) -> RunFolder:
    run = RunFolder(folder)
    run.path.mkdir(parents=True)
    rows = rows_of(steps, shift=shift)
    write_config(run, composed(*overrides))
    run.metrics.write_text("".join(to_json(row) + "\n" for row in rows), encoding="utf-8")
    sample = {"step": steps, "prompt": "Once", "text": text, "settings": {"temperature": 0.8}}
    run.samples.write_text(to_json(sample) + "\n", encoding="utf-8")
    write_status(run, status, reason=reason, step=steps)
    if typed:
        (run.path / ".hydra").mkdir()
        (run.path / ".hydra" / "overrides.yaml").write_text("".join(f"- {one}\n" for one in typed))
    if status is Status.DONE:
        last = next(row for row in reversed(rows) if "val/loss" in row)
        write_json(run.summary, {**last, "parameters": 1234, "stories": [text], "verdict": verdict})
    return run
