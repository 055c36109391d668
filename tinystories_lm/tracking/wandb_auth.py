"""Decide between online and offline tracking by the API key."""

from typing import TYPE_CHECKING

from tinystories_lm.config.choices import TrackingMode

if TYPE_CHECKING:
    import wandb


def resolve_mode(mode: TrackingMode) -> TrackingMode:
    """Resolve `auto`: WANDB_MODE or `wandb offline` decide, else online where W&B finds a key, else offline."""
    import wandb

    found = wandb.setup(wandb.Settings(silent=True)).settings  # asks and prints nothing, now or later
    if mode is not TrackingMode.auto:
        return mode
    if found.mode == "disabled":
        return TrackingMode.off
    return TrackingMode.online if found.mode not in ("offline", "dryrun") and has_key(found) else TrackingMode.offline


def has_key(settings: "wandb.Settings") -> bool:
    """Return whether a key is where the SDK looks for one: the environment, its settings, the netrc file."""
    if settings.api_key or settings.identity_token_file:
        return True
    try:
        from wandb.sdk.lib.wbauth import read_netrc_auth  # knows which servers share a key

        return read_netrc_auth(host=settings.base_url) is not None
    except Exception:  # a key it cannot use, or an SDK of another build: the attempt to go online decides
        return True
