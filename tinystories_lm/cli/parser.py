"""Parse arguments: one line for wrong usage, and the argument types and flags that several commands share."""

import argparse
from typing import NoReturn

from tinystories_lm.system.errors import UsageError

PROGRAM = "tinystories-lm"


class Parser(argparse.ArgumentParser):
    """An argument parser that raises UsageError, one line, and reports output it cannot write."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError: argparse would print the usage above the message."""
        raise UsageError(f"{self.prog.removeprefix(PROGRAM).strip()}: {message}; see `{self.prog} --help`")

    def print_help(self, file: object = None) -> None:
        """Print the help so that a full disk raises OSError: argparse would ignore it."""
        print(self.format_help(), end="", flush=True)


def positive(text: str) -> int:
    """Parse an integer of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} must be at least 1")
    return number


def positive_number(text: str) -> float:
    """Parse a finite number above 0."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} must be above 0")
    return number


def add_run(parser: Parser) -> None:
    """Add the argument RUN."""
    parser.add_argument("run", metavar="RUN", help="a run folder, a preset's name (its newest run) or `latest`")


def add_overrides(parser: Parser, help: str) -> None:
    """Add the argument for overrides; without its default argparse would report it as required."""
    parser.add_argument("overrides", nargs="*", default=[], help=help)


def add_config_dir(parser: Parser) -> None:
    """Add the flag --config-dir."""
    parser.add_argument("--config-dir", metavar="DIR", help="a folder of your own presets and sweeps, beside conf/")


def add_device(parser: Parser, *, default: str) -> None:
    """Add the flag --device."""
    from tinystories_lm.config.choices import Device

    choices = [str(device) for device in Device]
    parser.add_argument("--device", choices=choices, default=default, help=f"where to compute ({default})")


def add_precision(parser: Parser, *, default: str, help: str) -> None:
    """Add the flag --precision, with the choice `auto` only where that is the default."""
    from tinystories_lm.config.choices import Precision

    choices = [str(precision) for precision in Precision if default == "auto" or precision is not Precision.auto]
    parser.add_argument("--precision", choices=choices, default=default, help=help)


def add_json(parser: Parser, help: str = "print one JSON object, for programs") -> None:
    """Add the flag --json."""
    parser.add_argument("--json", action="store_true", help=help)
