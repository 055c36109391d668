"""A process that has loaded the program and does nothing but part: a command in one forked from it needs no imports.

    python -m tests.warm_process

Each line of its input is a command as JSON: `arguments`, `folder` (where it runs), `environment` (all of it), `stdout`
and `stderr` (files). It answers with the pid, and when the command has ended with its exit code, as `subprocess` does.
"""

import json
import os
import sys
from typing import Any


def warm() -> None:
    """Load all that a run needs, also what torch puts off until the first step."""
    import torch

    torch.set_num_threads(1)  # those of several would not outlive the fork
    weight = torch.nn.Parameter(torch.ones(2, 2))
    optimizer = torch.optim.AdamW([weight], fused=True)
    (weight @ weight).sum().backward()
    optimizer.step()


def become(command: dict[str, Any]) -> None:
    """Be the process of this command, as a shell would have begun it."""
    os.environ.clear()
    os.environ.update(command["environment"])
    os.chdir(command["folder"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(command[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    sys.argv = ["tinystories-lm", *command["arguments"]]


def main() -> None:
    warm()
    from tinystories_lm.cli import main as program

    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            become(json.loads(line))
            program.main()  # and this process ends as any other does
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
