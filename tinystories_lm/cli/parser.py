"""What the commands' parsers share."""

import argparse
import logging
import sys
from typing import NoReturn

from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.redaction import redact_logs

PROGRAM = "tinystories-lm"
RUN_HELP = "a run folder, a preset's name (its newest run) or `latest`"
DEVICES = ("cpu", "cuda", "mps", "auto")
PRECISIONS = ("float32", "bfloat16")


class Parser(argparse.ArgumentParser):
    """One line for wrong usage, as for every other mistake."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog.removeprefix(PROGRAM).strip()}: {message}; `{self.prog} --help` tells more")


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} must be at least 1")
    return number


def positive_number(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} must be above 0")
    return number


def log_to_stderr(level: int = logging.INFO) -> None:
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger().setLevel(level)
    redact_logs()
