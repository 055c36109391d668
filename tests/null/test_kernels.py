"""The attention kernel that is asked for runs or is refused, on each generation; a compiled run keeps its own."""

import itertools
import json
import shutil
from pathlib import Path

import pytest

from tests.null.calls import Call, attention_that_ran, read_calls
from tests.null.conftest import Run, small_run
from tinystories_lm.system.json_files import read_json

GENERATIONS = [80, 89, 90]


@pytest.mark.parametrize("cudnn", [True, False], ids=["with cuDNN", "without cuDNN"])
@pytest.mark.parametrize("sm", GENERATIONS)
def test_a_kernel_that_is_asked_for_runs_forward_and_backward_or_is_refused(
    run_null: Run, sm: int, cudnn: bool
) -> None:
    done = run_null("probe", "attention_kinds", sm=sm, cudnn=cudnn)
    assert done.returncode == 0, done.stderr
    found = {(row["kind"], row["precision"], row["deterministic"]): row for row in json.loads(done.stdout)}
    for (kind, precision, _), row in found.items():
        if "refused" in row:
            assert row["refused"].startswith(f"hardware.attention={kind} does not run on this cuda in {precision}")
        else:
            assert row["forward"] == row["backward"] == [kind], row
    refused = {key for key, row in found.items() if "refused" in row}
    runs_anywhere = {("math", precision, exact) for precision in ("bfloat16", "float32") for exact in (False, True)}
    runs_anywhere |= {("flash", "bfloat16", False), ("efficient", "bfloat16", False), ("efficient", "float32", False)}
    assert not refused & runs_anywhere
    assert {(kind, "float32", exact) for kind in ("flash", "cudnn") for exact in (False, True)} <= refused
    assert (("cudnn", "bfloat16", False) in refused) is not cudnn


@pytest.mark.parametrize("sm", GENERATIONS)
def test_a_compiled_step_runs_its_own_kernel_whatever_another_one_left_in_the_cache(
    run_null: Run, tmp_path: Path, sm: int
) -> None:
    """torch's cache of compiled graphs does not tell them apart by the kernel that was chosen (pytorch#185449)."""
    done = run_null("probe", "compiled_kinds", sm=sm, cache=tmp_path / "inductor")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == 5 and all(ran == [kind, kind] for kind, *ran in found), found


def test_a_kernel_that_the_command_asks_for_and_this_gpu_lacks_is_one_line(run_null: Run, corpus: Path) -> None:
    done = run_null("train", *small_run(corpus, "hardware.attention=cudnn"), cudnn=False)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "hardware.attention=cudnn does not run on this cuda in bfloat16" in done.stderr.splitlines()[-1]


def since_compiled(calls: list[Call]) -> list[Call]:
    """Leave out what came before the first compiled kernel: a new run tries all attention kernels first."""
    return list(itertools.dropwhile(lambda call: not call.name.startswith("triton_"), calls))


def test_a_resumed_run_keeps_its_kernel_whatever_the_cache_of_compiled_code_holds(
    run_null: Run, corpus: Path, tmp_path: Path, log: Path
) -> None:
    """A run is stopped and resumed with a cache that was emptied, and with that of a run with another kernel."""
    run, caches = tmp_path / "run", [tmp_path / name for name in ("first", "emptied", "another's")]
    settings = small_run(corpus, "hardware.compile=on", "training.checkpoint_every_steps=2", "training.steps=6")

    def train(folder: Path, cache: Path, *more: str, code: int = 0, **variables: str) -> str:
        before = len(read_calls(log))
        done = run_null("train", *settings, f"hydra.run.dir={folder}", *more, cache=cache, **variables)
        assert done.returncode == code, done.stderr
        (kind,) = attention_that_ran(since_compiled(read_calls(log, after=before)))
        segment = read_json(folder / "environment.json")["pieces"][-1]
        assert segment["machine"]["attention"] == kind and segment["machine"]["compile"]
        return kind

    kind = train(run, caches[0], code=75, TSLM_FAULT="step:4:terminate")
    other = "efficient" if kind != "efficient" else "flash"
    assert train(tmp_path / "other", caches[2], f"hardware.attention={other}") == other
    for number, cache in enumerate(caches[1:]):
        copy = tmp_path / f"copy-{number}"
        shutil.copytree(run, copy)
        assert train(copy, cache) == kind
        assert read_json(copy / "summary.json")["exact"] is True
