"""A process that has loaded the program: a command in one forked from it needs no imports, nor an interpreter's end.

    python -m tests.warm_process

Each line of its input is a command as JSON: `arguments`, `folder` (where it runs), `environment` (all of it), `stdout`
and `stderr` (files). It answers with the pid, and when the command has ended with its exit code, as `subprocess` does.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import sys
import threading
from collections.abc import Callable
from typing import Any

import tinystories_lm


def warm() -> None:
    """Load all that a run needs, also what torch puts off until the first step."""
    import torch

    torch.set_num_threads(1)  # those of several would not outlive the fork
    weight = torch.nn.Parameter(torch.ones(2, 2))
    optimizer = torch.optim.AdamW([weight], fused=True)
    (weight @ weight).sum().backward()
    optimizer.step()


def load_program() -> None:
    """Import what each command would import for itself, and let Hydra look for its plugins and build its parser."""
    warm()
    for module in pkgutil.walk_packages(tinystories_lm.__path__, "tinystories_lm."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    from tinystories_lm.config.compose import compose_config, register

    register()
    compose_config(["training.steps=1"])
    gc.collect()
    gc.freeze()  # or each fork would copy all memory at its first collection


def become(command: dict[str, Any]) -> None:
    """Be the process of this command, as a shell would have begun it."""
    os.environ.clear()
    os.environ.update(command["environment"])
    os.chdir(command["folder"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(command[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    sys.argv = ["tinystories-lm", *command["arguments"]]


def end(program: Callable[[], None]) -> None:
    """Call the program, and end this process as Python does, but leave its memory to the system.

    Python would first free each object of torch, for more than a second in a forked process, which has to copy it.
    """
    code = 1
    try:
        program()
        code = 0
    except SystemExit as ending:
        code = int(ending.code or 0)
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        threading._shutdown()  # waits for threads that are not daemons
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    load_program()
    from tinystories_lm.cli import main as program

    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            become(json.loads(line))
            end(program.main)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
