"""Copy what a run measured into the lab notebook.

    python experiments/record.py RUN_FOLDER experiments/round1

writes beside published.yaml: measured.json (figures, settings, machine, versions, samples), curve.jsonl (the rows of
metrics.jsonl) and curve.svg. Nothing in them is typed by hand.
"""

import json
import math
import shlex
import sys
from pathlib import Path
from typing import Any

from tinystories_lm.config import settings
from tinystories_lm.files import to_json, write_json, write_text
from tinystories_lm.run_folder import RunFolder, read_config, read_json, read_records

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 640, 320, 56, 40, 16, 40
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


def draw(rows: list[dict[str, Any]], *, title: str) -> str:
    """Training and validation loss against steps, as an SVG that follows the reader's light or dark mode."""
    series = {
        name: [(row["progress/step"], row[name]) for row in rows if name in row] for name in ("train/loss", "val/loss")
    }
    points = [point for line in series.values() for point in line]
    last = max(step for step, _ in points)
    low, high = math.floor(min(loss for _, loss in points)), math.ceil(max(loss for _, loss in points))

    def place(step: float, loss: float) -> str:
        x = LEFT + (WIDTH - LEFT - RIGHT) * step / last
        y = TOP + (HEIGHT - TOP - BOTTOM) * (high - loss) / (high - low)
        return f"{x:.1f},{y:.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        'font-size="12"><style>text{fill:#444}.grid{stroke:#bbb;stroke-width:.5}.train{stroke:#8ab;fill:none}'
        ".val{stroke:#c33;fill:none;stroke-width:2}@media(prefers-color-scheme:dark){text{fill:#ccc}"
        ".grid{stroke:#555}}</style>",
        f'<text x="{LEFT}" y="20" font-size="14">{title}</text>',
        f'<text x="{WIDTH - RIGHT}" y="20" text-anchor="end">validation (thick) and training loss, nats a token</text>',
    ]
    for loss in range(low, high + 1):
        x, y = place(0, loss).split(",")
        parts.append(f'<line class="grid" x1="{x}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{float(y) + 4:.1f}" text-anchor="end">{loss}</text>')
    for share in (0, 0.25, 0.5, 0.75, 1):
        x, _ = place(share * last, low).split(",")
        parts.append(f'<text x="{x}" y="{HEIGHT - 20}" text-anchor="middle">{share * last:,.0f}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH) / 2}" y="{HEIGHT - 4}" text-anchor="middle">step</text>')
    for name, line in series.items():
        path = " ".join(place(step, loss) for step, loss in line)
        parts.append(f'<polyline class="{name.split("/")[0]}" points="{path}"/>')
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    record(RunFolder(Path(sys.argv[1])), Path(sys.argv[2]))
