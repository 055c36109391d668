"""Draw a run's loss curves as SVG."""

import html
import math
from typing import Any

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 640, 320, 56, 40, 16, 40
MAX_GRID_LINES = 10  # horizontal ones


def draw(rows: list[dict[str, Any]], *, title: str) -> str:
    """Draw training and validation loss against steps; the colours follow the viewer's light or dark mode.

    rows: the rows of metrics.jsonl, of which at least one has a loss.
    """
    series = {
        name: [(row["progress/step"], row[name]) for row in rows if name in row] for name in ("train/loss", "val/loss")
    }
    points = [point for line in series.values() for point in line]
    last = max(1, *(step for step, _ in points))
    low, high = math.floor(min(loss for _, loss in points)), math.ceil(max(loss for _, loss in points))
    high = max(high, low + 1)
    nats_between_lines = math.ceil((high - low) / MAX_GRID_LINES)

    def place(step: float, loss: float) -> str:
        x = LEFT + (WIDTH - LEFT - RIGHT) * step / last
        y = TOP + (HEIGHT - TOP - BOTTOM) * (high - loss) / (high - low)
        return f"{x:.1f},{y:.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        'font-size="12"><style>text{fill:#444}.grid{stroke:#bbb;stroke-width:.5}.train{stroke:#8ab;fill:none}'
        ".val{stroke:#c33;fill:none;stroke-width:2}@media(prefers-color-scheme:dark){text{fill:#ccc}"
        ".grid{stroke:#555}}</style>",
        f'<text x="{LEFT}" y="20" font-size="14">{html.escape(title)}</text>',
        f'<text x="{WIDTH - RIGHT}" y="20" text-anchor="end">validation (thick) and training loss, nats/token</text>',
    ]
    for loss in range(low, high + 1, nats_between_lines):
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
