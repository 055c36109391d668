"""Copy what a run measured into the lab notebook.

    python experiments/record.py RUN_FOLDER experiments/round1

writes beside published.yaml: measured.json (figures, settings, machine, versions, samples), curve.jsonl (the rows of
metrics.jsonl) and curve.svg. Nothing in them is typed by hand.
"""

import json
import shlex
import sys
from pathlib import Path

from tinystories_lm.config import settings
from tinystories_lm.curve import draw
from tinystories_lm.files import to_json, write_json, write_text
from tinystories_lm.run_folder import RunFolder, read_config, read_json, read_records

PRIVATE = ("data.path", "data.cache_dir", "training.init_from")  # places on one machine


def record(run: RunFolder, folder: Path) -> None:
    """Write the three files."""
    summary, environment, config = read_json(run.summary), read_json(run.environment), read_config(run)
    rows = read_records(run.metrics)
    measured = {
        "command": command_of(run),
        "figures": {key: value for key, value in summary.items() if key != "stories"},
        "validation": [
            {"step": row["progress/step"], "loss": row["val/loss"], "perplexity": row["val/perplexity"]}
            for row in rows
            if "val/loss" in row
        ],
        "settings": {key: value for key, (value, _) in settings(config).items() if key not in PRIVATE},
        "corpus": environment["corpus"],
        "pieces": environment["pieces"],
        "stories": summary["stories"],
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "measured.json", json.loads(json.dumps(measured, default=str)))
    write_text(folder / "curve.jsonl", "".join(to_json(row) + "\n" for row in rows))
    write_text(folder / "curve.svg", draw(rows, title=f"{config.name}: {config.tokens / 1e6:.2f}M tokens"))


def command_of(run: RunFolder) -> str:
    """What was typed, with the places of one machine left out."""
    text = (run.path / ".hydra" / "overrides.yaml").read_text(encoding="utf-8")
    typed = [line.removeprefix("- ") for line in text.splitlines() if line.startswith("- ")]
    shown = ["data.path=FOLDER" if override.startswith("data.path=") else shlex.quote(override) for override in typed]
    return " ".join(["tinystories-lm", "train", *shown])


if __name__ == "__main__":
    record(RunFolder(Path(sys.argv[1])), Path(sys.argv[2]))
