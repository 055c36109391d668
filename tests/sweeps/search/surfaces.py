"""Loss surfaces in closed form, and a stand-in for training that leaves the files of a run with their losses."""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser

from tinystories_lm.config.fingerprint import short_hash
from tinystories_lm.runs.status import Status, write_status
from tinystories_lm.sweeps.search.claims import Claim, Search
from tinystories_lm.sweeps.search.space import read_space
from tinystories_lm.sweeps.search.study import SamplerName, Study
from tinystories_lm.system.errors import UsageError

STEPS, EVERY = 90, 10
Surface = Callable[[dict[str, str]], float]  # of the final loss; infinite where training diverges


def bowl(params: dict[str, str]) -> float:
    """Return a bowl in two logarithms, at its lowest, 2, at lr=2e-3 and decay=0.05."""
    lr, decay = float(params["lr"]), float(params["decay"])
    return 2 + math.log10(lr / 2e-3) ** 2 + 0.3 * math.log10(decay / 0.05) ** 2


def valley(params: dict[str, str]) -> float:
    """Return a bent valley of Rosenbrock's kind with a choice: at its lowest, 1, for muon at x=1, y=1."""
    x, y = float(params["x"]), float(params["y"])
    return 1 + 0.05 * (1 - x) ** 2 + 0.2 * (y - x * x) ** 2 + (0.0 if params["optimizer"] == "muon" else 0.4)


def cliff(params: dict[str, str]) -> float:
    """Return a surface that falls with lr up to a cliff at 0.1 / layers, where training diverges; 8 is refused."""
    lr, layers = float(params["lr"]), int(params["layers"])
    if layers == 8:
        raise UsageError("8 layers do not fit; use fewer")
    return math.inf if lr > 0.1 / layers else 3 - 0.2 * math.log10(lr / 1e-4) - 0.1 * math.log(layers)


SURFACES: dict[str, tuple[Surface, tuple[str, ...]]] = {
    "bowl": (bowl, ("lr=tag(log,interval(1e-4,1e-1))", "decay=tag(log,interval(1e-3,1))")),
    "valley": (valley, ("x=interval(-2,2)", "y=interval(-1,3)", "optimizer=adamw,muon")),
    "cliff": (cliff, ("lr=tag(log,interval(1e-4,1e-1))", "layers=int(interval(1,8))")),
}


def search_on(
    name: str, folder: Path, *, count: int, sampler: str = "tpe", seed: int = 0, prune: bool = False
) -> Search:
    surface, ranges = SURFACES[name]

    def place(params: dict[str, str]) -> Path:
        surface(params)  # raises what it refuses
        return folder / short_hash(params)

    space = read_space(OverridesParser.create().parse_overrides(list(ranges)))
    rungs = (STEPS // 9, STEPS // 3) if prune else ()
    study = Study(space, SamplerName(sampler), seed=seed, rungs=rungs, base=name)
    return Search(study, folder, count, place)


def train(claim: Claim, surface: Surface, *, seconds_per_row: float = 0.0) -> None:
    """Write what a run writes: rows at its evaluations, a status, at the end a summary; resume what is there."""
    run, final = claim.run, surface(claim.record.params)
    write_status(run, Status.RUNNING, reason="", step=0)
    lines = run.metrics.read_text().splitlines() if run.metrics.is_file() else []
    rows = [json.loads(line) for line in lines if line.endswith("}")]
    run.metrics.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    done = rows[-1]["progress/step"] if rows else 0
    with run.metrics.open("a") as file:
        for step in range(done + EVERY, (claim.stop_at_step or STEPS) + 1, EVERY):
            time.sleep(seconds_per_row)
            if math.isinf(final):
                write_status(run, Status.FAILED, reason=f"diverged at step {step}", step=step)
                return
            row = {"progress/step": step, "progress/tokens": 80 * step, "val/loss": final + 2 * (1 - step / STEPS)}
            file.write(json.dumps(row) + "\n")
            file.flush()
    if claim.stop_at_step:
        write_status(run, Status.INTERRUPTED, reason="rung", step=claim.stop_at_step)
        return
    figures = {
        "name": "run", "val/loss": final, "val/perplexity": math.exp(final), "val/bits_per_byte": 1.0,
        "progress/step": STEPS, "progress/tokens": 960, "cost/usd": 0.5, "time/train_seconds": 75.0, "parameters": 1000,
        "stories": [],
    }  # fmt: skip
    run.summary.write_text(json.dumps(figures))
    write_status(run, Status.DONE, reason="", step=STEPS)


def work(search: Search, surface: Surface, *, seconds_per_row: float = 0.0) -> list[int]:
    """Train what the search hands out until nothing is left; return the numbers of the trials in that order."""
    order = []
    while (claim := search.claim()) is not None:
        train(claim, surface, seconds_per_row=seconds_per_row)
        claim.release()
        order.append(claim.record.number)
    return order


def outcome(search: Search) -> list[tuple[int, dict[str, str], int, str, float | None]]:
    """Return all that distinguishes the trials of one search from those of another."""
    return [(t.number, t.params, t.rung, str(t.state), t.loss) for t in search.trials()]
