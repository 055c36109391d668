"""The command line: which command, which run, and what is said when it cannot be.

Answers --help and --cfg without importing torch; whatever a command needs is imported inside it.
"""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from tinystories_lm import __version__
from tinystories_lm.errors import CommandError, ExitCode, UsageError
from tinystories_lm.signals import sigterm_as_interrupt

PROGRAM = "tinystories-lm"
RUN_HELP = "a run folder, a preset's name (its newest run) or `latest`"
DEVICES = ("cpu", "cuda", "mps", "auto")
PRECISIONS = ("float32", "bfloat16")

OVERVIEW = f"""\
Train small language models from scratch, reproducibly, cheaply, and with understanding.

  {PROGRAM} train    [overrides]   train a model: experiment=smoke, round1 … round4; -m sweeps
  {PROGRAM} prepare  [overrides]   corpus, tokenizer and token cache, and stop
  {PROGRAM} plan     [overrides]   parameters, tokens, memory, time and dollars, before they are paid for
  {PROGRAM} sweep    NAME          many runs in one line: planned, run apart, gone on with, compared
  {PROGRAM} sample   RUN           write with a trained model; --grid compares ways of drawing
  {PROGRAM} runs     [FILTER]      what there is: status, verdict, size, steps, loss, dollars, age
  {PROGRAM} diagnose RUN           what limited the run, with the evidence, and what to do next
  {PROGRAM} replay   RUN           the same run again: identical, or where it first differs
  {PROGRAM} evaluate RUN           the whole validation split, and how good its stories are
  {PROGRAM} report   [RUN …]       one HTML page that compares runs: curves, table, settings, stories
  {PROGRAM} scaling  SWEEP         a law of size and tokens from a sweep, and what it foretells
  {PROGRAM} export   RUN DIR       a folder that transformers loads; --gguf for llama.cpp
  {PROGRAM} import   DIR RUN       a Llama-shaped folder as a run
  {PROGRAM} dashboard [PROJECT]    a workspace in W&B for these runs

An override is a setting and its value: {PROGRAM} train experiment=round2 training.steps=500
`{PROGRAM} COMMAND --help` tells more. RUN is a run folder, a preset's name (its newest run) or `latest`.
Exit codes: 0 done, 1 failed, 2 wrong usage, configuration or hardware, 3 data or checkpoint damaged,
5 cannot write, 6 diverged, 7 made by a newer version, 8 run folder in use, 75 stopped, run again to go on.
"""


def main() -> None:
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Carry out one command line; returns its exit code."""
    commands: dict[str, Callable[[list[str]], None]] = {
        "train": train,
        "prepare": prepare,
        "plan": plan,
        "sweep": sweep,
        "sample": sample,
        "runs": runs,
        "diagnose": diagnose,
        "replay": replay,
        "evaluate": evaluate,
        "report": report,
        "scaling": scaling,
        "export": export,
        "import": import_,
        "dashboard": dashboard,
    }
    name, *rest = arguments or ["--help"]
    if name in ("--help", "-h"):
        print(OVERVIEW, end="")
        return ExitCode.DONE
    if name == "--version":
        print(f"{PROGRAM} {__version__}")
        return ExitCode.DONE
    if name not in commands:
        print(f"{PROGRAM}: {name}: there is no such command; choose one of {', '.join(commands)}", file=sys.stderr)
        return ExitCode.USAGE
    sigterm_as_interrupt()
    try:
        commands[name](rest)
    except CommandError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        goes_on = ": run the same command again to go on" if name in ("train", "prepare", "sweep") else ""
        print(f"{PROGRAM}: stopped{goes_on}", file=sys.stderr)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.DONE


def train(arguments: list[str]) -> None:
    from tinystories_lm.entry import train

    train(arguments)


class Parser(argparse.ArgumentParser):
    """One line for wrong usage, as for every other mistake."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog.removeprefix(PROGRAM).strip()}: {message}; `{self.prog} --help` tells more")


def prepare(arguments: list[str]) -> None:
    parser = Parser(
        prog=f"{PROGRAM} prepare",
        description="Read a corpus, train its tokenizer and write its token cache, so that training starts at once.",
    )
    parser.add_argument("overrides", nargs="*", help="settings, such as data=wikitext2 data.path=FOLDER")
    options = parser.parse_args(arguments)
    from tinystories_lm.composition import compose_config, register

    register()
    config = compose_config(options.overrides).config
    log_to_stderr()
    from tinystories_lm.data.cache import prepare as prepare_cache

    cache = prepare_cache(config.data)
    for split, found in cache.splits.items():
        print(f"{split}: {found.tokens.size:,} tokens, {found.documents:,} documents, {found.bytes:,} bytes")
    print(f"tokenizer of {cache.vocab_size:,} entries and token cache in {cache.folder}")


