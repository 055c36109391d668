"""The parts of benchmarks/gpu.py, each started in a process of its own: gpu_parts.py SETTINGS NAME [ARGUMENT ...]."""

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gpu import REPOSITORY, SAVING_SECONDS, SECOND, Record, Settings, keep

LOAD = 8  # variants compiled at a time: together they fit into 80 GB of memory


def facts(settings: Settings) -> None:
    """Record the machine and its versions, and how fast it multiplies and copies."""
    import torch

    from tinystories_lm.jobs.provenance import git_commit

    packed = REPOSITORY / "build" / "gpu" / "commit"  # of a checkout that travels without its history
    record: Record = {
        "part": "facts",
        "gpu": "none",
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "cores": os.cpu_count(),
        "commit": git_commit() or (packed.read_text().strip() if packed.is_file() else ""),
    }
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        found = torch.cuda.get_device_properties(0)
        record |= {"gpu": found.name, "sms": found.multi_processor_count, "memory": found.total_memory}
        with suppress(OSError, subprocess.SubprocessError):
            query = ["nvidia-smi", "--query-gpu=driver_version,clocks.max.sm,power.limit", "--format=csv,noheader"]
            record["driver"] = subprocess.run(query, capture_output=True, text=True, timeout=10).stdout.strip()
    keep(settings.out, record)
    device, size = ("cuda", 8192) if on_gpu else ("cpu", 512)
    a = torch.randn(size, size, device=device, dtype=torch.bfloat16)
    x = torch.empty(size**2 * 32, dtype=torch.uint8, device=device)
    y = torch.empty_like(x)
    matmul, copy = best_seconds(lambda: a @ a), best_seconds(lambda: y.copy_(x))
    ceilings = {"matmul_tflops": 2 * size**3 / matmul / 1e12, "copy_tb_s": 2 * x.numel() / copy / 1e12}
    keep(settings.out, {"part": "facts", **ceilings})


def best_seconds(work: Callable[[], object], repeats: int = 8) -> float:
    """Return the least seconds of some calls, each with a wait for the device."""
    seconds = []
    for _ in range(repeats):
        synchronize()
        began = time.perf_counter()
        work()
        synchronize()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def synchronize() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def checks(settings: Settings) -> None:
    import gpu_checks

    gpu_checks.run(settings)


def tests(settings: Settings) -> None:
    """Run tests/gpu where pytest is installed; what the limit leaves unfinished is recorded as such."""
    folder = REPOSITORY / "tests" / "gpu"
    if importlib.util.find_spec("pytest") is None or not folder.is_dir():
        reason = "pytest is not installed" if folder.is_dir() else "there is no tests/gpu"
        keep(settings.out, {"part": "tests", "skipped": reason})
        return
    command = [sys.executable, "-m", "pytest", "-vv", "-rfE", "-p", "no:cacheprovider", "tests/gpu"]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    timer = threading.Timer(settings.until - time.monotonic() - SAVING_SECONDS, process.kill)
    timer.start()
    counts: dict[str, int] = {}
    failed: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        print(line, end="", flush=True)
        if found := re.match(r"(\S+::.+?) (PASSED|FAILED|SKIPPED|ERROR|XFAIL|XPASS)\b", line):
            counts[found[2].lower()] = counts.get(found[2].lower(), 0) + 1
        elif line.startswith(("FAILED ", "ERROR ")):
            failed.append(line.strip()[:300])
    code = process.wait()
    timer.cancel()
    keep(settings.out, {"part": "tests", "counts": counts, "failed": failed, "exit": code, "unfinished": code < 0})
    if code and code != 5:  # 5: none was found for this machine
        sys.exit(f"tests/gpu: {'unfinished, ' if code < 0 else ''}{counts}")


