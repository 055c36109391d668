"""The plan of benchmarks/gpu.py: whatever happens to a part costs that part, and what was measured is on the disk."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.autograd import DeviceType
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from tests.conftest import REPOSITORY, SMALL_RUN

BENCHMARKS = REPOSITORY / "benchmarks"
sys.path.append(str(BENCHMARKS))

import gpu  # noqa: E402
import gpu_parts  # noqa: E402
import gpu_steps  # noqa: E402
from gpu import Part, Settings  # noqa: E402
from gpu_table import show  # noqa: E402

# A stand-in for gpu_parts.py, whose parts do what parts do on a bad day.
SCRIPT = f"""
import json, os, signal, subprocess, sys, time
sys.path.append({str(BENCHMARKS)!r})
from gpu import keep
from gpu_parts import leave_with_parent
out, name = json.loads(sys.argv[1])["out"], sys.argv[2]
leave_with_parent()
if name != "silent":
    keep(out, {{"part": name, "value": 1, "pid": os.getpid()}})
if name == "raises":
    raise RuntimeError("CUDA error: an illegal memory access was encountered")
if name == "dies":
    os.kill(os.getpid(), signal.SIGKILL)
if name == "hangs":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the child ignores it too
    child = subprocess.Popen(["sleep", "60"])
    keep(out, {{"part": name, "child": child.pid}})
    time.sleep(60)
if name == "waits":
    time.sleep(60)
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "script.py").write_text(SCRIPT)
    return Settings(out=str(tmp_path), work=str(tmp_path))


def run(parts: list[Part], settings: Settings, *, seconds: float = 60.0) -> list[dict[str, Any]]:
    """Run the parts and return what the plan recorded of how each ended."""
    gpu.run_parts(parts, settings, end=time.monotonic() + seconds, script=Path(settings.out, "script.py"))
    return outcomes(settings)


def outcomes(settings: Settings) -> list[dict[str, Any]]:
    return [record for record in gpu.read_records(settings.out) if "outcome" in record]


