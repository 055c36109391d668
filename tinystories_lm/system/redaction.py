"""Keys: whether W&B finds one, and that none gets into what is written."""

import logging
import os
import re
import sys
import traceback
from types import TracebackType

from tinystories_lm.system.stdio import escape_controls

SECRET_NAMES = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS)$", re.IGNORECASE)
# What is a key wherever it stands. W&B's older keys, 40 hex digits, look like a commit: their place tells them.
SECRET_FORMS = re.compile(
    r"\b(hf_[A-Za-z0-9]{20,}|sk-[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}"
    r"|wandb_v\d+_[A-Za-z0-9_-]{20,}|local-[0-9a-f]{40}|xox[abprs]-[A-Za-z0-9-]{10,}|AKIA[A-Z0-9]{16})(?![A-Za-z0-9])"
)
SECRET_PLACES = re.compile(
    r"(?P<url>\b[a-z][a-z0-9+.-]*://)(?:[^/\s'\"@:]*:[^/\s'\"@]+|[\w.~-]{20,})(?=@)"  # https://user:password@host
    r"|(?P<header>\b(?:bearer|authorization['\"]?\s*[:=]\s*['\"]?\w+)\s+)[A-Za-z0-9._~+/=-]{16,}"
    r"|(?P<name>\b\w*(?:api_?key|access_?token|auth_?token|hf_token|secret|password|passwd)['\"]?\s*[:=]\s*['\"]?)"
    r"(?=\S*\d)[^\s'\",;&}<]{8,}",
    re.IGNORECASE,
)
A_KEY = "<a key>"
LEAST_SECRET_CHARS = 8
LEAST_CERTAIN_CHARS = 20  # of a variable's value that is a secret wherever it stands


def redact(text: str) -> str:
    """The text without values of the environment that are named like keys, and without what looks like one.

    That is a known key's form, and what stands in a key's place: before the @ of a URL, after Bearer, after api_key=.
    """
    for name, value in _secrets(LEAST_SECRET_CHARS):
        text = text.replace(value, f"<{name}>")
    text = SECRET_FORMS.sub(A_KEY, text)
    return SECRET_PLACES.sub(lambda found: "".join(filter(None, found.groups())) + A_KEY, text)


def holds_secret(text: str) -> bool:
    """Whether what someone gave is a key: by its form, by its place, or since a variable named so has it."""
    known = SECRET_FORMS.search(text) or SECRET_PLACES.search(text)
    return known is not None or any(value in text for _, value in _secrets(LEAST_CERTAIN_CHARS))


def _secrets(least_chars: int) -> list[tuple[str, str]]:
    """The environment's keys by their names, the longest first: one may be part of another."""
    found = [
        (name, value)
        for name, value in os.environ.items()
        if SECRET_NAMES.search(name) and len(value) >= least_chars
        if not (value.startswith("/") and os.path.exists(value))  # the name of a file with a key
    ]
    return sorted(found, key=lambda named: -len(named[1]))


class Redactor(logging.Filter):
    """Puts `scrubbed` and `visible` text in the place of each message, and of the traceback that goes with it."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if (clean := escape_controls(redact(message))) != message:
            record.msg, record.args = clean, ()
        if record.exc_info and not record.exc_text:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
        return True


def redact_logs() -> None:
    """Let no handler of the root logger write a key."""
    for handler in logging.getLogger().handlers:
        if not any(isinstance(found, Redactor) for found in handler.filters):
            handler.addFilter(Redactor())


def print_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """As Python does, without keys: in the place of sys.excepthook."""
    sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))
