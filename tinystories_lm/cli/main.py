"""Run one command line: choose the command, report an error in one line, return an exit code.

Imports neither torch nor Hydra, so that help is fast: a command imports what it needs when it runs.
"""

import errno
import gc
import logging
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

from tinystories_lm import __version__
from tinystories_lm.cli import compare_commands, interop_commands, run_commands, setup_commands, train_commands
from tinystories_lm.cli.command import PROGRAM, Command
from tinystories_lm.system.cores import limit_spinning
from tinystories_lm.system.errors import CommandError, ExitCode, UsageError
from tinystories_lm.system.redaction import print_traceback, redact, redact_logs
from tinystories_lm.system.signals import stop_by_interrupt, was_interrupted
from tinystories_lm.system.stdio import escape_controls, open_missing, outlive_terminal, show_safely

GROUPS = {
    "Train": train_commands.COMMANDS,
    "Inspect runs": run_commands.COMMANDS,
    "Compare and publish": compare_commands.COMMANDS,
    "Exchange models": interop_commands.COMMANDS,
    "Settings": setup_commands.COMMANDS,
}
COMMANDS = {command.name: command for group in GROUPS.values() for command in group}
DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


class Outcome(NamedTuple):
    """How a command that raised an error ends.

    message: the line on standard error; empty for none.
    is_output_lost: standard output cannot be written any more.
    """

    code: ExitCode
    message: str
    is_output_lost: bool = False


def main() -> None:
    """Run the command line of this process and exit with its code."""
    open_missing()
    show_safely()
    limit_spinning()
    sys.excepthook = print_traceback
    words = sys.argv[1:]
    if words and words[0] in COMMANDS and COMMANDS[words[0]].outlives_terminal:
        outlive_terminal()
    code = run(words)
    gc.freeze()  # before it ends, Python would look for cycles among all objects of torch
    sys.exit(code)


def run(words: Sequence[str]) -> int:
    """Run one command line and return its exit code; an exception it raises is a bug, or SystemExit after help."""
    name, *rest = words or ["--help"]
    stop_by_interrupt()
    try:
        _dispatch(name, rest)
        sys.stdout.flush()
    except BaseException as error:
        outcome = _outcome(error, name)
        if outcome is None:
            raise
        if outcome.is_output_lost:
            _discard_output()
        if outcome.message:
            print(f"{PROGRAM}: {escape_controls(redact(outcome.message))}", file=sys.stderr)
        return outcome.code
    return ExitCode.DONE


def _dispatch(name: str, words: Sequence[str]) -> None:
    _log_to_stderr(logging.WARNING)
    if name == "--complete":  # a shell asks, with words of the line that is being typed
        from tinystories_lm.cli.completion.complete import complete

        print(complete(words, COMMANDS), end="")
        return
    if name == "help" and words:
        name, words = words[0], ["--help"]
    if name in ("--help", "-h", "help"):
        print(overview(), end="")
    elif name == "--version" or "--version" in words:
        print(f"{PROGRAM} {__version__}")
    else:
        command = find_command(name)
        if command.shows_progress:
            _log_to_stderr(logging.INFO)
        command.run(command.parse(words))


def overview() -> str:
    """Return what `--help` prints."""
    groups = "\n\n".join("\n".join([f"{title}:", *map(_overview_line, commands)]) for title, commands in GROUPS.items())
    codes = "\n".join(f"  {code:>2}  {code.meaning}" for code in ExitCode)
    return f"""\
Train small language models from scratch: reproducibly, cheaply, and with
understanding.

Usage: {PROGRAM} COMMAND [arguments]

{groups}

An override is a setting and its value: experiment=round2 training.steps=500.
RUN is a run folder, a preset's name (its newest run) or `latest`.
`{PROGRAM} COMMAND --help` describes a command's arguments.

Exit codes:
{codes}
"""


def _overview_line(command: Command) -> str:
    return f"  {command.name:<10} {command.usage:<12} {command.summary}"


def find_command(name: str) -> Command:
    """Return a command by its name; raise UsageError with the nearest name if there is none."""
    if name not in COMMANDS:
        from difflib import get_close_matches

        near = get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"see `{PROGRAM} --help`"
        raise UsageError(f"{name} is not a command; {hint}")
    return COMMANDS[name]


def _log_to_stderr(level: int) -> None:
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger().setLevel(level)
    redact_logs()


def _outcome(error: BaseException, name: str) -> Outcome | None:
    """Map an exception to the command's outcome; None for a bug, whose traceback is shown."""
    match error:
        case KeyboardInterrupt():
            return _stopped(name)
        case UsageError() if was_interrupted():  # a library turned the interrupt into an error of its own
            return _stopped(name)
        case CommandError():
            return Outcome(error.exit_code, str(error))
        case BrokenPipeError():  # the reader closed the pipe, as `| head` does
            return Outcome(ExitCode.DONE, "", is_output_lost=True)
        case Exception() if was_interrupted():
            return _stopped(name)
        case OSError(errno=number, filename=None) if number in DISK_ERRORS:
            return Outcome(ExitCode.CANNOT_WRITE, f"cannot write the output: {error.strerror}", is_output_lost=True)
        case BaseException() if type(error).__name__ == "PanicException":  # from Rust, with no class to import
            return Outcome(ExitCode.FAILED, f"a library failed: {error}")
    return None


def _stopped(name: str) -> Outcome:
    is_resumable = name in COMMANDS and COMMANDS[name].is_resumable
    hint = "; run the same command again to resume" if is_resumable else ""
    return Outcome(ExitCode.INTERRUPTED, f"stopped{hint}")


def _discard_output() -> None:
    """Discard buffered output, which Python would otherwise try to write again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
