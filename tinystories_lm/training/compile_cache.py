"""Keep compiled code between runs: a folder for each model shape, batch shape, kernel, device and version of torch."""

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import nn

from tinystories_lm.data.batches import Batch
from tinystories_lm.hardware.detect import device_name
from tinystories_lm.hardware.machine import Machine
from tinystories_lm.system.errors import CannotWriteError
from tinystories_lm.system.files import remove_folder
from tinystories_lm.system.json_files import to_json, write_json

CACHE, KERNELS = "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"  # where torch and Triton keep compiled code
TRITON = "triton"  # the folder of single kernels, which the others share
CompileKey = Mapping[str, str | int | bool]
KEY = "key.json"  # what a folder's code was compiled for, written once it is whole


def compile_key(model: nn.Module, part: Batch, machine: Machine) -> CompileKey:
    """Return what decides the compiled code for micro-batches of this shape.

    The kernel that computes attention is part of it. torch's own key leaves it out, and would give a run the kernel of
    another one (pytorch#185449).
    """
    return {
        "model": repr(getattr(model, "config", type(model).__name__)),
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "sequences": part.inputs_BT.shape[0],
        "tokens": part.inputs_BT.shape[1],
        "precision": str(machine.dtype),
        "residual": str(machine.residual),
        "attention": machine.attention,
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "device": device_name(machine.device),
        "threads": machine.threads if machine.device.type == "cpu" else 0,
        "torch": torch.__version__,
    }


def code_folder(key: CompileKey) -> Path:
    """Return the folder of the code that was or will be compiled for this key, below torch's own."""
    return _root() / hashlib.sha256(to_json(key, sort_keys=True).encode()).hexdigest()[:16]


def _root() -> Path:
    from torch._inductor.runtime.cache_dir_utils import default_cache_dir  # imports the compiler

    return Path(os.environ.get(CACHE) or default_cache_dir())


def remove_code(folder: Path) -> None:
    """Remove the folder's code and all of Triton's, one of which is damaged."""
    for doomed in (folder, folder.parent / TRITON):
        if doomed.is_dir():
            remove_folder(doomed)


def is_compiled(folder: Path) -> bool:
    """Return whether a run has compiled all its code into the folder."""
    return (folder / KEY).is_file()


@contextlib.contextmanager
def compiling_into(folder: Path, key: CompileKey) -> Iterator[None]:
    """Let torch keep the code that it compiles in the block in this folder, and look for it there.

    Code that is there is only loaded, without the processes that torch starts to compile, one for each core; they end
    with the block.
    """
    from torch._inductor import config
    from torch._inductor.async_compile import shutdown_compile_workers

    folder.mkdir(parents=True, exist_ok=True)
    before = {name: os.environ.get(name) for name in (CACHE, KERNELS)}
    os.environ |= {CACHE: str(folder)} | ({} if before[KERNELS] else {KERNELS: str(folder.parent / TRITON)})
    try:
        with config.patch(compile_threads=1) if is_compiled(folder) else contextlib.nullcontext():
            yield
        with contextlib.suppress(CannotWriteError):  # the next run compiles again
            write_json(folder / KEY, dict(key))
    finally:
        shutdown_compile_workers()
        for name, text in before.items():
            os.environ.pop(name, None) if text is None else os.environ.update({name: text})
