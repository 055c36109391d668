"""Keys: whether W&B finds one, and that none gets into what is written."""

import logging
import os
import re
from typing import TYPE_CHECKING

from tinystories_lm.choices import TrackingMode

if TYPE_CHECKING:
    import wandb


def chosen_mode(mode: TrackingMode) -> TrackingMode:
    """Settle `auto`: what WANDB_MODE or `wandb offline` says, else online where W&B finds a key, else offline."""
    import wandb

    found = wandb.setup(wandb.Settings(silent=True)).settings  # asks and says nothing, here or later
    if mode is not TrackingMode.auto:
        return mode
    if found.mode == "disabled":
        return TrackingMode.off
    return TrackingMode.online if found.mode not in ("offline", "dryrun") and has_key(found) else TrackingMode.offline


def has_key(settings: "wandb.Settings") -> bool:
    """Whether there is a key where the SDK looks for one: the environment, its settings, the netrc file."""
    if settings.api_key or settings.identity_token_file:
        return True
    try:
        from wandb.sdk.lib.wbauth import read_netrc_auth  # knows which servers share a key

        return read_netrc_auth(host=settings.base_url) is not None
    except Exception:  # a key it cannot use, or an SDK of another build: going online will tell
        return True


SECRET_NAMES = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS)$", re.IGNORECASE)
SECRET_FORMS = re.compile(
    r"\b(hf_[A-Za-z0-9]{20,}|sk-[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{20,}|AKIA[A-Z0-9]{16})\b"
)
LEAST_SECRET_CHARS = 8


def scrubbed(text: str) -> str:
    """The text without values of the environment that are named like keys, and without what has a known key's form."""
    for name, value in os.environ.items():
        if SECRET_NAMES.search(name) and len(value) >= LEAST_SECRET_CHARS and value in text:
            text = text.replace(value, f"<{name}>")
    return SECRET_FORMS.sub("<a key>", text)


class Scrubber(logging.Filter):
    """Puts `scrubbed` text in the place of each message."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if (clean := scrubbed(message)) != message:
            record.msg, record.args = clean, ()
        return True


def scrub_logs() -> None:
    """Let no handler of the root logger write a key."""
    for handler in logging.getLogger().handlers:
        if not any(isinstance(found, Scrubber) for found in handler.filters):
            handler.addFilter(Scrubber())
