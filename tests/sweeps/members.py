"""Members of a sweep for tests, with folders but without training."""

import json
from pathlib import Path

from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.planning.estimate import Speed
from tinystories_lm.planning.preflight import ResolvedJob
from tinystories_lm.runs.status import Status, write_status
from tinystories_lm.sweeps.members import Member, plan_members

FIGURES = {
    "name": "run", "val/loss": 2.0, "val/perplexity": 7.39, "val/bits_per_byte": 1.0, "progress/step": 12,
    "progress/tokens": 960, "cost/usd": 0.5, "time/train_seconds": 75.0, "parameters": 1000, "stories": [],
}  # fmt: skip


def member_in(folder: Path, *, done: bool = False, loss: float = 2.0, **swept: str) -> Member:
    """Return a member of a small model with its run in `folder`, never started or done with this loss."""
    register()
    folder.mkdir(parents=True, exist_ok=True)
    config = compose_config(["model=tiny", "hardware=cpu", "tracking=off"]).config
    settings = {key.replace("__", "."): value for key, value in swept.items()}
    (member,) = plan_members([ResolvedJob(config, folder, Speed(1e10), swept=settings)])
    if done:
        member.run.summary.write_text(json.dumps(FIGURES | {"val/loss": loss}))
        write_status(member.run, Status.DONE, reason="", step=12)
    return member
