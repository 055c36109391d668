"""Commands that inspect one run or list all: runs, show, diff, sample, diagnose, evaluate, replay."""

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from tinystories_lm.cli.command import RUN, Command, Values, argument, device, json_flag, positive, precision
from tinystories_lm.config.choices import Device, Precision, RunOrder
from tinystories_lm.system.errors import CommandError, UsageError


def runs(options: Namespace) -> None:
    from dataclasses import asdict
    from shutil import get_terminal_size

    from tinystories_lm.runs.listing import describe, list_runs
    from tinystories_lm.system.json_files import to_ascii_json

    if options.delete and not options.filter:
        raise UsageError("runs: --delete deletes the runs that match; name a sweep, a run or a word of theirs")
    found = list_runs(options.filter, sort=RunOrder(options.sort))
    if options.json:
        for run in found:
            print(to_ascii_json(asdict(run)))
    elif found:
        print(describe(found, columns=get_terminal_size().columns))
    else:
        print(f"no run matches {' and '.join(options.filter)}")
    if options.delete and found:
        _delete([Path(run.run) for run in found], confirmed=options.yes)


def _delete(folders: Sequence[Path], *, confirmed: bool) -> None:
    from tinystories_lm.runs.deletion import delete_runs, size_of
    from tinystories_lm.runs.folder import RunFolder
    from tinystories_lm.system.console import counted, storage

    runs = [RunFolder(folder) for folder in folders]
    what = f"{counted(len(runs), 'run')}, {storage(sum(map(size_of, runs)))}"
    if not confirmed:
        if not sys.stdin.isatty():
            raise UsageError("runs: --delete asks before it deletes, and no terminal can answer; add --yes")
        print(f"delete {what}, with their checkpoints? [y/N] ", end="", flush=True, file=sys.stderr)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            print("nothing was deleted", file=sys.stderr)
            return
    delete_runs(runs)
    print(f"deleted {what}", file=sys.stderr)


def show(options: Namespace) -> None:
    from tinystories_lm.analysis.show import as_record, describe, read_shown
    from tinystories_lm.runs.lookup import find_run
    from tinystories_lm.system.json_files import to_ascii_json

    found = read_shown(find_run(options.run))
    print(to_ascii_json(as_record(found), indent=2, default=str) if options.json else describe(found))


def diff(options: Namespace) -> None:
    from dataclasses import asdict

    from tinystories_lm.analysis.diff import compare, describe
    from tinystories_lm.runs.lookup import find_run
    from tinystories_lm.system.json_files import to_ascii_json

    found = compare(find_run(options.run), find_run(options.other))
    if options.json:
        print(to_ascii_json(asdict(found), indent=2, default=str))
    else:
        print(describe(found))


def sample(options: Namespace) -> None:
    own = ("run", "prompt", "device", "precision", "grid", "json")
    settings = {key: value for key, value in vars(options).items() if key not in own and value is not None}
    device, precision = Device(options.device), Precision(options.precision)
    if not options.grid:
        from tinystories_lm.generation.sample import sample

        sample(
            options.run,
            sys.stdout,
            prompts=options.prompt,
            settings=settings,
            device=device,
            precision=precision,
            as_json=options.json,
        )
        return
    if options.prompt is not None:
        raise UsageError("sample: --grid writes from a fixed set of prompts; leave --prompt out")
    if options.stop is not None or options.beyond_context is not None:
        raise UsageError("sample: --grid writes whole stories; leave --stop and --beyond-context out")
    from tinystories_lm.evaluation.decoding_grid import compare

    compare(options.run, sys.stdout, settings=settings, device=device, precision=precision, as_json=options.json)


def diagnose(options: Namespace) -> None:
    from tinystories_lm.analysis.diagnose import as_record, describe, diagnose
    from tinystories_lm.runs.lookup import find_run
    from tinystories_lm.system.console import coloured
    from tinystories_lm.system.json_files import to_ascii_json

    found = diagnose(find_run(options.run))
    if options.json:
        print(to_ascii_json(as_record(found), indent=2))
    else:
        print(describe(found).replace(found.name, coloured(found.name), 1))


def evaluate(options: Namespace) -> None:
    from tinystories_lm.evaluation.evaluate import describe, evaluate
    from tinystories_lm.system.json_files import to_ascii_json

    found = evaluate(
        options.run,
        n_stories=options.stories,
        max_tokens=options.max_tokens,
        stride_tokens=options.stride or 0,
        data_path=options.data_path,
        device=Device(options.device),
        precision=Precision(options.precision),
    )
    print(to_ascii_json(found, indent=2) if options.json else describe(found))


def replay(options: Namespace) -> None:
    from tinystories_lm.jobs.replay import replay
    from tinystories_lm.system.json_files import to_ascii_json

    found = replay(options.run, folder=options.folder)
    print(to_ascii_json(found.as_record(), indent=2) if options.json else found.describe())
    if found.difference is not None:
        raise CommandError(f"{found.replay} differs from {found.original}")


