"""A request to stop, and commands that run beside a program's main thread."""

import subprocess
import sys
from pathlib import Path

from tests.conftest import SMALL_RUN

IN_A_THREAD = """
import threading
from tinystories_lm.cli.main import run
codes = []
for words in (["train", *{settings!r}], ["runs"]):
    thread = threading.Thread(target=lambda: codes.append(run(words)))
    thread.start()
    thread.join()
print(*map(int, codes))
"""


def test_a_command_runs_in_a_thread_of_another_program(
    corpus: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    """Python lets the main thread alone handle signals: there, the program that started the thread decides."""
    program = IN_A_THREAD.format(settings=[*SMALL_RUN, f"data.path={corpus}"])
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1:] == ["0 0"], done.stderr
