"""The part of `sweep` that searches: its flags, and what it prints."""

import shlex
import sys
from argparse import Namespace

from tinystories_lm.cli.command import PROGRAM, argument, positive
from tinystories_lm.system.errors import UsageError

SAMPLERS = ("tpe", "gp", "cmaes", "random")  # as in sweeps/search/study.py, which --help does not import

SEARCH_ARGUMENTS = (
    argument(
        "--search",
        type=positive,
        metavar="N",
        help="draw N settings from the sweep's ranges, such as tag(log,interval(1e-4,1e-2)), and find the best",
    ),
    argument("--sampler", choices=SAMPLERS, help="how --search draws (tpe)"),
    argument("--search-seed", type=int, metavar="SEED", help="of the sampler (0); the runs have training.seed"),
    argument(
        "--prune",
        action="store_true",
        help="--search trains all trials a ninth of the way, and only the best third of those further",
    ),
)


def check_search_flags(options: Namespace) -> None:
    """Raise UsageError for a flag that only a search reads."""
    given = {"--sampler": options.sampler, "--search-seed": options.search_seed, "--prune": options.prune or None}
    for flag, value in given.items():
        if value is not None:
            raise UsageError(f"sweep: {flag} has an effect only on a search: add --search N, or remove it")


def search(options: Namespace) -> None:
    """Run the search that was typed, and print its trials."""
    from tinystories_lm.sweeps.search.plan import SearchRequest
    from tinystories_lm.sweeps.search.search import raise_without_result, search
    from tinystories_lm.sweeps.search.study import SamplerName
    from tinystories_lm.sweeps.search.tables import as_record, command_of, describe_trials
    from tinystories_lm.system.json_files import to_ascii_json

    request = SearchRequest(
        name=options.name,
        overrides=tuple(options.overrides),
        config_dir=options.config_dir,
        count=options.search,
        sampler=SamplerName(options.sampler or "tpe"),
        seed=options.search_seed or 0,
        prune=options.prune,
        parallel=options.parallel,
        deadline_minutes=options.deadline_minutes,
    )
    found = search(request, dry_run=options.dry_run)
    if options.json:
        print("\n".join(to_ascii_json(as_record(trial)) for trial in found.trials))
    elif not options.dry_run:
        print(describe_trials(found.trials, found.importance))
    if options.dry_run:
        return
    raise_without_result(found)
    assert found.best is not None
    if found.running_elsewhere:
        print("the rest runs in other processes; the same command shows what became of it", file=sys.stderr)
    folder = shlex.quote(str(found.best.run.path.parent))
    print(f"the best is trial {found.best.number} in {found.best.run.path}; once more:", file=sys.stderr)
    print(f"  {command_of(found.best, config_dir=options.config_dir)}", file=sys.stderr)
    print(f"the runs are in {folder}; next, try:\n  {PROGRAM} report {folder}", file=sys.stderr)
