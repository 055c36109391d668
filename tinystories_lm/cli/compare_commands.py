"""Commands that compare runs and publish them: report, scaling, dashboard, upload."""

from argparse import Namespace
from pathlib import Path

from tinystories_lm.cli.command import RUN, Command, Values, argument, json_flag
from tinystories_lm.system.errors import UsageError


def report(options: Namespace) -> None:
    from tinystories_lm.analysis.report.build import OUT, gather, watch, write_report
    from tinystories_lm.analysis.report.read_runs import Reader
    from tinystories_lm.analysis.report.record import to_record
    from tinystories_lm.system.json_files import to_ascii_json

    if options.json:
        if options.watch or options.out:
            raise UsageError("report: --json prints the table and writes no page; leave --out and --watch out")
        print(to_ascii_json(to_record(gather(options.names, Reader())), indent=2))
    elif options.watch:
        print(watch(options.names, options.out or OUT))
    else:
        print(write_report(options.names, options.out or OUT, reader=Reader()))


def scaling(options: Namespace) -> None:
    from tinystories_lm.analysis.scaling.analyse import analyse, describe, to_record
    from tinystories_lm.system.json_files import to_ascii_json

    analysis = analyse(options.sweep, predict=options.predict, dollars=options.dollars)
    print(to_ascii_json(to_record(analysis), indent=2) if options.json else describe(analysis))


def dashboard(options: Namespace) -> None:
    from tinystories_lm.system.json_files import to_ascii_json
    from tinystories_lm.tracking.dashboard import as_record, build_workspace, save

    if options.json:
        print(to_ascii_json(as_record(build_workspace(options.project, entity=options.entity or "you")), indent=2))
    else:
        print(save(options.project, entity=options.entity))


def upload(options: Namespace) -> None:
    from tinystories_lm.tracking.upload import upload

    print(upload(options.run, as_new_run=options.anew))


COMMANDS = (
    Command(
        name="report",
        usage="[RUN …]",
        summary="write one HTML page that compares runs",
        description="Write one HTML page that compares runs: curves, table, settings that differ, stories. "
        "Needs no network.",
        run=report,
        arguments=(
            argument(
                "names",
                metavar="RUN|SWEEP|FOLDER",
                nargs="*",
                help="runs, sweeps, or folders that contain runs (default: everything under outputs/)",
                values=Values.runs_and_sweeps,
            ),
            argument(
                "--out",
                metavar="FILE",
                type=Path,
                help="the page to write (outputs/report.html)",
                values=Values.files,
            ),
            argument("--watch", action="store_true", help="rewrite it every few seconds, until Ctrl-C"),
            json_flag("print the table instead, for programs"),
        ),
    ),
    Command(
        name="scaling",
        usage="SWEEP",
        summary="fit a scaling law to a sweep and predict runs",
        description="Fit L(N, D) = E + A/N^alpha + B/D^beta to a sweep's finished runs, measure how far the fit can be "
        "trusted, and predict runs. Writes scaling.svg and scaling.json into the sweep's folder.",
        run=scaling,
        arguments=(
            argument("sweep", metavar="SWEEP", help="a sweep's name, or a folder of run folders", values=Values.sweeps),
            argument(
                "--predict",
                metavar="OVERRIDE",
                action="append",
                nargs="+",
                default=[],
                help="predict loss, time and dollars of a run with these settings: experiment=round4; may be repeated",
                values=Values.overrides,
            ),
            argument("--dollars", type=float, metavar="X", help="find the best size and tokens for this budget"),
            json_flag("print scaling.json, for programs"),
        ),
    ),
    Command(
        name="dashboard",
        usage="[PROJECT]",
        summary="make a W&B workspace for these runs",
        description="Make a W&B workspace with the sections Rounds, Scaling, Speed & cost and Samples.",
        run=dashboard,
        arguments=(
            argument("project", metavar="PROJECT", nargs="?", default="tinystories_lm", help="(tinystories_lm)"),
            argument("--entity", help="user or team (yours)"),
            json_flag("print what would be sent, and send nothing"),
        ),
    ),
    Command(
        name="upload",
        usage="RUN",
        summary="send W&B what it lacks of a run, from the run's files",
        description="Send W&B what it lacks of a run, from the run's own files: after a full disk, a killed service, "
        "or on a machine without W&B's package. A run that was kept whole offline can be sent by `wandb sync` too.",
        run=upload,
        arguments=(
            RUN,
            argument(
                "--anew",
                action="store_true",
                help="send everything as a new W&B run, rows missing in the middle included",
            ),
        ),
        shows_progress=True,
    ),
)
