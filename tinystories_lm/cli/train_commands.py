"""Commands that train a model or prepare for it: train, prepare, plan, sweep."""

import shlex
import sys
from argparse import Namespace

from tinystories_lm.cli.command import (
    CONFIG_DIR,
    PROGRAM,
    Command,
    Values,
    argument,
    json_flag,
    overrides,
    positive,
    positive_number,
)
from tinystories_lm.cli.search import SEARCH_ARGUMENTS, check_search_flags, search
from tinystories_lm.config.hydra_flags import FLAGS
from tinystories_lm.system.errors import UsageError


def train(options: Namespace) -> None:
    from tinystories_lm.cli.completion.complete import script_of_hydra

    if (script := script_of_hydra(options.words)) is not None:
        print(script, end="")
        return
    from tinystories_lm.cli.train import train

    train(options.words)


def prepare(options: Namespace) -> None:
    from tinystories_lm.config.compose import compose_config, register

    register()
    config = compose_config(options.overrides, config_dir=options.config_dir).config
    from tinystories_lm.data.token_cache import prepare

    cache = prepare(config.data)
    for split, found in cache.splits.items():
        print(f"{split}: {found.tokens.size:,} tokens, {found.documents:,} documents, {found.bytes:,} bytes")
    print(f"tokenizer of {cache.vocab_size:,} entries and token cache in {cache.folder}")
    if options.compile:
        from tinystories_lm.jobs.compile_ahead import compile_ahead
        from tinystories_lm.planning.preflight import Request, resolve
        from tinystories_lm.system.console import duration

        job = resolve(Request(tuple(options.overrides), config_dir=options.config_dir)).jobs[0]
        compiled, folder = compile_ahead(job)
        print(f"compiled in {duration(compiled.seconds)} with attention={compiled.machine.attention} in {folder}")


def plan(options: Namespace) -> None:
    from tinystories_lm.config.compose import register
    from tinystories_lm.planning.plan import as_record, compose_for_plan, describe, make_plan
    from tinystories_lm.system.json_files import to_ascii_json

    register()
    if options.calibrate:
        from tinystories_lm.planning.calibration import calibrate
        from tinystories_lm.planning.preflight import Request, resolve

        config = resolve(Request(tuple(options.overrides), config_dir=options.config_dir)).jobs[0].config
        calibrate(config)
    else:
        config = compose_for_plan(options.overrides, config_dir=options.config_dir)
    found = make_plan(config)
    print(to_ascii_json(as_record(found), indent=2) if options.json else describe(found))


def describe_sweep_name() -> str:
    from tinystories_lm.config.presets import choices_of

    return f"{', '.join(choices_of('sweep'))}, or a sweep of your own"


def presets(options: Namespace) -> None:
    from tinystories_lm.config.compose import register
    from tinystories_lm.planning.presets import as_records, describe, list_presets
    from tinystories_lm.system.json_files import to_ascii_json

    register()
    found = list_presets(options.config_dir)
    print("\n".join(map(to_ascii_json, as_records(found))) if options.json else describe(found))


def sweep(options: Namespace) -> None:
    if options.search:
        if options.zip or options.fail_fast:
            raise UsageError("sweep: --zip and --fail-fast have no effect on a search: remove them, or --search")
        search(options)
        return
    check_search_flags(options)
    from tinystories_lm.sweeps.sweep import raise_for_failures, sweep
    from tinystories_lm.sweeps.tables import as_record, describe_results
    from tinystories_lm.system.json_files import to_ascii_json

    members = sweep(
        options.name,
        options.overrides,
        config_dir=options.config_dir,
        dry_run=options.dry_run,
        parallel=options.parallel,
        deadline_minutes=options.deadline_minutes,
        fail_fast=options.fail_fast,
        zipped=options.zip,
    )
    if options.json:
        print("\n".join(to_ascii_json(as_record(member)) for member in members))
    elif not options.dry_run:
        print(describe_results(members))
        folder = shlex.quote(str(members[0].run.path.parent))
        print(f"the runs are in {folder}; next, try:\n  {PROGRAM} report {folder}", file=sys.stderr)
    if not options.dry_run:
        raise_for_failures(members)


TRAIN_ARGUMENTS = (
    argument("overrides", nargs="*", values=Values.overrides_or_run),
    *(
        argument(*flag.names, help=flag.help, choices=flag.choices or None, values=Values.folders)
        if flag.choices or flag.metavar
        else argument(*flag.names, help=flag.help, action="store_true")
        for flag in FLAGS
    ),
)
COMMANDS = (
    Command(
        name="train",
        usage="[overrides]",
        summary="train (experiment=smoke), or resume a RUN; -m sweeps",
        run=train,
        arguments=TRAIN_ARGUMENTS,
        reads_words=True,
        outlives_terminal=True,
        is_resumable=True,
    ),
    Command(
        name="prepare",
        usage="[overrides]",
        summary="write the tokenizer and the token cache of a corpus",
        description="Read a corpus, train its tokenizer and write its token cache, so that training starts at once.",
        run=prepare,
        arguments=(
            overrides("settings, such as data=wikitext2 data.path=FOLDER"),
            argument("--compile", action="store_true", help="also compile the model for this machine"),
            CONFIG_DIR,
        ),
        intermixed=True,
        shows_progress=True,
        outlives_terminal=True,
        is_resumable=True,
    ),
    Command(
        name="presets",
        usage="",
        summary="list the presets: question, size and cost of each",
        description="List the presets of conf/experiment: the question of each, how to train it, its size, and what it "
        "costs on an H100.",
        run=presets,
        arguments=(CONFIG_DIR, json_flag("print one JSON object per line, for programs")),
    ),
    Command(
        name="plan",
        usage="[overrides]",
        summary="predict a run's parameters, memory, time and dollars",
        description="Predict a run: parameters, tokens, operations, memory, time and dollars on each hardware, and "
        "what is likely to limit it. Trains nothing.",
        run=plan,
        arguments=(
            overrides("settings, as for train: experiment=round2"),
            CONFIG_DIR,
            argument("--calibrate", action="store_true", help="time a few steps on this computer and remember them"),
            json_flag(),
        ),
        intermixed=True,
    ),
    Command(
        name="sweep",
        usage="NAME",
        summary="run a named sweep, resume it, compare its runs",
        description="Run a named sweep of conf/sweep, each run in a process of its own. The same command again resumes "
        "what is not done; a wider one runs only what is new.",
        epilog=f"Any setting may be swept: {PROGRAM} sweep size_by_steps training.steps=200,400 training.seed=0,1",
        run=sweep,
        arguments=(
            argument("name", metavar="NAME", help=describe_sweep_name, values=Values.named_sweeps),
            overrides("settings for all its runs; they override the sweep's own"),
            argument("--dry-run", action="store_true", help="print the table of runs and stop"),
            argument(
                "--parallel", type=positive, default=0, help="runs at a time (default: one for each GPU, one on a CPU)"
            ),
            argument(
                "--deadline-minutes",
                type=positive_number,
                default=0.0,
                help="end a run that takes longer (default: its training.max_hours)",
            ),
            argument("--fail-fast", action="store_true", help="start no further run after one has failed"),
            argument(
                "--zip",
                action="append",
                default=[],
                metavar="KEY=A,B:KEY=C,D",
                help="values that belong together: the first of each, the second of each; may be given several times",
            ),
            *SEARCH_ARGUMENTS,
            CONFIG_DIR,
            json_flag("print the last table as one JSON object a run, for programs"),
        ),
        intermixed=True,
        shows_progress=True,
        outlives_terminal=True,
        is_resumable=True,
    ),
)
