"""Commands that exchange models with other programs: export, import."""

from argparse import Namespace
from pathlib import Path

from tinystories_lm.cli.command import RUN, Command, Values, argument, overrides, precision
from tinystories_lm.config.choices import Precision
from tinystories_lm.system.stdio import escape_controls


def export(options: Namespace) -> None:
    from tinystories_lm.interop.export import export_run

    print(export_run(options.run, options.folder, precision=Precision(options.precision), with_gguf=options.gguf))


def import_(options: Namespace) -> None:
    from tinystories_lm.config.compose import compose_config, register

    register()
    config = compose_config(options.overrides).config
    # It imports torch: a wrong setting is reported before.
    from tinystories_lm.interop.import_model import import_run

    print(escape_controls(str(import_run(options.folder, options.run, config))))


COMMANDS = (
    Command(
        name="export",
        usage="RUN DIR",
        summary="write a folder for transformers; --gguf for llama.cpp",
        description="Write a run's model as a folder that transformers loads without code of ours, and read it back.",
        run=export,
        arguments=(
            RUN,
            argument("folder", metavar="DIR", type=Path, help="new or empty", values=Values.folders),
            precision(default="float32", help="of the stored weights (float32)"),
            argument("--gguf", action="store_true", help="write a GGUF file too, for llama.cpp"),
        ),
    ),
    Command(
        name="import",
        usage="DIR RUN",
        summary="make a run of a folder with a Llama-shaped model",
        description="Make a run of a folder that holds a Llama-shaped model (safetensors) and its tokenizer, "
        "to sample and evaluate it here.",
        run=import_,
        arguments=(
            argument(
                "folder",
                metavar="DIR",
                type=Path,
                help="contains config.json, tokenizer.json, *.safetensors",
                values=Values.folders,
            ),
            argument(
                "run", metavar="RUN", type=Path, help="the run folder to make: new or empty", values=Values.folders
            ),
            overrides("what to evaluate it on, such as data=wikitext2 data.path=FOLDER"),
        ),
    ),
)