def plan(arguments: list[str]) -> None:
    parser = Parser(
        prog=f"{PROGRAM} plan",
        description="What a run would be: parameters, tokens, operations, memory, time and dollars on each hardware, "
        "and what is likely to limit it. Trains nothing.",
    )
    parser.add_argument("overrides", nargs="*", help="settings, as for train: experiment=round2")
    parser.add_argument("--calibrate", action="store_true", help="time a few steps on this computer, and remember it")
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
    options = parser.parse_intermixed_args(arguments)
    from tinystories_lm.composition import compose_config, register
    from tinystories_lm.files import to_json
    from tinystories_lm.plan import as_record, describe, make_plan

    register()
    overrides = options.overrides
    if options.calibrate:
        from tinystories_lm.calibration import calibrate
        from tinystories_lm.entry import settle

        (job,), overrides = settle(overrides, multirun=False, config_dir=None)
        calibrate(job.config)
    found = make_plan(compose_config(overrides).config)
    print(to_json(as_record(found), indent=2) if options.json else describe(found))


def sweep(arguments: list[str]) -> None:
    parser = Parser(
        prog=f"{PROGRAM} sweep",
        description="Run a named sweep of conf/sweep, each run in a process of its own. The same line again goes on "
        "with what is not done; a wider one runs only what is new.",
        epilog=f"Any setting may be swept: {PROGRAM} sweep size_by_steps training.steps=200,400 training.seed=0,1",
    )
    parser.add_argument("name", metavar="NAME", help="a sweep of conf/sweep, such as size_by_steps or learning_rate")
    parser.add_argument("overrides", nargs="*", help="settings for all its runs; they win over those of the sweep")
    parser.add_argument("--dry-run", action="store_true", help="show the table of runs, and stop")
    parser.add_argument("--parallel", type=positive, default=0, help="runs at a time (one for each GPU, one on a CPU)")
    parser.add_argument(
        "--deadline-minutes",
        type=float,
        default=0.0,
        help="of a single run (its training.max_hours): it saves and ends",
    )
    parser.add_argument("--config-dir", metavar="DIR", help="a folder of your own presets and sweeps, beside conf/")
    parser.add_argument("--json", action="store_true", help="the last table as one JSON object a run, for programs")
    options = parser.parse_intermixed_args(arguments)
    from tinystories_lm.files import to_json
    from tinystories_lm.sweep.run import Options, raise_for_failures
    from tinystories_lm.sweep.run import sweep as run_sweep
    from tinystories_lm.sweep.tables import describe_results, results

    log_to_stderr()
    asked = Options(
        dry_run=options.dry_run,
        parallel=options.parallel,
        deadline_minutes=options.deadline_minutes,
        config_dir=options.config_dir,
    )
    members = run_sweep(options.name, options.overrides, asked)
    if options.json:
        print("\n".join(to_json(results(member)) for member in members))
    elif not options.dry_run:
        print(describe_results(members))
    if not options.dry_run:
        raise_for_failures(members)


