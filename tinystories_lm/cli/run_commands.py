"""Commands on runs: sample, runs, diagnose, replay, evaluate, upload."""

import sys
from pathlib import Path

from tinystories_lm.cli.parser import DEVICES, PRECISIONS, PROGRAM, RUN_HELP, Parser, log_to_stderr, positive
from tinystories_lm.system.errors import CommandError, UsageError


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
    from tinystories_lm.config.choices import Device, Precision

    own = ("run", "prompt", "device", "precision", "grid", "json")
    settings = {key: value for key, value in vars(options).items() if key not in own and value is not None}
    if options.grid:
        if options.prompt is not None:
            raise UsageError("sample: --grid writes from a fixed set of prompts: leave --prompt out")
        if options.stop is not None or options.beyond_context is not None:
            raise UsageError("sample: --grid writes whole stories: leave --stop and --beyond-context out")
        from tinystories_lm.evaluation.decoding_grid import compare

        compare(
            options.run,
            sys.stdout,
            settings=settings,
            device=Device(options.device),
            precision=Precision(options.precision),
            as_json=options.json,
        )
        return
    from tinystories_lm.generation.sample import tell

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
    from tinystories_lm.runs.listing import SORTS

    parser = Parser(prog=f"{PROGRAM} runs", description="What there is under outputs/, the newest first.")
    parser.add_argument(
        "filter", nargs="*", help="words that a run's folder, status, verdict or settings must hold: done gpt_2m"
    )
    parser.add_argument("--sort", choices=SORTS, default="age", help="by what (age)")
    parser.add_argument("--json", action="store_true", help="one JSON object a run, for programs")
    options = parser.parse_args(arguments)
    from tinystories_lm.runs.listing import as_records, describe, list_runs
    from tinystories_lm.system.files import to_json

    found = list_runs(options.filter, sort=options.sort)
    if options.json:
        for record in as_records(found):
            print(to_json(record))
    else:
        print(describe(found) if found else f"no run holds {' and '.join(options.filter)}")


def diagnose(arguments: list[str]) -> None:
    parser = Parser(
        prog=f"{PROGRAM} diagnose",
        description="The verdict on a run: diverged, too early, data-bound, undertrained, capacity-bound or healthy, "
        "and whether its samples loop; the numbers it rests on, and the next thing to do. Thresholds are the run's "
        "(verdict.*).",
    )
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
    options = parser.parse_args(arguments)
    from tinystories_lm.analysis.diagnose import as_record, describe
    from tinystories_lm.analysis.diagnose import diagnose as judge_run
    from tinystories_lm.runs.lookup import find_run
    from tinystories_lm.system.console import coloured
    from tinystories_lm.system.files import to_json

    found = judge_run(find_run(options.run))
    print(
        to_json(as_record(found), indent=2)
        if options.json
        else describe(found).replace(found.name, coloured(found.name), 1)
    )


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
    from tinystories_lm.jobs.replay import replay as replay_run
    from tinystories_lm.system.files import to_json

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
    from tinystories_lm.config.choices import Device, Precision
    from tinystories_lm.evaluation.evaluate import Options, describe, evaluate
    from tinystories_lm.system.files import to_json

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


def upload(arguments: list[str]) -> None:
    parser = Parser(
        prog=f"{PROGRAM} upload",
        description="Send W&B what it lacks of a run, from the run's own files: after a full disk, a killed service, "
        "or a machine without W&B's package. What lies offline, whole, `wandb sync` sends as well.",
    )
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    parser.add_argument("--anew", action="store_true", help="as a run of its own: rows missing in the middle, too")
    options = parser.parse_args(arguments)
    from tinystories_lm.tracking.upload import upload

    log_to_stderr()
    print(upload(options.run, anew=options.anew))
