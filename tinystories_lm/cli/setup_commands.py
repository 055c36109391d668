"""Commands that set up the program: completion."""

from argparse import Namespace

from tinystories_lm.cli.command import PROGRAM, Command, argument
from tinystories_lm.config.hydra_flags import SHELLS


def completion(options: Namespace) -> None:
    from tinystories_lm.cli.completion.complete import UNINSTALL, script

    print(UNINSTALL[options.shell] if options.uninstall else script(options.shell), end="")


COMMANDS = (
    Command(
        name="completion",
        usage="SHELL",
        summary="complete commands, runs and settings with TAB",
        description="Print the code by which a shell completes commands, flags, runs, presets, choices, settings and "
        "their values.",
        epilog=f"""bash and zsh: eval "$({PROGRAM} completion bash)"; fish: {PROGRAM} completion fish | source""",
        run=completion,
        arguments=(
            argument("shell", metavar="SHELL", choices=SHELLS, help=", ".join(SHELLS)),
            argument("--uninstall", action="store_true", help="print the code that removes it again"),
        ),
    ),
)
