"""Define what a command is, and the arguments that several commands share. Wrong usage is one line."""

import argparse
import re
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, NoReturn

from tinystories_lm.config.choices import Device, Precision
from tinystories_lm.system.errors import UsageError

PROGRAM = "tinystories-lm"


class Parser(argparse.ArgumentParser):
    """An argument parser that raises UsageError, one line, and reports output it cannot write."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError: argparse would print the usage above the message."""
        if found := re.fullmatch(r"argument (\S+?)(/\S+)?: expected one argument", message):
            message += f" (a value that begins with a dash is written as {found[1]}=VALUE)"
        raise UsageError(f"{self.prog.removeprefix(PROGRAM).strip()}: {message}; see `{self.prog} --help`")

    def print_help(self, file: object = None) -> None:
        """Print the help so that a full disk raises OSError: argparse would ignore it."""
        print(self.format_help(), end="", flush=True)


class Values(StrEnum):
    """What an argument's value names, so that a shell can complete it."""

    runs = "runs"
    sweeps = "sweeps"
    runs_and_sweeps = "runs and sweeps"
    named_sweeps = "named sweeps"  # of conf/sweep
    overrides = "overrides"
    overrides_or_run = "overrides or a run"
    settings = "settings"
    files = "files"
    folders = "folders"
    text = "text"  # anything


class Argument(NamedTuple):
    """An argument in argparse's terms, and what its value names.

    settings: those of `add_argument`; a function in the place of the help is called when a parser is made.
    """

    names: tuple[str, ...]
    values: Values
    settings: Mapping[str, Any]

    @property
    def is_flag(self) -> bool:
        return self.names[0].startswith("-")

    @property
    def takes_value(self) -> bool:
        return self.settings.get("action", "store") in ("store", "append")

    @property
    def takes_many(self) -> bool:
        """Whether further words belong to it too."""
        return self.settings.get("nargs") in ("*", "+")

    @property
    def help(self) -> str:
        text = self.settings.get("help", "")
        return str(text() if callable(text) else text)

    def add_to(self, parser: Parser) -> None:
        parser.add_argument(*self.names, **{**self.settings, "help": self.help})


class Command(NamedTuple):
    """One command of the program.

    usage: the positional arguments as the overview shows them.
    summary: one line of the overview.
    run: carries the command out; raises CommandError. It imports what it needs, so that help stays fast.
    arguments: what its parser takes.
    reads_words: Hydra's parser reads its words, and `arguments` only describe them.
    description: the head of the command's own help.
    epilog: the foot of that help.
    intermixed: flags and overrides may follow each other in any order.
    shows_progress: messages of level INFO appear on standard error, not only warnings.
    outlives_terminal: closing the terminal does not end it.
    is_resumable: the same command, run again after a stop, continues where it stopped.
    """

    name: str
    usage: str
    summary: str
    run: Callable[[Namespace], None]
    arguments: tuple[Argument, ...]
    description: str = ""
    epilog: str | None = None
    reads_words: bool = False
    intermixed: bool = False
    shows_progress: bool = False
    outlives_terminal: bool = False
    is_resumable: bool = False

    def parse(self, words: Sequence[str]) -> Namespace:
        """Parse the words after the command's name; raise UsageError for words it does not take.

        Each command has a parser of its own: argparse's `add_subparsers` cannot mix flags and overrides, and would make
        all parsers for one command.
        """
        if self.reads_words:
            return Namespace(words=list(words))
        parser = Parser(prog=f"{PROGRAM} {self.name}", description=self.description, epilog=self.epilog)
        for argument in self.arguments:
            argument.add_to(parser)
        return parser.parse_intermixed_args(words) if self.intermixed else parser.parse_args(words)


def argument(*names: str, values: Values = Values.text, **settings: Any) -> Argument:
    """Declare an argument in argparse's terms."""
    return Argument(names, values, settings)


def overrides(help: str) -> Argument:
    """Declare overrides; without their default argparse would report them as required."""
    return argument("overrides", nargs="*", default=[], help=help, values=Values.overrides)


def device(*, default: str) -> Argument:
    return argument("--device", choices=[*map(str, Device)], default=default, help=f"where to compute ({default})")


def precision(*, default: str, help: str) -> Argument:
    """Declare --precision, with the choice `auto` only where that is the default."""
    choices = [str(precision) for precision in Precision if default == "auto" or precision is not Precision.auto]
    return argument("--precision", choices=choices, default=default, help=help)


def json_flag(help: str = "print one JSON object, for programs") -> Argument:
    return argument("--json", action="store_true", help=help)


RUN = argument(
    "run", metavar="RUN", help="a run folder, a preset's name (its newest run) or `latest`", values=Values.runs
)
CONFIG_DIR = argument(
    "--config-dir", metavar="DIR", help="a folder of your own presets and sweeps, beside conf/", values=Values.folders
)


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
