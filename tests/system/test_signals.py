"""A request to stop, and commands that run beside a program's main thread."""

import os
import threading
from pathlib import Path

from tests.conftest import SMALL_RUN
from tests.data import trials
from tests.faults.trials import alone
from tests.warm_process import warm
from tinystories_lm.cli.main import run


def test_a_command_runs_in_a_thread_of_another_program(corpus: Path, tmp_path: Path) -> None:
    """Python lets the main thread alone handle signals: there, the program that started the thread decides."""
    warm()

    def program() -> list[int]:
        alone()
        os.chdir(tmp_path)
        codes = list[int]()
        for words in (["train", *SMALL_RUN, f"data.path={corpus}"], ["runs"]):
            thread = threading.Thread(target=lambda words=words: codes.append(int(run(words))))
            thread.start()
            thread.join()
        return codes

    ended = trials.run(program)
    assert ended.code == 0 and ended.said.splitlines()[-1] == "[0, 0]", ended.said
