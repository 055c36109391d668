"""Commands that hand models over: export, import."""

from pathlib import Path

from tinystories_lm.cli.parser import PRECISIONS, PROGRAM, RUN_HELP, Parser
from tinystories_lm.system.stdio import escape_controls


def export(arguments: list[str]) -> None:
    parser = Parser(
        prog=f"{PROGRAM} export",
        description="Write a run's model as a folder that transformers loads with no code of ours, and read it back.",
    )
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    parser.add_argument("folder", metavar="DIR", type=Path, help="new or empty")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32", help="of the stored weights")
    parser.add_argument("--gguf", action="store_true", help="a GGUF file too, for llama.cpp")
    options = parser.parse_args(arguments)
    from tinystories_lm.config.choices import Precision
    from tinystories_lm.interop.export import export_run

    print(export_run(options.run, options.folder, precision=Precision(options.precision), with_gguf=options.gguf))


def import_(arguments: list[str]) -> None:
    parser = Parser(
        prog=f"{PROGRAM} import",
        description="Make a run of a folder that holds a Llama-shaped model (safetensors) and its tokenizer, "
        "to sample and evaluate it here.",
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="with config.json, tokenizer.json, *.safetensors")
    parser.add_argument("run", metavar="RUN", type=Path, help="the run folder to make: new or empty")
    parser.add_argument("overrides", nargs="*", help="what to evaluate it on, such as data=wikitext2 data.path=FOLDER")
    options = parser.parse_args(arguments)
    from tinystories_lm.config.compose import compose_config, register

    register()
    config = compose_config(options.overrides).config
    from tinystories_lm.interop.import_model import import_run

    print(escape_controls(str(import_run(options.folder, options.run, config))))
