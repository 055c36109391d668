"""Make a W&B workspace for these runs, with the sections rounds, scaling, speed and cost, samples."""

import json
from typing import TYPE_CHECKING, Any

from tinystories_lm.system.errors import CommandError, UsageError
from tinystories_lm.tracking.wandb_run import has_key

if TYPE_CHECKING:
    import wandb_workspaces.workspaces as ws

NAME = "tinystories_lm"
X_AXIS = "progress/tokens"


def build_workspace(project: str, *, entity: str) -> "ws.Workspace":
    """Make and validate the workspace without a network; runs are grouped by W&B's group: the round, or the sweep.

    Raises UsageError where the extra is not installed.
    """
    try:
        import wandb_workspaces.workspaces as ws
    except ImportError as error:
        raise UsageError("dashboard needs a package: pip install -e '.[dashboards]'") from error
    return ws.Workspace(
        entity=entity,
        project=project,
        name=NAME,
        sections=[ws.Section(name=name, panels=panels, is_open=True) for name, panels in _sections().items()],
        settings=ws.WorkspaceSettings(x_axis=X_AXIS),
        runset_settings=ws.RunsetSettings(groupby=[ws.Metric("Group")], order=[ws.Ordering(ws.Summary("val/loss"))]),
    )


def _sections() -> dict[str, list[Any]]:
    import wandb_workspaces.reports.v2 as wr

    def lines(title: str, x: str, *metrics: str, log_x: bool = False, log_y: bool = False) -> Any:
        return wr.LinePlot(title=title, x=x, y=list(metrics), log_x=log_x, log_y=log_y)

    def points(title: str, x: str, y: str) -> Any:
        return wr.ScatterPlot(title=title, x=wr.SummaryMetric(x), y=wr.SummaryMetric(y), log_x=True)

    tokens, steps = X_AXIS, "progress/step"
    return {
        "Rounds": [
            lines("Validation loss by tokens", tokens, "val/loss", log_x=True),
            lines("Validation loss by steps", steps, "val/loss"),
            lines("Perplexity by tokens", tokens, "val/perplexity", log_x=True, log_y=True),
            lines("Training loss by tokens", tokens, "train/loss", log_x=True),
            wr.RunComparer(diff_only=True),
        ],
        "Scaling": [
            lines("Validation loss by operations", "progress/flops", "val/loss", log_x=True),
            points("Validation loss by parameters", "parameters", "val/loss"),
            points("Validation loss by tokens, at the end", tokens, "val/loss"),
            lines("Bits per byte by tokens", tokens, "val/bits_per_byte", log_x=True),
        ],
        "Speed & cost": [
            lines("Tokens a second", steps, "speed/tokens_per_second"),
            lines("Share of the peak FLOP/s", steps, "speed/mfu"),
            lines("Validation loss by dollars", "cost/usd", "val/loss"),
            lines("Validation loss by seconds", "time/train_seconds", "val/loss"),
            lines("Learning rate", steps, "optimizer/lr"),
            lines("Gradient norm", steps, "optimizer/grad_norm", log_y=True),
        ],
        "Samples": [wr.WeavePanelSummaryTable(table_name="samples")],
    }


def as_record(workspace: "ws.Workspace") -> dict[str, Any]:
    """Return what would be sent, as plain values."""
    record: dict[str, Any] = json.loads(workspace._to_model().spec.model_dump_json(by_alias=True, exclude_none=True))
    return record


def save(project: str, *, entity: str | None) -> str:
    """Make the workspace in W&B and return its address.

    Raises UsageError without a key, and CommandError in one line for whatever the server answers.
    """
    import wandb

    settings = wandb.setup(wandb.Settings(silent=True)).settings
    if not has_key(settings):
        raise UsageError("W&B finds no API key; run `wandb login` or set WANDB_API_KEY, then try again")
    try:
        workspace = build_workspace(project, entity=entity or str(wandb.Api(timeout=10).default_entity))
        workspace.save()
        return str(workspace.url)
    except CommandError:
        raise
    except Exception as error:  # the server's, the network's and the package's own
        raise CommandError(f"W&B did not accept the workspace: {' '.join(str(error).split())[:200]}") from error