def speed(settings: Settings, size: str, variant: str) -> None:
    """Time the variant's steps in three windows, then record which attention kernel ran."""
    import torch
    from gpu_steps import CUDA_ONLY, attention_that_ran, first_step, mismatch, profiled

    from tinystories_lm.model.flops import flops_per_token

    if variant in CUDA_ONLY and settings.tiny and not torch.cuda.is_available():
        keep(settings.out, {"part": "speed", "size": size, "variant": variant, "skipped": "it needs a GPU"})
        return
    subject, record = first_step(settings, size, variant)
    for number in range(1, 6):
        float(subject.step(number))
    milliseconds, host, number = [], [], 6
    for _ in range(3):
        synchronize()
        began = time.perf_counter()
        for _ in range(settings.steps):
            loss = subject.step(number)
            number += 1
        host.append(1e3 * (time.perf_counter() - began) / settings.steps)  # when the host had sent all
        last = float(loss)
        milliseconds.append(1e3 * (time.perf_counter() - began) / settings.steps)
    config = subject.config
    median = sorted(milliseconds)[1]
    tokens_per_second = 1e3 * config.training.batch_size * config.model.context_tokens / median
    peak, flops = (
        subject.machine.peak_flops_per_second,
        flops_per_token(config.model, vocab_size=config.data.vocab_size),
    )
    on_gpu = subject.machine.device.type == "cuda"
    record |= {
        "ms": median,
        "all_ms": milliseconds,
        "host_ms": host,
        "tokens_per_second": tokens_per_second,
        "peak_flops_per_second": peak,
        "mfu": tokens_per_second * flops / peak,
        "peak_gb": torch.cuda.max_memory_allocated() / 1e9 if on_gpu else 0.0,
        "reserved_gb": torch.cuda.max_memory_reserved() / 1e9 if on_gpu else 0.0,
        "last_loss": last,
    }
    keep(settings.out, {"part": "speed", **record})
    subject.evaluate()
    began = time.perf_counter()
    subject.evaluate()
    evaluation = {"part": "evaluation", "size": size, "variant": variant, "ms": 1e3 * (time.perf_counter() - began)}
    keep(settings.out, evaluation)
    ran = attention_that_ran(profiled(subject, number, 1))
    asked = str(subject.machine.attention)
    wrong = mismatch(asked, ran)
    seen = "seen on the device" if ran["device"] else "by torch's operators: the profiler shows no device"
    verdict = wrong or f"{asked}, {seen}"
    keep(
        settings.out, {"part": "attention", "size": size, "variant": variant, "asked": asked, "verdict": verdict, **ran}
    )
    if wrong:
        sys.exit(wrong)


def cold(settings: Settings, size: str, variant: str) -> None:
    """Take the first step from an empty compile cache."""
    with tempfile.TemporaryDirectory(dir=settings.work) as empty:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = empty
        from gpu_steps import first_step

        keep(settings.out, {"part": "cold", **first_step(settings, size, variant)[1]})


def compile_one(settings: Settings, size: str, variant: str) -> None:
    """Fill the compile cache for one variant, beside others."""
    from gpu_steps import first_step

    keep(settings.out, {"part": "compile", "beside_others": True, **first_step(settings, size, variant)[1]})


