"""Write checkpoints whole or not at all, and check them by hash before they are used.

checkpoints/step-00001000/
    model.safetensors       weights by name
    optimizer.safetensors   the optimizer's tensors, as `parameter/state`
    state.json              Progress
    manifest.json           format, run, step, and each file's size and sha256
"""

import contextlib
import copy
import logging
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import torch
from msgspec import Meta, Struct
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tinystories_lm.runs.schemas import Count, RunId
from tinystories_lm.system import failpoints
from tinystories_lm.system.errors import (
    CannotReadError,
    CannotWriteError,
    DamagedError,
    DivergedError,
    NewerFormatError,
)
from tinystories_lm.system.files import has_holes, new_folder, remove_folder, unreadable
from tinystories_lm.system.hashing import sha256_of
from tinystories_lm.system.json_files import read_json, to_json

FORMAT = 2
ADDED_BY_FORMAT_2 = {"skipped_steps": 0, "skipped_in_a_row": 0, "metrics_sha256": "", "samples_sha256": ""}  # to state
FILES = ("model.safetensors", "optimizer.safetensors", "state.json")
BYTES_PER_WEIGHT = 4  # weights are kept in float32
MOST_HEADER_BYTES = 1 << 24
log = logging.getLogger(__name__)


class Progress(Struct, forbid_unknown_fields=True, rename={"segments": "pieces"}):
    """state.json: how far a run has come; with the weights and the optimizer, all that the next step depends on."""

    step: Count = 0  # optimizer steps taken
    tokens: Count = 0
    train_seconds: float = 0.0  # wall-clock in the loop, over all segments of the run
    dollars: float = 0.0
    loss_sum: float = 0.0  # of the training losses since the last row of metrics.jsonl
    loss_steps: Count = 0
    val_step: Count = 0  # of the newest evaluation
    val_loss: float | None = None
    val_bits_per_byte: float | None = None
    best_loss: float | None = None  # lowest validation loss of a step that has a checkpoint
    best_step: Count = 0
    metrics_bytes: Count = 0  # length of metrics.jsonl and samples.jsonl; later rows were written after the checkpoint
    samples_bytes: Count = 0
    metrics_sha256: str = ""  # of that length; empty is unknown
    samples_sha256: str = ""
    skipped_steps: Count = 0  # whose loss or gradient was not finite
    skipped_in_a_row: Count = 0  # the newest of these, without a finite one between
    segments: Count = 1  # processes that have trained the run
    exact: bool = True  # bit for bit what one uninterrupted process would have computed


class FileRecord(Struct, frozen=True):
    bytes: Count
    sha256: str


class Manifest(Struct, frozen=True, kw_only=True):
    """manifest.json, the last file that is written."""

    format: Annotated[int, Meta(ge=1, le=FORMAT)]
    run_id: RunId
    step: Count
    files: dict[str, FileRecord]


@dataclass(frozen=True)
class Snapshot:
    """What a checkpoint holds, in memory of its own: training may continue while it is written."""

    weights: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    progress: Progress


def take_snapshot(model: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress) -> Snapshot:
    """Copy to the CPU what a checkpoint holds, and wait for the copies.

    Raises DivergedError for weights that are no longer finite: such a checkpoint would replace a good one.
    """
    parameters = dict(model.named_parameters())
    finite = torch.stack([torch.isfinite(weight).all() for weight in parameters.values()]).tolist()
    if not all(finite):
        name = list(parameters)[finite.index(False)]
        raise DivergedError(f"diverged by step {progress.step}: {name} has values that are not finite")
    weights, state = _copied(parameters), _copied(named_state(model, optimizer))
    for device in {weight.device for weight in parameters.values() if weight.is_cuda}:
        torch.cuda.synchronize(device)
    return Snapshot(weights, state, copy.copy(progress))


