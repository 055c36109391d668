"""Define what a command is: its name and help, the arguments it takes, and what it does."""

from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tinystories_lm.cli.parser import PROGRAM, Parser


class Command(NamedTuple):
    """One command of the program. Both functions import what they need when they are called, so that help stays fast.

    arguments: the positional arguments as the overview shows them.
    summary: one line of the overview.
    add_arguments: declares the arguments; None for `train`, whose words Hydra's parser reads.
    run: carries the command out; raises CommandError. Without `add_arguments` it gets the raw `words`.
    description: the head of the command's own help.
    epilog: the foot of that help.
    intermixed: flags and overrides may follow each other in any order.
    shows_progress: messages of level INFO appear on standard error, not only warnings.
    outlives_terminal: closing the terminal does not end it.
    is_resumable: the same command, run again after a stop, continues where it stopped.
    """

    name: str
    arguments: str
    summary: str
    add_arguments: Callable[[Parser], None] | None
    run: Callable[[Namespace], None]
    description: str = ""
    epilog: str | None = None
    intermixed: bool = False
    shows_progress: bool = False
    outlives_terminal: bool = False
    is_resumable: bool = False

    def __call__(self, words: Sequence[str]) -> None:
        """Parse the words after the command's name and carry it out; raise UsageError for words it does not take."""
        self.run(self.parse(words))

    def parse(self, words: Sequence[str]) -> Namespace:
        """Parse the words after the command's name.

        Each command has a parser of its own: argparse's `add_subparsers` cannot mix flags and overrides, and would make
        all parsers for one command.
        """
        if self.add_arguments is None:
            return Namespace(words=list(words))
        parser = Parser(prog=f"{PROGRAM} {self.name}", description=self.description, epilog=self.epilog)
        self.add_arguments(parser)
        return parser.parse_intermixed_args(words) if self.intermixed else parser.parse_args(words)
