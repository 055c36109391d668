"""Commands that train, or plan to: train, prepare, plan, sweep."""

from tinystories_lm.cli.parser import PROGRAM, Parser, log_to_stderr, positive, positive_number

CONFIG_DIR_HELP = "a folder of your own presets and sweeps, beside conf/"


def train(arguments: list[str]) -> None:
    from tinystories_lm.jobs.train import train

    train(arguments)


def prepare(arguments: list[str]) -> None:
    parser = Parser(
        prog=f"{PROGRAM} prepare",
        description="Read a corpus, train its tokenizer and write its token cache, so that training starts at once.",
    )
    parser.add_argument("overrides", nargs="*", help="settings, such as data=wikitext2 data.path=FOLDER")
    parser.add_argument("--config-dir", metavar="DIR", help=CONFIG_DIR_HELP)
    options = parser.parse_intermixed_args(arguments)
    from tinystories_lm.config.compose import compose_config, register

    register()
    config = compose_config(options.overrides, config_dir=options.config_dir).config
    log_to_stderr()
    from tinystories_lm.data.token_cache import prepare as prepare_cache

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
    parser.add_argument("--config-dir", metavar="DIR", help=CONFIG_DIR_HELP)
    parser.add_argument("--calibrate", action="store_true", help="time a few steps on this computer, and remember it")
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
    options = parser.parse_intermixed_args(arguments)
    from tinystories_lm.config.compose import compose_config, register
    from tinystories_lm.planning.plan import as_record, describe, make_plan
    from tinystories_lm.system.files import to_json

    register()
    overrides = options.overrides
    if options.calibrate:
        from tinystories_lm.planning.calibration import calibrate
        from tinystories_lm.planning.preflight import Request, resolve

        typed = compose_config(overrides, config_dir=options.config_dir).config
        launch = resolve(Request(tuple(overrides), config_dir=options.config_dir))
        overrides = list(launch.request.overrides)
        calibrate(launch.jobs[0].config, typed=typed)
    found = make_plan(compose_config(overrides, config_dir=options.config_dir).config)
    print(to_json(as_record(found), indent=2) if options.json else describe(found))


def sweep(arguments: list[str]) -> None:
    from tinystories_lm.config.compose import conf_folder

    named = ", ".join(sorted(file.stem for file in (conf_folder() / "sweep").glob("*.yaml")))
    parser = Parser(
        prog=f"{PROGRAM} sweep",
        description="Run a named sweep of conf/sweep, each run in a process of its own. The same line again goes on "
        "with what is not done; a wider one runs only what is new.",
        epilog=f"Any setting may be swept: {PROGRAM} sweep size_by_steps training.steps=200,400 training.seed=0,1",
    )
    parser.add_argument("name", metavar="NAME", help=f"one of {named}, or of your own")
    parser.add_argument("overrides", nargs="*", help="settings for all its runs; they win over those of the sweep")
    parser.add_argument("--dry-run", action="store_true", help="show the table of runs, and stop")
    parser.add_argument("--parallel", type=positive, default=0, help="runs at a time (one for each GPU, one on a CPU)")
    parser.add_argument(
        "--deadline-minutes",
        type=positive_number,
        default=0.0,
        help="of a single run (its training.max_hours): it saves and ends",
    )
    parser.add_argument("--config-dir", metavar="DIR", help=CONFIG_DIR_HELP)
    parser.add_argument("--json", action="store_true", help="the last table as one JSON object a run, for programs")
    options = parser.parse_intermixed_args(arguments)
    from tinystories_lm.sweeps.sweep import Options, raise_for_failures
    from tinystories_lm.sweeps.sweep import sweep as run_sweep
    from tinystories_lm.sweeps.tables import describe_results, results
    from tinystories_lm.system.files import to_json

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