def _copied(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Begin to copy the tensors to the CPU; the copies from a GPU are complete once it has been waited for."""
    return {name: _host_memory(tensor).copy_(tensor.detach(), non_blocking=True) for name, tensor in tensors.items()}


def _host_memory(tensor: Tensor) -> Tensor:
    """Return memory of the CPU in the form of `tensor`, page-locked for a GPU, which copies there at full speed.

    torch keeps page-locked memory that is freed, and gives it to the next snapshot.
    """
    if tensor.is_cuda:
        with contextlib.suppress(RuntimeError):  # there may be a limit on memory that is locked
            return torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    return torch.empty(tensor.shape, dtype=tensor.dtype)


def save_checkpoint(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress, *, run_id: str, keep: int
) -> Path:
    """Take a snapshot and write it; raises what `take_snapshot` and `write_checkpoint` do."""
    return write_checkpoint(folder, take_snapshot(model, optimizer, progress), run_id=run_id, keep=keep)


def write_checkpoint(folder: Path, snapshot: Snapshot, *, run_id: str, keep: int) -> Path:
    """Write step-N below `folder`, then delete all but the newest `keep` and the best.

    Raises CannotWriteError, which leaves every earlier checkpoint unchanged.
    """
    progress = snapshot.progress
    path = folder / f"step-{progress.step:08d}"
    try:
        with new_folder(path, replace=True) as temporary:  # one of the same step is from before a stop, or damaged
            save_file(snapshot.weights, temporary / "model.safetensors")
            failpoints.hit("checkpoint.after_weights", path)
            save_file(snapshot.optimizer, temporary / "optimizer.safetensors")
            failpoints.hit("checkpoint.after_optimizer", path)
            (temporary / "state.json").write_text(to_json(msgspec.to_builtins(progress), indent=2), encoding="utf-8")
            for name in FILES:  # safetensors makes files that only their owner may read, whatever the umask
                shutil.copymode(temporary / "state.json", temporary / name)
            files = {
                name: {"bytes": (temporary / name).stat().st_size, "sha256": sha256_of(temporary / name)}
                for name in FILES
            }
            manifest = {"format": FORMAT, "run_id": run_id, "step": progress.step, "files": files}
            (temporary / "manifest.json").write_text(to_json(manifest, indent=2), encoding="utf-8")
    except SafetensorError as error:  # how safetensors reports a full disk
        raise CannotWriteError(f"cannot write {path}: {error}: free some space or name another folder") from error
    delete_superseded(folder, progress, keep=keep)
    return path


def delete_superseded(folder: Path, progress: Progress, *, keep: int) -> None:
    """Delete all checkpoints but the best and the newest `keep` up to the step of `progress`."""
    done = [found for found in list_checkpoints(folder) if step_of(found) <= progress.step]  # later ones are damaged
    for old in done[keep:]:
        if step_of(old) != progress.best_step:
            remove_folder(old)


def list_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints' folders, newest first by step; `check_checkpoint` tells which are intact."""
    found = [path for path in folder.glob("step-*") if re.fullmatch(r"step-\d{8,18}", path.name)]
    return sorted(found, key=step_of, reverse=True)


def step_of(checkpoint: Path) -> int:
    """Return the step in a checkpoint's name."""
    return int(checkpoint.name.removeprefix("step-"))


def check_checkpoint(path: Path, *, run_id: str) -> Progress:
    """Return the checkpoint's Progress after checking that every file has the recorded size and hash.

    Raises DamagedError naming the file, NewerFormatError for a checkpoint from a later version.
    """
    try:
        manifest = _read_manifest(path)
        if manifest.run_id != run_id:
            raise DamagedError(f"{path} is a checkpoint of another run ({manifest.run_id}, this is {run_id})")
        if manifest.step != step_of(path) or set(manifest.files) != set(FILES):
            raise DamagedError(f"{path}/manifest.json does not describe this checkpoint")
        for name in FILES:
            _check_file(path / name, manifest.files[name])
        progress = _read_state(path, manifest.format)
    except OSError as error:
        raise unreadable(path, error) from error
    except ValueError as error:
        raise DamagedError(f"{path} is damaged: {error}") from error
    if progress.step != step_of(path):
        raise DamagedError(f"{path}/state.json is of step {progress.step}")
    return progress


def _read_manifest(path: Path) -> Manifest:
    """Raise DamagedError, NewerFormatError or ValueError for a manifest that this version cannot use."""
    values = read_json(path / "manifest.json")
    if isinstance(values.get("format"), int) and values["format"] > FORMAT:  # its other keys may have changed
        raise NewerFormatError(
            f"{path} has checkpoint format {values['format']}, this version reads up to {FORMAT}: "
            "use a newer tinystories_lm"
        )
    return msgspec.convert(values, Manifest)


def _check_file(file: Path, recorded: FileRecord) -> None:
    if not stat.S_ISREG((status := file.lstat()).st_mode) or has_holes(status):
        raise DamagedError(f"{file} is not a plain file")
    if status.st_size != recorded.bytes or sha256_of(file) != recorded.sha256:
        raise DamagedError(f"{file} is damaged: it differs from what its manifest recorded")


def _read_state(path: Path, format_: int) -> Progress:
    """Raise DamagedError or ValueError where state.json does not have exactly the fields of Progress."""
    state = read_json(path / "state.json")
    if format_ == 1:
        state = ADDED_BY_FORMAT_2 | state
    if missing := set(Progress.__struct_encode_fields__) - set(state):
        raise ValueError(f"state.json has no {min(missing)}")
    return msgspec.convert(state, Progress)


def valid_checkpoints(folder: Path, *, run_id: str) -> Iterator[tuple[Path, Progress]]:
    """Yield the intact checkpoints, newest first; a damaged one costs a warning."""
    for path in list_checkpoints(folder):
        try:
            yield path, check_checkpoint(path, run_id=run_id)
        except CannotReadError:
            raise
        except DamagedError as error:
            if path.exists():  # otherwise the process that trains the run has deleted it
                log.warning("%s; trying an earlier checkpoint", error)


def read_progress(path: Path) -> Progress:
    """Return the Progress of a checkpoint that was checked before; raises DamagedError where it is gone."""
    try:
        return _read_state(path, _read_manifest(path).format)
    except ValueError as error:
        raise DamagedError(f"{path} is damaged: {error}") from error


def check_size(path: Path, parameters: int) -> None:
    """Raise DamagedError where a checkpoint's size does not fit a model of `parameters` weights, before it is read."""
    file = path / "model.safetensors"
    try:
        size = file.stat().st_size
    except OSError as error:
        raise unreadable(file, error) from error
    expected = BYTES_PER_WEIGHT * parameters
    if not expected < size < expected + MOST_HEADER_BYTES:
        raise DamagedError(f"{file} has {size:,} bytes; the weights of the config's model take {expected:,}")


def load_weights(path: Path, model: nn.Module) -> None:
    """Fill the model's parameters from a checkpoint.

    Raises DamagedError naming the tensor that is missing, superfluous, of another shape, or not finite.
    """
    file = path / "model.safetensors"
    check_size(path, sum(weight.numel() for weight in model.parameters()))
    try:
        tensors = load_file(file)
    except OSError as error:
        raise unreadable(file, error) from error
    except SafetensorError as error:
        raise DamagedError(f"{file} is damaged: {error}") from error
    parameters = dict(model.named_parameters())
    if set(tensors) != set(parameters):
        raise DamagedError(f"{file} and the model differ in {sorted(set(tensors) ^ set(parameters))[0]}")
    for name, tensor in tensors.items():
        if tensor.shape != parameters[name].shape:
            raise DamagedError(f"{file}: {name} is {list(tensor.shape)}, the model's is {list(parameters[name].shape)}")
        if not torch.isfinite(tensor).all():
            raise DamagedError(f"{file}: {name} has values that are not finite")
    with torch.no_grad():
        for name, tensor in tensors.items():
            parameters[name].copy_(tensor)


def load_optimizer(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Fill the optimizer's state from a checkpoint; raises DamagedError where it does not belong to the model."""
    try:
        load_named_state(model, optimizer, load_file(path / "optimizer.safetensors"))
    except OSError as error:
        raise unreadable(path / "optimizer.safetensors", error) from error
    except (SafetensorError, KeyError) as error:
        raise DamagedError(f"{path / 'optimizer.safetensors'} is damaged: {error!r}") from error


def named_state(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the optimizer's tensors as `parameter name/state name`, such as `head.weight/exp_avg`."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        f"{names[id(parameter)]}/{key}": value
        for parameter, state in optimizer.state.items()
        for key, value in state.items()
    }


def load_named_state(model: nn.Module, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Fill the optimizer's state from the result of `named_state`; it is empty before the first step."""
    parameters = dict(model.named_parameters())
    for name, value in tensors.items():
        parameter_name, _, key = name.rpartition("/")
        parameter = parameters[parameter_name]
        device = torch.device("cpu") if key == "step" and not is_fused(optimizer) else parameter.device
        optimizer.state[parameter][key] = value.to(device)


def is_fused(optimizer: torch.optim.Optimizer) -> bool:
    """Return whether the optimizer's step is one kernel, which keeps its step counts on the device."""
    return any(group.get("fused") for group in optimizer.param_groups)