def sample(arguments: list[str]) -> None:
    parser = Parser(
        prog=f"{PROGRAM} sample",
        description="Write with a trained model. What is not given here is as the run's config has it.",
    )
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    parser.add_argument("--prompt", action="append", help="what a text begins with; empty for one of the model's own")
    parser.add_argument("--temperature", type=float, help="0 takes the likeliest token")
    parser.add_argument("--top-k", type=int, help="draw among the k likeliest tokens; 0 among all")
    parser.add_argument("--top-p", type=float, help="draw among the likeliest tokens that hold this probability")
    parser.add_argument("--min-p", type=float, help="leave out tokens below this share of the likeliest one's")
    parser.add_argument("--repetition-penalty", type=float, help="above 1: tokens seen before become less likely")
    parser.add_argument(
        "--no-repeat-ngram", type=int, help="never write a sequence of so many tokens twice; 0 allows it"
    )
    parser.add_argument("--seed", type=int, help="of the first text; the next ones take the numbers after it")
    parser.add_argument("--count", type=int, help="how many texts for each prompt")
    parser.add_argument("--max-tokens", type=int, help="longest continuation")
    parser.add_argument("--stop", action="append", help="end before this string; may be given again")
    parser.add_argument(
        "--beyond-context",
        action="store_true",
        default=None,
        help="where the context is full, read its last half again and go on",
    )
    parser.add_argument("--device", choices=DEVICES, default="cpu", help="cpu (the default), cuda, mps, or auto")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32", help="of the weights")
    parser.add_argument("--grid", action="store_true", help="measure the stories of many settings side by side")
    parser.add_argument("--json", action="store_true", help="one JSON object a text, or a setting, for programs")
    options = parser.parse_args(arguments)
    from tinystories_lm.config import Device, Precision

    own = ("run", "prompt", "device", "precision", "grid", "json")
    settings = {key: value for key, value in vars(options).items() if key not in own and value is not None}
    if options.grid:
        if options.prompt is not None:
            raise UsageError("sample: --grid writes from a fixed set of prompts: leave --prompt out")
        from tinystories_lm.grid import compare

        compare(
            options.run,
            sys.stdout,
            settings=settings,
            device=Device(options.device),
            precision=Precision(options.precision),
            as_json=options.json,
        )
        return
    from tinystories_lm.storyteller import tell

    tell(
        options.run,
        sys.stdout,
        prompts=options.prompt,
        settings=settings,
        device=Device(options.device),
        precision=Precision(options.precision),
        as_json=options.json,
    )


def runs(arguments: list[str]) -> None:
    from tinystories_lm.listing import SORTS

    parser = Parser(prog=f"{PROGRAM} runs", description="What there is under outputs/, the newest first.")
    parser.add_argument("filter", nargs="*", help="words that a run's folder, name, status or verdict must hold")
    parser.add_argument("--sort", choices=SORTS, default="age", help="by what (age)")
    parser.add_argument("--json", action="store_true", help="one JSON object a run, for programs")
    options = parser.parse_args(arguments)
    from tinystories_lm.files import to_json
    from tinystories_lm.listing import as_records, describe, list_runs

    found = list_runs(options.filter, sort=options.sort)
    if options.json:
        for record in as_records(found):
            print(to_json(record))
    else:
        print(describe(found) if found else f"no run holds {' and '.join(options.filter)}")


def diagnose(arguments: list[str]) -> None:
    parser = Parser(
        prog=f"{PROGRAM} diagnose",
        description="The verdict on a run: diverged, data-bound, undertrained, capacity-bound or healthy, and whether "
        "its samples loop; the numbers it rests on, and the next thing to do. Thresholds are the run's (verdict.*).",
    )
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
    options = parser.parse_args(arguments)
    from tinystories_lm.files import to_json
    from tinystories_lm.run_folder import find_run
    from tinystories_lm.verdict import as_record, describe
    from tinystories_lm.verdict import diagnose as judge_run

    found = judge_run(find_run(options.run))
    print(to_json(as_record(found), indent=2) if options.json else describe(found))


def replay(arguments: list[str]) -> None:
    parser = Parser(
        prog=f"{PROGRAM} replay",
        description="Train a run once more from its stored config, in a folder of its own, and compare: identical bit "
        "for bit (exit 0), or where it first differs and under which other conditions (exit 1).",
    )
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    parser.add_argument("--folder", metavar="DIR", type=Path, help="of the second run (a new one in outputs/replays)")
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
    options = parser.parse_args(arguments)
    log_to_stderr()
    from tinystories_lm.files import to_json
    from tinystories_lm.replay import replay as replay_run

    found = replay_run(options.run, folder=options.folder)
    print(to_json(found.as_record(), indent=2) if options.json else found.describe())
    if found.difference is not None:
        raise CommandError(f"{found.replay} is not the same run as {found.original}")


