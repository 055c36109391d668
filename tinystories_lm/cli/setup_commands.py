"""Commands about settings and the shell: config, explain, completion."""

from argparse import Namespace

from tinystories_lm.cli.command import CONFIG_DIR, PROGRAM, Command, Values, argument, json_flag
from tinystories_lm.config.hydra_flags import SHELLS
from tinystories_lm.system.stdio import escape_controls


def config(options: Namespace) -> None:
    from tinystories_lm.config.explanation import as_record, describe_all
    from tinystories_lm.system.json_files import to_ascii_json

    print(to_ascii_json(as_record(options.config_dir), indent=2) if options.json else describe_all())


def explain(options: Namespace) -> None:
    from tinystories_lm.config.explanation import explain

    print(escape_controls(explain(options.name, options.config_dir)))


def completion(options: Namespace) -> None:
    from tinystories_lm.cli.completion.complete import UNINSTALL, script

    print(UNINSTALL[options.shell] if options.uninstall else script(options.shell), end="")


COMMANDS = (
    Command(
        name="config",
        usage="",
        summary="list all settings; --json describes them to programs",
        description="List all settings with their defaults. With --json: groups, choices and settings, with type, "
        "unit, range, default, effect on results, and a line of help each.",
        run=config,
        arguments=(CONFIG_DIR, json_flag()),
    ),
    Command(
        name="explain",
        usage="KEY",
        summary="explain a setting, a group or a choice",
        description="Explain a setting: what it is, its unit, default and range, what it changes, and which choices "
        "and presets set it to what. A group or a section is listed.",
        run=explain,
        arguments=(
            argument(
                "name",
                metavar="KEY",
                help="a setting, a section, a group, or a choice: training.steps, training, model, model=tiny",
                values=Values.settings,
            ),
            CONFIG_DIR,
        ),
    ),
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
