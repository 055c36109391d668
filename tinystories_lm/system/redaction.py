"""Remove API keys and passwords from everything that is written."""

import logging
import os
import re
import sys
import traceback
from types import TracebackType

from tinystories_lm.system.stdio import escape_controls

SECRET_NAMES = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS)$", re.IGNORECASE)
# Keys by their form. W&B's older keys, 40 hex digits, look like a commit: only their place shows what they are.
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
A_KEY = "<a key>"  # stands for a key whose name is not known
LEAST_SECRET_CHARS = 8
LEAST_CERTAIN_CHARS = 20  # of a variable's value that is a secret in any text


def redact(text: str) -> str:
    """Return the text without the values of environment variables named like keys, and without what looks like a key.

    A key is known by its form, or by its place: before the @ of a URL, after Bearer, after api_key=.
    """
    for name, value in _secrets(LEAST_SECRET_CHARS):
        text = text.replace(value, f"<{name}>")
    text = SECRET_FORMS.sub(A_KEY, text)
    return SECRET_PLACES.sub(lambda found: "".join(filter(None, found.groups())) + A_KEY, text)


def holds_secret(text: str) -> bool:
    """Return whether the text has a key: by its form, by its place, or as the value of a variable named like a key."""
    known = SECRET_FORMS.search(text) or SECRET_PLACES.search(text)
    return known is not None or any(value in text for _, value in _secrets(LEAST_CERTAIN_CHARS))


def _secrets(least_chars: int) -> list[tuple[str, str]]:
    """Return names and values of the environment's keys, the longest first: one may be part of another."""
    found = [
        (name, value)
        for name, value in os.environ.items()
        if SECRET_NAMES.search(name) and len(value) >= least_chars
        if not (value.startswith("/") and os.path.exists(value))  # the path of a file with a key
    ]
    return sorted(found, key=lambda named: -len(named[1]))


class Redactor(logging.Filter):
    """Redacts each message and its traceback, and escapes the control characters of the message."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if (clean := escape_controls(redact(message))) != message:
            record.msg, record.args = clean, ()
        if record.exc_info and not record.exc_text:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
        return True


def redact_logs() -> None:
    """Add a Redactor to every handler of the root logger."""
    for handler in logging.getLogger().handlers:
        if not any(isinstance(found, Redactor) for found in handler.filters):
            handler.addFilter(Redactor())


def print_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print a traceback as Python does, without keys; serves as sys.excepthook."""
    sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))
