"""Commands on many runs: report, scaling, dashboard."""

from pathlib import Path

from tinystories_lm.cli.parser import PROGRAM, Parser
from tinystories_lm.system.errors import UsageError


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
    from tinystories_lm.analysis.report.build import OUT, gather, watch, write_report
    from tinystories_lm.analysis.report.page import to_record
    from tinystories_lm.analysis.report.read_runs import Reader
    from tinystories_lm.system.files import to_json

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
    from tinystories_lm.analysis.scaling.analyse import analyse, to_record
    from tinystories_lm.analysis.scaling.text import describe
    from tinystories_lm.system.files import to_json

    found = analyse(options.sweep, predict=options.predict, dollars=options.dollars)
    print(to_json(to_record(found), indent=2) if options.json else describe(found))


def dashboard(arguments: list[str]) -> None:
    parser = Parser(
        prog=f"{PROGRAM} dashboard",
        description="Make a W&B workspace with the sections Rounds, Scaling, Speed & cost and Samples.",
    )
    parser.add_argument("project", metavar="PROJECT", nargs="?", default="tinystories_lm", help="(tinystories_lm)")
    parser.add_argument("--entity", help="user or team (yours)")
    parser.add_argument("--json", action="store_true", help="print what would be sent, and send nothing")
    options = parser.parse_args(arguments)
    from tinystories_lm.system.files import to_json
    from tinystories_lm.tracking.dashboard import as_record, build_workspace, save

    if options.json:
        print(to_json(as_record(build_workspace(options.project, entity=options.entity or "you")), indent=2))
    else:
        print(save(options.project, entity=options.entity))
