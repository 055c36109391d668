"""Copy what a run measured into the lab notebook.

    python experiments/record.py RUN [FOLDER]

writes into experiments/<preset>, beside published.yaml, or into FOLDER: measured.json (figures, verdict, settings,
machine, versions, samples), curve.jsonl (rows of metrics.jsonl) and curve.svg. Nothing in them is typed by hand.
`python docs/generate.py` then shows the figures in the README's table of the rounds; `make record` runs both.
"""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

from tinystories_lm.analysis.loss_curve import draw
from tinystories_lm.config.schema import settings
from tinystories_lm.runs.folder import RunFolder, read_config
from tinystories_lm.runs.lookup import find_run
from tinystories_lm.runs.records import read_metrics
from tinystories_lm.system.errors import CommandError, UsageError
from tinystories_lm.system.files import write_text
from tinystories_lm.system.json_files import read_json, to_json, write_json

MOST_ROWS = 200
PRIVATE = ("data.path", "data.cache_dir", "training.init_from")  # paths on one machine


def record(run: RunFolder, folder: Path) -> None:
    """Write the three files."""
    summary, environment, config = read_json(run.summary), read_json(run.environment), read_config(run)
    rows = thinned(read_metrics(run))
    measured = {
        "command": command_of(run),
        "figures": {key: value for key, value in summary.items() if key != "stories"},
        "validation": [
            {"step": row["progress/step"], "loss": row["val/loss"], "perplexity": row["val/perplexity"]}
            for row in rows
            if "val/loss" in row
        ],
        "settings": {key: value for key, value in settings(config).items() if key not in PRIVATE},
        "corpus": environment["corpus"],
        "pieces": environment["pieces"],
        "stories": summary["stories"],
    }
    if "plan" in environment:
        measured["plan"] = environment["plan"]
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "measured.json", json.loads(json.dumps(measured, default=str)))
    write_text(folder / "curve.jsonl", "".join(to_json(row) + "\n" for row in rows))
    write_text(folder / "curve.svg", draw(rows, title=f"{config.name}: {config.tokens / 1e6:.2f}M tokens"))


def thinned(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return all evaluations, and of the other rows at most MOST_ROWS, evenly spread."""
    others = [row for row in rows if "val/loss" not in row]
    every = max(1, len(others) // MOST_ROWS)
    kept = {row["progress/step"] for row in others[::every]}
    return [row for row in rows if "val/loss" in row or row["progress/step"] in kept]


def command_of(run: RunFolder) -> str:
    """Return the command that began the run, without the paths of one machine."""
    text = (run.path / ".hydra" / "overrides.yaml").read_text(encoding="utf-8")
    typed = [line.removeprefix("- ") for line in text.splitlines() if line.startswith("- ")]
    shown = ["data.path=FOLDER" if override.startswith("data.path=") else shlex.quote(override) for override in typed]
    return " ".join(["tinystories-lm", "train", *shown])


def main(arguments: list[str]) -> None:
    if not 1 <= len(arguments) <= 2:
        raise UsageError("usage: python experiments/record.py RUN [FOLDER]; `make record ROUND=round2`")
    here = Path(__file__).resolve().parent
    run = find_run(arguments[0])
    if not run.summary.is_file():
        raise UsageError(f"{run.path} is not done: its figures are not final")
    record(run, Path(arguments[1]) if len(arguments) == 2 else here / read_config(run).name)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except CommandError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
