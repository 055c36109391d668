"""The command line: which command, which run, and what is said when it cannot be.

Answers --help and --cfg without importing torch; whatever a command needs is imported inside it.
"""

import errno
import logging
import os
import sys
from collections.abc import Callable, Sequence

from tinystories_lm import __version__
from tinystories_lm.cli import compare_commands, interop_commands, run_commands, train_commands
from tinystories_lm.cli.parser import PROGRAM, log_to_stderr
from tinystories_lm.system.errors import CommandError, ExitCode, UsageError
from tinystories_lm.system.redaction import print_traceback, redact
from tinystories_lm.system.signals import stop_by_interrupt, was_interrupted
from tinystories_lm.system.stdio import escape_controls, open_missing, outlive_terminal, show_safely

OVERVIEW = f"""\
Train small language models from scratch, reproducibly, cheaply, and with understanding.

  {PROGRAM} train    [overrides]   train a model: experiment=smoke, round1 … round4, speedrun_28m; -m sweeps
  {PROGRAM} prepare  [overrides]   corpus, tokenizer and token cache, and stop
  {PROGRAM} plan     [overrides]   parameters, tokens, memory, time and dollars, before they are paid for
  {PROGRAM} sweep    NAME          run a named sweep, resume it, compare its runs

  {PROGRAM} runs     [FILTER]      what there is: status, verdict, size, steps, loss, dollars, age
  {PROGRAM} sample   RUN           write with a trained model; --grid compares ways of drawing
  {PROGRAM} diagnose RUN           what limited the run, with the evidence, and what to do next
  {PROGRAM} evaluate RUN           the whole validation split, and how good its stories are
  {PROGRAM} replay   RUN           the same run again: identical, or where it first differs

  {PROGRAM} report   [RUN …]       one HTML page that compares runs: curves, table, settings, stories
  {PROGRAM} scaling  SWEEP         a law of size and tokens from a sweep, and what it predicts
  {PROGRAM} dashboard [PROJECT]    a workspace in W&B for these runs
  {PROGRAM} upload   RUN           what W&B lacks of a run, sent from the run's own files

  {PROGRAM} export   RUN DIR       a folder that transformers loads; --gguf for llama.cpp
  {PROGRAM} import   DIR RUN       a Llama-shaped folder as a run

An override is a setting and its value: {PROGRAM} train experiment=round2 training.steps=500
`{PROGRAM} COMMAND --help` tells more. RUN is a run folder, a preset's name (its newest run) or `latest`.
Exit codes: 0 done, 1 failed, 2 wrong usage, configuration or hardware, 3 data or checkpoint damaged,
5 cannot write, 6 diverged, 7 made by a newer version, 8 run folder in use, 75 stopped, run again to go on.
"""


FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
GO_ON = ("train", "prepare", "sweep", "replay")  # what takes hours does so without its terminal too


def main() -> None:
    open_missing()
    show_safely()
    sys.excepthook = print_traceback
    arguments = sys.argv[1:]
    if arguments and arguments[0] in GO_ON:
        outlive_terminal()
    sys.exit(run(arguments))


def run(arguments: Sequence[str]) -> int:
    """Carry out one command line; returns its exit code."""
    commands: dict[str, Callable[[list[str]], None]] = {
        "train": train_commands.train,
        "prepare": train_commands.prepare,
        "plan": train_commands.plan,
        "sweep": train_commands.sweep,
        "sample": run_commands.sample,
        "runs": run_commands.runs,
        "diagnose": run_commands.diagnose,
        "replay": run_commands.replay,
        "evaluate": run_commands.evaluate,
        "report": compare_commands.report,
        "scaling": compare_commands.scaling,
        "upload": run_commands.upload,
        "export": interop_commands.export,
        "import": interop_commands.import_,
        "dashboard": compare_commands.dashboard,
    }
    name, *rest = arguments or ["--help"]
    stop_by_interrupt()
    log_to_stderr(logging.WARNING)
    try:
        if name in ("--help", "-h"):
            print(OVERVIEW, end="")
        elif name == "--version":
            print(f"{PROGRAM} {__version__}")
        elif name in commands:
            commands[name](rest)
        else:
            raise UsageError(f"{name}: there is no such command; choose one of {', '.join(commands)}")
        sys.stdout.flush()
    except CommandError as error:
        if isinstance(error, UsageError) and was_interrupted():  # what a library made of the interrupt
            return _stopped(name)
        print(f"{PROGRAM}: {escape_controls(redact(str(error)))}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return _stopped(name)
    except BrokenPipeError:  # the reader of our output has gone, as `| head` does
        _write_nowhere()
    except Exception as error:
        if was_interrupted():
            return _stopped(name)
        if not (isinstance(error, OSError) and error.errno in FULL and error.filename is None):
            raise
        _write_nowhere()
        print(f"{PROGRAM}: cannot write the output: {error.strerror}", file=sys.stderr)
        return ExitCode.CANNOT_WRITE
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of a library in Rust; no class of it can be imported
            raise
        print(f"{PROGRAM}: a library gave up: {escape_controls(redact(str(error)))}", file=sys.stderr)
        return ExitCode.FAILED
    return ExitCode.DONE


def _write_nowhere() -> None:
    """What is still to be written is lost; else Python would fail over it once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _stopped(name: str) -> ExitCode:
    goes_on = ": run the same command again to go on" if name in ("train", "prepare", "sweep") else ""
    print(f"{PROGRAM}: stopped{goes_on}", file=sys.stderr)
    return ExitCode.INTERRUPTED
