"""List all commands: `--help`, dispatch, suggestions and the documentation read them here."""

from tinystories_lm.cli import compare_commands, interop_commands, run_commands, train_commands
from tinystories_lm.cli.command import Command
from tinystories_lm.cli.parser import PROGRAM
from tinystories_lm.system.errors import ExitCode, UsageError

GROUPS = {
    "Train": train_commands.COMMANDS,
    "Inspect runs": run_commands.COMMANDS,
    "Compare and publish": compare_commands.COMMANDS,
    "Exchange models": interop_commands.COMMANDS,
}
COMMANDS = {command.name: command for group in GROUPS.values() for command in group}


def overview() -> str:
    """Return what `--help` prints."""
    groups = "\n\n".join("\n".join([f"{title}:", *map(_line, commands)]) for title, commands in GROUPS.items())
    codes = "\n".join(f"  {code:>2}  {code.meaning}" for code in ExitCode)
    return f"""\
Train small language models from scratch: reproducibly, cheaply, and with understanding.

Usage: {PROGRAM} COMMAND [arguments]

{groups}

An override is a setting and its value: {PROGRAM} train experiment=round2 training.steps=500
RUN is a run folder, a preset's name (its newest run) or `latest`.
`{PROGRAM} COMMAND --help` describes a command's arguments.

Exit codes:
{codes}
"""


def _line(command: Command) -> str:
    return f"  {command.name:<10} {command.arguments:<12} {command.summary}"


def find_command(name: str) -> Command:
    """Return a command by its name; raise UsageError with the nearest name if there is none."""
    if name not in COMMANDS:
        from difflib import get_close_matches

        near = get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"see `{PROGRAM} --help`"
        raise UsageError(f"{name} is not a command; {hint}")
    return COMMANDS[name]