COMMANDS = (
    Command(
        name="runs",
        usage="[FILTER]",
        summary="list runs: settings, status, verdict, loss, cost",
        description="List the runs under outputs/, newest first, as many columns as the terminal has room for, or "
        "delete some.",
        run=runs,
        arguments=(
            argument(
                "filter",
                nargs="*",
                help="a sweep, or words that a run's folder, status, verdict or settings must contain: done gpt_2m",
                values=Values.runs_and_sweeps,
            ),
            argument("--delete", action="store_true", help="delete the runs that match, after a question"),
            argument("--yes", action="store_true", help="with --delete: do not ask"),
            argument("--sort", choices=[*map(str, RunOrder)], default="age", help="sort key (age)"),
            json_flag("print one JSON object a run, for programs"),
        ),
    ),
    Command(
        name="show",
        usage="RUN",
        summary="show one run: its command, figures and loss curve",
        description="Show one run: the command that started it, how far it came, its figures, its verdict and its "
        "validation loss as a line of bars. With --json also all its settings.",
        run=show,
        arguments=(RUN, json_flag()),
    ),
    Command(
        name="diff",
        usage="RUN RUN",
        summary="compare two runs: settings, conditions and losses",
        description="Compare two runs: the settings, versions, machines and texts that differ, their figures, and the "
        "first step at which their losses differ.",
        run=diff,
        arguments=(
            RUN,
            argument("other", metavar="RUN", help="the run to compare it with", values=Values.runs),
            json_flag(),
        ),
    ),
    Command(
        name="sample",
        usage="RUN",
        summary="write text with a model; --grid compares decoding",
        description="Write text with a trained model. Settings that are not given come from the run's config.",
        run=sample,
        arguments=(
            RUN,
            argument("--prompt", action="append", help="start of a text; empty for a text of the model's own"),
            argument("--temperature", type=float, help="0 takes the likeliest token"),
            argument("--top-k", type=int, help="draw from the k likeliest tokens; 0 draws from all"),
            argument("--top-p", type=float, help="draw from the likeliest tokens that hold this probability"),
            argument("--min-p", type=float, help="exclude tokens below this share of the highest probability"),
            argument("--repetition-penalty", type=float, help="above 1, tokens that occurred become less likely"),
            argument(
                "--no-repeat-ngram", type=int, help="never repeat a sequence of this many tokens; 0 allows repeats"
            ),
            argument("--seed", type=int, help="of the first text; the following texts use the following seeds"),
            argument("--count", type=int, help="texts for each prompt"),
            argument("--max-tokens", type=int, help="longest continuation"),
            argument("--stop", action="append", help="end before this string; may be repeated"),
            argument(
                "--beyond-context",
                action="store_true",
                default=None,
                help="when the context is full, keep its last half and continue",
            ),
            device(default="cpu"),
            precision(default="float32", help="of the weights (float32)"),
            argument("--grid", action="store_true", help="compare the stories of many decoding settings"),
            json_flag("print one JSON object a text, or a setting with --grid, for programs"),
        ),
    ),
    Command(
        name="diagnose",
        usage="RUN",
        summary="name what limited a run, and what to do next",
        description="Diagnose a run: diverged, too early, data-bound, undertrained, capacity-bound or healthy, and "
        "whether its samples loop; with the numbers behind the verdict and the next thing to do. The thresholds are "
        "the run's own (verdict.*).",
        run=diagnose,
        arguments=(RUN, json_flag()),
    ),
    Command(
        name="evaluate",
        usage="RUN",
        summary="score the whole validation split, and stories",
        description="Score the whole validation split, every token with context before it, and measure the model's "
        "stories beside held-out ones. Writes evaluation.json into the run folder.",
        run=evaluate,
        arguments=(
            RUN,
            argument("--stories", type=positive, default=48, help="number of stories the model writes (48)"),
            argument("--max-tokens", type=positive, default=256, help="of a story (256)"),
            argument("--stride", type=positive, help="tokens between the starts of two windows (half the context)"),
            argument("--data-path", metavar="PATH", help="where the run's corpus is now", values=Values.files),
            device(default="auto"),
            precision(default="auto", help="auto is bfloat16 where the hardware supports it natively (auto)"),
            json_flag("print evaluation.json, for programs"),
        ),
        shows_progress=True,
    ),
    Command(
        name="replay",
        usage="RUN",
        summary="repeat a run, and name the first difference",
        description="Train a run again from its stored config, in a folder of its own, and compare: identical bit for "
        "bit (exit 0), or where the two first differ and under which differing conditions (exit 1).",
        run=replay,
        arguments=(
            RUN,
            argument(
                "--folder",
                metavar="DIR",
                type=Path,
                help="of the second run (a new one in outputs/replays)",
                values=Values.folders,
            ),
            json_flag(),
        ),
        shows_progress=True,
        outlives_terminal=True,
    ),
)