def is_alive(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")


def eventually(condition: Callable[[], object]) -> bool:
    until = time.monotonic() + 30
    while not condition() and time.monotonic() < until:
        time.sleep(0.05)
    return bool(condition())


def test_a_part_that_raises_dies_hangs_or_records_nothing_costs_that_part(settings: Settings) -> None:
    names = ["first", "raises", "dies", "hangs", "silent", "last"]
    found = run([Part(name, 3.0) for name in names], settings)
    assert [record["part"] for record in found] == names
    assert [record["outcome"] for record in found] == ["ok", "failed", "failed", "failed", "failed", "ok"]
    assert "illegal memory access" in found[1]["reason"] and "Traceback" in found[1]["log"]
    assert [record["reason"] for record in found[2:5]] == ["signal SIGKILL", "the limit of 3 s", "it left no record"]
    values = [record["part"] for record in gpu.read_records(settings.out) if "value" in record]
    assert values == ["first", "raises", "dies", "hangs", "last"]


def test_what_a_part_has_started_ends_with_it(settings: Settings) -> None:
    run([Part("hangs", 3.0)], settings)
    pids = {key: record[key] for record in gpu.read_records(settings.out) for key in ("pid", "child") if key in record}
    assert len(pids) == 2
    assert eventually(lambda: not any(map(is_alive, pids.values())))


def test_the_time_of_all_parts_limits_the_last_and_leaves_out_the_rest(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "LEAST_SECONDS", 1.0)
    monkeypatch.setattr(gpu, "MARGIN_SECONDS", 0.0)
    began = time.monotonic()
    found = run([Part("waits", 50.0), Part("first", 50.0)], settings, seconds=3.0)
    assert time.monotonic() - began < 10
    assert [(record["outcome"], record["reason"]) for record in found] == [
        ("failed", "the limit of 3 s"),
        ("left out", "the time was over"),
    ]


def test_each_record_is_synced_to_the_disk(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    sizes = []
    for number in range(3):
        gpu.keep(settings.out, {"part": "speed", "number": number})
        sizes.append(Path(settings.out, gpu.RECORDS).stat().st_size)
    assert synced == sizes


def test_a_record_that_was_cut_off_costs_no_other(settings: Settings) -> None:
    gpu.keep(settings.out, {"part": "a"})
    with Path(settings.out, gpu.RECORDS).open("a") as file:
        file.write('{"part": "ha')
    gpu.keep(settings.out, {"part": "b"})
    assert gpu.read_records(settings.out) == [{"part": "a"}, {"part": "b"}]


def start_plan(settings: Settings) -> "subprocess.Popen[str]":
    """Start a plan of a part that waits and one after it, in a process of its own; return once the first has begun."""
    code = f"""
import sys, time
sys.path.append({str(BENCHMARKS)!r})
from pathlib import Path
from gpu import Part, Settings, run_parts
settings = Settings(out={settings.out!r}, work={settings.work!r})
parts = [Part("waits", 50.0), Part("first", 50.0)]
print(run_parts(parts, settings, end=time.monotonic() + 90, script=Path({settings.out!r}, "script.py")))
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    records = Path(settings.out, gpu.RECORDS)
    assert eventually(lambda: records.exists() and gpu.read_records(settings.out))
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_kills_the_part_and_keeps_what_is_there(settings: Settings, number: signal.Signals) -> None:
    process = start_plan(settings)
    process.send_signal(number)
    said, _ = process.communicate(timeout=30)
    assert said.splitlines()[-1] == number.name
    kept, *ended = gpu.read_records(settings.out)
    reason = f"stopped by {number.name}"
    assert [(record["outcome"], record["reason"]) for record in ended] == [("failed", reason), ("left out", reason)]
    assert eventually(lambda: not is_alive(kept["pid"]))


def test_a_part_does_not_outlive_the_plan(settings: Settings) -> None:
    process = start_plan(settings)
    process.kill()
    process.communicate()
    assert eventually(lambda: not is_alive(gpu.read_records(settings.out)[0]["pid"]))


def test_every_part_of_both_lists_exists() -> None:
    assert {part.name for part in [*gpu.FIRST, *gpu.SECOND]} <= {function.__name__ for function in gpu_parts.NAMED}
    for part in [*gpu.FIRST, *gpu.SECOND]:
        if part.name in ("speed", "cold", "breakdown"):
            assert part.arguments[0] in gpu_steps.SIZES and part.arguments[1] in gpu_steps.VARIANTS
    assert sum(gpu.SECONDS.values()) <= 750


def trace(*kernels: str, operators: tuple[str, ...] = ()) -> Any:
    rows = [SimpleNamespace(key=name, device_type=DeviceType.CUDA) for name in kernels]
    rows += [SimpleNamespace(key=name, device_type=DeviceType.CPU) for name in operators]
    return SimpleNamespace(key_averages=lambda: rows)


@pytest.mark.parametrize(
    ("kind", "forward", "backward"),
    [
        (
            "flash",
            "void pytorch_flash::flash_fwd_kernel<pytorch_flash::Flash_fwd_kernel_traits<64, 128, 128, 4> >",
            "void pytorch_flash::flash_bwd_dq_dk_dv_loop_seqk_parallel_kernel<pytorch_flash::Flash_bwd_kernel_traits>",
        ),
        (
            "cudnn",
            "cudnn_generated_fort_native_sdpa_sm90_flash_fprop_wgmma_f16_knob_7_64x128x64_4x1x1_kernel0_0",
            "cudnn_generated_fort_native_sdpa_sm90_flash_bprop_wgmma_f16_knob_26_64x64x64_4x1x1_kernel0_0",
        ),
        (
            "efficient",
            "fmha_cutlassF_bf16_aligned_64x64_rf_sm80(PyTorchMemEffAttention::AttentionKernel<>::Params)",
            "fmha_cutlassB_bf16_aligned_64x64_k64_seqaligned_sm80(PyTorchMemEffAttention::AttentionBackwardKernel<>)",
        ),
        ("math", "nvjet_tst_128x256_64x4_2x1_v_bz_TNN", "triton_per_fused__softmax_backward_data_3"),
    ],
)
def test_the_kernel_that_ran_is_known_by_its_name(kind: str, forward: str, backward: str) -> None:
    operators = (f"aten::_scaled_dot_product_{kind}_attention", f"aten::_scaled_dot_product_{kind}_attention_backward")
    ran = gpu_steps.attention_that_ran(trace(forward, backward, operators=operators))
    wanted = [] if kind == "math" else [kind]
    assert ran["device"] == {"forward": wanted, "backward": wanted}
    assert not gpu_steps.mismatch(kind, ran)
    for other in {"flash", "cudnn", "efficient", "math"} - {kind}:
        assert gpu_steps.mismatch(other, ran)
    only_forward = gpu_steps.attention_that_ran(trace(forward, operators=operators[:1]))
    assert bool(gpu_steps.mismatch(kind, only_forward)) == (kind != "math")


def test_without_the_device_in_the_trace_torchs_operators_tell_the_kernel() -> None:
    leaves = [torch.randn(1, 2, 8, 16, requires_grad=True) for _ in range(3)]
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities) as recorded, sdpa_kernel([SDPBackend.FLASH_ATTENTION]):
        scaled_dot_product_attention(*leaves, is_causal=True).sum().backward()
    ran = gpu_steps.attention_that_ran(recorded)
    assert ran["device"] is None
    assert not gpu_steps.mismatch("flash", ran)
    assert gpu_steps.mismatch("math", ran) == "math was asked for, but the operators ran flash forward"


def test_a_breakdown_counts_each_kernel_once() -> None:
    kept = gpu_steps.rows_of_device(trace("kernel", operators=("aten::mm",)))
    assert [row.key for row in kept] == ["kernel"]


def test_the_second_command_has_the_fastest_kernel_and_the_seconds_that_are_left() -> None:
    times = {"flash": 0.3, "cudnn": 0.2, "math": 0.1}  # which nobody would train with
    records = [{"part": "kernels", "kernel": kernel, "device_ms": ms} for kernel, ms in times.items()]
    options = SimpleNamespace(data="text", out="found")
    command = gpu.next_command(records, options, spent_seconds=200.0)
    assert command == "python benchmarks/gpu.py --second --seconds 540 --attention cudnn --data text --out found"


def test_the_table_shows_both_first_steps_and_what_failed(capsys: pytest.CaptureFixture[str]) -> None:
    step = {"size": "28M", "variant": "as published", "attention": "flash"}
    timed = {"ms": 13.0, "all_ms": [13.0, 12.0, 14.0], "host_ms": [5.0], "tokens_per_second": 2.5e6, "mfu": 0.4}
    show(
        [
            {"part": "cold", **step, "compiled": "cold", "first_step_s": 31.2},
            {"part": "speed", **step, **timed, "peak_gb": 5.7, "compiled": "warm", "first_step_s": 4.1},
            {"part": "speed", "arguments": ["28M", "cudnn"], "outcome": "failed", "reason": "signal SIGSEGV"},
        ]
    )
    header, row, failed = capsys.readouterr().out.splitlines()
    assert header.split()[-4:] == ["cold", "warm", "ratio", "attention"]
    assert "31.2 s" in row and "4.1 s" in row and "2,500,000" in row
    assert failed == "failed: speed 28M cudnn: signal SIGSEGV"


@pytest.mark.slow
def test_a_run_on_text_files_needs_neither_datasets_nor_wandb(
    tmp_path: Path, corpus: Path, environment: dict[str, str]
) -> None:
    """The machine with the GPU may lack both (benchmarks/gpu_pack.sh)."""
    for name in ("datasets", "wandb"):
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('{name} is blocked')")
    environment |= {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(REPOSITORY)])}
    command = [sys.executable, "-m", "tinystories_lm", "train", *SMALL_RUN, f"data.path={corpus}"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_first_command_can_be_tried_on_a_cpu(tmp_path: Path) -> None:
    folders = ["--out", str(tmp_path / "out"), "--work", str(tmp_path / "work")]
    command = [sys.executable, str(BENCHMARKS / "gpu.py"), "--first", "--tiny", "--steps", "2", *folders]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "--scale", "20", "--seconds", "3000"], env=environment, capture_output=True, text=True
    )
    records = [json.loads(line) for line in (tmp_path / "out" / gpu.RECORDS).read_text().splitlines()]
    failed = [record for record in records if record.get("outcome", "ok") != "ok"]
    assert done.returncode == 0, failed
    assert not failed
    trained, resumed = (record for record in records if record["part"] in ("train", "resume") and "val" in record)
    assert trained["steps"] == 20 and resumed["val"][-1][0] == 22
    assert all(record["counts"] for record in records if "counts" in record)  # of tests/gpu