def evaluate(arguments: list[str]) -> None:
    parser = Parser(
        prog=f"{PROGRAM} evaluate",
        description="Score the whole validation split, every token with context before it, and measure the model's "
        "stories beside held-out ones. Writes evaluation.json into the run folder.",
    )
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    parser.add_argument("--stories", type=positive, default=48, help="how many the model writes (48)")
    parser.add_argument("--max-tokens", type=positive, default=256, help="of a story (256)")
    parser.add_argument("--stride", type=positive, help="tokens between two windows (half the context)")
    parser.add_argument("--data-path", metavar="PATH", help="where the run's corpus lies now")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="cpu, cuda, mps, or auto (the default)")
    parser.add_argument(
        "--precision", choices=("auto", *PRECISIONS), default="auto", help="auto is bfloat16 where it is native"
    )
    parser.add_argument("--json", action="store_true", help="print evaluation.json, for programs")
    options = parser.parse_args(arguments)
    from tinystories_lm.config import Device, Precision
    from tinystories_lm.evaluation import Options, describe, evaluate
    from tinystories_lm.files import to_json

    log_to_stderr()
    asked = Options(
        stories=options.stories,
        max_tokens=options.max_tokens,
        stride_tokens=options.stride or 0,
        data_path=options.data_path,
        device=Device(options.device),
        precision=Precision(options.precision),
    )
    found = evaluate(options.run, asked)
    print(to_json(found, indent=2) if options.json else describe(found))


def report(arguments: list[str]) -> None:
    parser = Parser(
        prog=f"{PROGRAM} report",
        description="One HTML page that compares runs: curves, table, settings that differ, stories. Needs no network.",
    )
    parser.add_argument(
        "names",
        metavar="RUN|SWEEP|FOLDER",
        nargs="*",
        help="runs, sweeps, or folders with runs below; everything under outputs/ where none is named",
    )
    parser.add_argument("--out", metavar="FILE", type=Path, help="the page (outputs/report.html)")
    parser.add_argument("--watch", action="store_true", help="write it again every few seconds, until Ctrl-C")
    parser.add_argument("--json", action="store_true", help="print the table instead, for programs")
    options = parser.parse_args(arguments)
    from tinystories_lm.files import to_json
    from tinystories_lm.report.gather import Reader
    from tinystories_lm.report.page import to_record
    from tinystories_lm.report.report import OUT, gather, watch, write_report

    if options.json:
        if options.watch or options.out:
            raise UsageError("report: --json prints the table and writes no page: leave --out and --watch out")
        print(to_json(to_record(gather(options.names, Reader())), indent=2))
    elif options.watch:
        print(watch(options.names, options.out or OUT))
    else:
        print(write_report(options.names, options.out or OUT, reader=Reader()))


def scaling(arguments: list[str]) -> None:
    parser = Parser(
        prog=f"{PROGRAM} scaling",
        description="Fit L(N, D) = E + A/N^alpha + B/D^beta to a sweep's finished runs, say how far it can be trusted, "
        "and foretell runs. Writes scaling.svg and scaling.json into the sweep's folder.",
    )
    parser.add_argument("sweep", metavar="SWEEP", help="a sweep's name, or a folder of run folders")
    parser.add_argument(
        "--predict",
        metavar="OVERRIDE",
        action="append",
        nargs="+",
        default=[],
        help="loss, time and dollars of such a run: experiment=round4; may be given again",
    )
    parser.add_argument("--dollars", type=float, metavar="X", help="the best size and tokens for so much")
    parser.add_argument("--json", action="store_true", help="print scaling.json, for programs")
    options = parser.parse_args(arguments)
    from tinystories_lm.files import to_json
    from tinystories_lm.scaling.analysis import analyse, to_record
    from tinystories_lm.scaling.wording import describe

    found = analyse(options.sweep, predict=options.predict, dollars=options.dollars)
    print(to_json(to_record(found), indent=2) if options.json else describe(found))


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
    from tinystories_lm.config import Precision
    from tinystories_lm.exchange.export import export_run

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
    from tinystories_lm.composition import compose_config, register

    register()
    config = compose_config(options.overrides).config
    from tinystories_lm.exchange.importing import import_run

    print(import_run(options.folder, options.run, config))


def dashboard(arguments: list[str]) -> None:
    parser = Parser(
        prog=f"{PROGRAM} dashboard",
        description="Make a W&B workspace with the sections Rounds, Scaling, Speed & cost and Samples.",
    )
    parser.add_argument("project", metavar="PROJECT", nargs="?", default="tinystories_lm", help="(tinystories_lm)")
    parser.add_argument("--entity", help="user or team (yours)")
    parser.add_argument("--json", action="store_true", help="print what would be sent, and send nothing")
    options = parser.parse_args(arguments)
    from tinystories_lm.dashboard import as_record, build_workspace, save
    from tinystories_lm.files import to_json

    if options.json:
        print(to_json(as_record(build_workspace(options.project, entity=options.entity or "you")), indent=2))
    else:
        print(save(options.project, entity=options.entity))


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} must be at least 1")
    return number


def log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
