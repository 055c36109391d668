"""Commands that exchange models with other programs: export, import."""

from argparse import Namespace

from tinystories_lm.cli.command import Command
from tinystories_lm.cli.parser import Parser, add_overrides, add_precision, add_run
from tinystories_lm.system.stdio import escape_controls


def add_export_arguments(parser: Parser) -> None:
    from pathlib import Path

    add_run(parser)
    parser.add_argument("folder", metavar="DIR", type=Path, help="new or empty")
    add_precision(parser, default="float32", help="of the stored weights (float32)")
    parser.add_argument("--gguf", action="store_true", help="write a GGUF file too, for llama.cpp")


def export(options: Namespace) -> None:
    """Write a run's model for other programs and print a summary."""
    from tinystories_lm.config.choices import Precision
    from tinystories_lm.interop.export import export_run

    print(export_run(options.run, options.folder, precision=Precision(options.precision), with_gguf=options.gguf))


def add_import_arguments(parser: Parser) -> None:
    from pathlib import Path

    parser.add_argument("folder", metavar="DIR", type=Path, help="contains config.json, tokenizer.json, *.safetensors")
    parser.add_argument("run", metavar="RUN", type=Path, help="the run folder to make: new or empty")
    add_overrides(parser, "what to evaluate it on, such as data=wikitext2 data.path=FOLDER")


def import_(options: Namespace) -> None:
    """Make a run of another program's model and print a summary."""
    from tinystories_lm.config.compose import compose_config, register

    register()
    config = compose_config(options.overrides).config
    # It imports torch: a wrong setting is reported before.
    from tinystories_lm.interop.import_model import import_run

    print(escape_controls(str(import_run(options.folder, options.run, config))))


COMMANDS = (
    Command(
        name="export",
        arguments="RUN DIR",
        summary="write a folder that transformers loads; --gguf for llama.cpp",
        description="Write a run's model as a folder that transformers loads without code of ours, and read it back.",
        add_arguments=add_export_arguments,
        run=export,
    ),
    Command(
        name="import",
        arguments="DIR RUN",
        summary="make a run of a folder that holds a Llama-shaped model",
        description="Make a run of a folder that holds a Llama-shaped model (safetensors) and its tokenizer, "
        "to sample and evaluate it here.",
        add_arguments=add_import_arguments,
        run=import_,
    ),
)
