"""A request to stop, and commands that run beside a program's main thread."""

import os
import signal
import threading
import time
from concurrent.futures import Future
from pathlib import Path

from tests.conftest import SMALL_RUN
from tests.data import trials
from tests.faults.trials import alone
from tests.warm_process import warm
from tinystories_lm.cli.main import run
from tinystories_lm.system.signals import result_of


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


def test_a_wait_notices_a_signal_that_another_thread_received() -> None:
    handled, future = threading.Event(), Future[bool]()

    def elsewhere() -> None:
        time.sleep(0.1)  # until the main thread waits
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        future.set_result(handled.wait(20))

    before = signal.signal(signal.SIGUSR1, lambda *_: handled.set())
    thread = threading.Thread(target=elsewhere)
    thread.start()
    try:
        assert result_of(future), "the handler ran while the main thread waited"
    finally:
        thread.join()
        signal.signal(signal.SIGUSR1, before)
