"""A process for each task: what happens to one of them leaves the others running."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tinystories_lm.system import processes
from tinystories_lm.system.errors import UsageError
from tinystories_lm.system.failpoints import trigger
from tinystories_lm.system.processes import Ending, Slot, Task, run_apart, run_as_chosen, share_machine

# These run in the tasks' processes, which find them by name.


def write_note(path: Path) -> None:
    path.write_text(json.dumps({"pid": os.getpid(), "gpu": os.environ.get("CUDA_VISIBLE_DEVICES", "")}))


def fail(kind: str) -> None:
    print("about to fail")
    trigger(kind)


def be_wrong() -> None:
    raise UsageError("model.n_heads=3 divides nothing")


def sleep_long(path: Path) -> None:
    path.write_text(str(os.getpid()))
    time.sleep(60)


def task(folder: Path, name: str, work: object, *arguments: object, deadline_seconds: float = 60.0) -> Task:
    assert callable(work)
    return Task(work, arguments, folder / f"{name}.log", deadline_seconds)


def run(tasks: list[Task], slots: list[Slot] | None = None) -> dict[int, Ending]:
    found: dict[int, Ending] = {}
    whole = run_apart(
        tasks,
        slots=slots or [Slot()],
        preload=["tinystories_lm.system.errors"],
        ended=found.__setitem__,
        tick=lambda _: None,
    )
    assert whole
    return found


@pytest.mark.parametrize(
    ("kind", "code", "said"),
    [
        ("raise", 1, "RuntimeError: a fault on request"),
        ("exit", 3, ""),
        ("memory", 1, "MemoryError"),
        ("abort", -signal.SIGABRT, ""),
        ("kill", -signal.SIGKILL, ""),
        ("terminate", 75, ""),
        ("hang", 75, ""),
    ],
)
def test_a_failing_task_costs_nobody_else_anything(tmp_path: Path, kind: str, code: int, said: str) -> None:
    found = run(
        [
            task(tmp_path, "before", write_note, tmp_path / "before"),
            task(tmp_path, "fails", fail, kind, deadline_seconds=3.0 if kind == "hang" else 60.0),
            task(tmp_path, "after", write_note, tmp_path / "after"),
        ]
    )
    assert [found[number].exit_code for number in (0, 1, 2)] == [0, code, 0]
    assert found[1].timed_out == (kind == "hang")
    log = (tmp_path / "fails.log").read_text()
    assert said in log and ("Traceback" in log) == (kind in ("raise", "memory"))
    pids = {json.loads((tmp_path / name).read_text())["pid"] for name in ("before", "after")}
    assert len(pids | {os.getpid()}) == 3


def test_a_task_that_is_overdue_before_it_can_handle_that_counts_as_stopped(tmp_path: Path) -> None:
    found = run([task(tmp_path, "late", fail, "hang", deadline_seconds=0.0)])
    assert found[0].exit_code == 75 and found[0].timed_out


def test_our_own_errors_are_one_line_of_the_log_and_their_exit_code(tmp_path: Path) -> None:
    found = run([task(tmp_path, "wrong", be_wrong)])
    assert found[0].exit_code == 2
    assert (tmp_path / "wrong.log").read_text() == "tinystories-lm: model.n_heads=3 divides nothing\n"


def test_each_of_several_workers_sees_a_gpu_of_its_own(tmp_path: Path) -> None:
    tasks = [task(tmp_path, name, write_note, tmp_path / name) for name in "abcd"]
    run(tasks, share_machine(2, gpus=["4", "GPU-7f"]))
    assert {json.loads((tmp_path / name).read_text())["gpu"] for name in "abcd"} == {"4", "GPU-7f"}


def test_cores_are_dealt_out_without_overlap() -> None:
    assert share_machine(1, gpus=[]) == [Slot()]
    cores = sorted(os.sched_getaffinity(0))
    dealt = [slot.cores for slot in share_machine(len(cores), gpus=[])]
    assert sorted(core for part in dealt for core in part) == (cores if len(cores) > 1 else [])


DRIVER = """
import sys
from pathlib import Path
from tests.system.test_processes import sleep_long, task, write_note
from tinystories_lm.system.processes import Slot, run_apart
folder = Path(sys.argv[1])
if __name__ == "__main__":
    tasks = [task(folder, "long", sleep_long, folder / "pid"), task(folder, "next", write_note, folder / "next")]
    ends = {}
    print(run_apart(tasks, slots=[Slot()], preload=[], ended=ends.__setitem__, tick=lambda _: None), ends[0].exit_code)
"""


@pytest.fixture
def driver(tmp_path: Path, environment: dict[str, str]) -> "subprocess.Popen[str]":
    """Start a process that runs a sleeping task and has another to run after it."""
    (tmp_path / "driver.py").write_text(DRIVER)
    here = environment | {"PYTHONPATH": str(Path(__file__).parents[2])}
    started = subprocess.Popen(
        [sys.executable, str(tmp_path / "driver.py"), str(tmp_path)],
        env=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    until = time.monotonic() + 20
    while not (tmp_path / "pid").exists() and time.monotonic() < until:
        time.sleep(0.05)
    return started


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="reads /proc")
def test_a_killed_driver_takes_its_tasks_with_it(tmp_path: Path, driver: "subprocess.Popen[str]") -> None:
    pid = int((tmp_path / "pid").read_text())
    driver.kill()
    until = time.monotonic() + 10
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not alive(pid)


@pytest.mark.parametrize("to_the_group", [True, False])
def test_ctrl_c_asks_the_running_task_and_begins_no_other(
    tmp_path: Path, driver: "subprocess.Popen[str]", to_the_group: bool
) -> None:
    (os.killpg if to_the_group else os.kill)(driver.pid, signal.SIGINT)
    said, errors = driver.communicate(timeout=20)
    assert said == "False 75\n", errors
    assert not (tmp_path / "next").exists()


def test_processes_that_cannot_be_bound_to_cores_take_fewer_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "usable_cores", lambda: 8)
    monkeypatch.delattr(processes.os, "sched_getaffinity")
    assert [slot.threads for slot in processes.share_machine(3, gpus=[])] == [2, 2, 2]


def test_the_next_task_is_chosen_after_each_end(tmp_path: Path) -> None:
    """The second is known only once the first has ended; a third never is."""
    started: list[int] = []
    ended: list[int] = []

    def choose() -> tuple[int, Task] | None:
        if len(started) == 2 or len(started) > len(ended):
            return None
        started.append(7 + len(started))
        return started[-1], task(tmp_path, str(started[-1]), write_note, tmp_path / f"{started[-1]}.json")

    whole = run_as_chosen(
        choose,
        slots=[Slot(), Slot()],
        preload=["tinystories_lm.system.errors"],
        ended=lambda number, _: ended.append(number),
        tick=lambda _: None,
    )
    assert whole and ended == [7, 8] and (tmp_path / "8.json").exists()