def warm(settings: Settings) -> None:
    """Compile all variants of the second list, several at a time."""
    import torch
    from gpu_steps import CUDA_ONLY, overrides_of

    left_out = ("eager", *(CUDA_ONLY if settings.tiny and not torch.cuda.is_available() else ()))
    wanted: dict[tuple[str, ...], list[str]] = {}
    for part in SECOND:
        if part.name == "speed" and part.arguments[1] not in left_out:
            lines = overrides_of(settings, *part.arguments)
            wanted.setdefault(tuple(sorted(x for x in lines if x != "optimizer=muon")), list(part.arguments))
    waiting, running, failed = sorted(wanted.values(), reverse=True), {}, []  # the large model takes longest
    places = max(1, min(LOAD, (os.cpu_count() or 1) // 2))
    while waiting or running:
        while waiting and len(running) < places:
            arguments = waiting.pop(0)
            command = [sys.executable, __file__, json.dumps(asdict(settings)), "compile_one", *arguments]
            process = subprocess.Popen(command, env=os.environ | {"TORCHINDUCTOR_COMPILE_THREADS": "2"})
            running[process] = arguments
        for process in [process for process in running if process.poll() is not None]:
            arguments = running.pop(process)
            failed += [f"{' '.join(arguments)} ({process.returncode})"] if process.returncode else []
        time.sleep(0.1)
    keep(settings.out, {"part": "warm", "compiled": list(wanted.values()), "failed": failed})
    if failed:
        sys.exit(f"not compiled: {', '.join(failed)}")


def kernels(settings: Settings, size: str) -> None:
    """Time each attention kernel on the device alone: a long wait before it lets the host run ahead."""
    import torch
    from gpu_steps import overrides_of
    from torch.nn.attention import sdpa_kernel

    from tinystories_lm.config.compose import compose_config
    from tinystories_lm.hardware.machine import KERNELS
    from tinystories_lm.model.attention import attention_by_kernel

    shape = b, h, t, k = compose_config(overrides_of(settings, size, "as published")).config.attention_shape
    for kind, backend in KERNELS.items():
        for layout, sizes in (("BHTK", shape), ("BTHK", (b, t, h, k))):
            row = {"part": "kernels", "size": size, "kernel": str(kind), "layout": layout}
            try:
                leaves = [torch.randn(sizes, device="cuda", dtype=torch.bfloat16, requires_grad=True) for _ in range(3)]
                views = leaves if layout == "BHTK" else [x.transpose(1, 2) for x in leaves]
                # as the gradient of the output projection lies in memory
                gradient = torch.ones(b, t, h, k, device="cuda", dtype=torch.bfloat16).transpose(1, 2)

                def once(views: list[Any] = views, leaves: list[Any] = leaves, gradient: Any = gradient) -> None:
                    torch.autograd.grad(attention_by_kernel(*views), leaves, gradient)

                with sdpa_kernel([backend]):
                    keep(settings.out, row | {"device_ms": device_milliseconds(once)})
            except (RuntimeError, AssertionError) as error:  # it does not run here, or there is no CUDA
                keep(settings.out, row | {"skipped": str(error).strip().partition("\n")[0][:200]})
    synchronize()  # an error that all further calls repeat is a failure of the part


def device_milliseconds(once: Callable[[], None], repeats: int = 20) -> float:
    import torch

    for _ in range(5):
        once()
    found = []
    for _ in range(5):
        torch.cuda.synchronize()
        torch.cuda._sleep(20_000_000)
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(repeats):
            once()
        end.record()
        torch.cuda.synchronize()
        found.append(start.elapsed_time(end) / repeats)
    return min(found)


def breakdown(settings: Settings, size: str, variant: str) -> None:
    """Record the milliseconds of each kernel in a step, and a trace for Perfetto."""
    from gpu_steps import first_step, profiled, rows_of_device

    subject, _ = first_step(settings, size, variant)
    for number in range(1, 5):
        float(subject.step(number))
    recorded = profiled(subject, 5, 3)
    record: Record = {"part": "breakdown", "size": size, "variant": variant}
    rows = sorted(rows_of_device(recorded), key=lambda row: -row.self_device_time_total)
    if rows:
        record["device_ms"] = sum(row.self_device_time_total for row in rows) / 3e3
        record["table"] = [[row.key[:110], row.self_device_time_total / 3e3, row.count / 3] for row in rows[:40]]
    else:
        record["skipped"] = "the profiler shows no kernel of the device"
    keep(settings.out, record)
    recorded.export_chrome_trace(str(Path(settings.out, f"trace-{size}.json.gz")))


def train(settings: Settings, experiment: str, steps: str, compiled: str) -> None:
    """Train a preset through the command; compiled: `cold` empties the compile cache before."""
    import gpu_runs

    if compiled == "cold":
        shutil.rmtree(settings.compile_cache, ignore_errors=True)
    gpu_runs.train(settings, experiment, steps, compiled)


def resume(settings: Settings, experiment: str, before: str, steps: str) -> None:
    """Train the run of an earlier part further."""
    import gpu_runs

    gpu_runs.resume(settings, experiment, before, steps)


def leave_with_parent() -> None:
    """Kill the part's whole group once the plan's process is gone, which cannot do it then."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.killpg(0, signal.SIGKILL)

    if os.getpgrp() == os.getpid():
        threading.Thread(target=watch, daemon=True).start()


NAMED = (facts, checks, tests, speed, cold, compile_one, warm, kernels, breakdown, train, resume)

if __name__ == "__main__":
    leave_with_parent()
    chosen, *arguments = sys.argv[2:]
    {function.__name__: function for function in NAMED}[chosen](Settings(**json.loads(sys.argv[1])), *arguments)
