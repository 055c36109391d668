"""Checkpoints: written whole or not at all, checked by hash before they are believed.

checkpoints/step-00001000/
    model.safetensors       weights by name
    optimizer.safetensors   the optimizer's tensors, as `parameter/state`
    state.json              Progress
    manifest.json           format, run, step, and each file's size and sha256
"""

import dataclasses
import json
import logging
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tinystories_lm.runs.schemas import RUN_ID
from tinystories_lm.system import failpoints
from tinystories_lm.system.errors import CannotWriteError, DamagedError, DivergedError, NewerFormatError
from tinystories_lm.system.files import has_holes, new_folder, read_plain, remove_folder
from tinystories_lm.system.hashing import sha256_of
from tinystories_lm.system.json_files import LARGEST_INTEGER, read_json, to_json

FORMAT = 2
FILES = ("model.safetensors", "optimizer.safetensors", "state.json")
BYTES_PER_WEIGHT = 4  # weights are kept in float32
MOST_HEADER_BYTES = 1 << 24
log = logging.getLogger(__name__)


@dataclass
class Progress:
    """How far a run has come: with the weights and the optimizer, all that the next step depends on or adds to."""

    step: int = 0  # optimizer steps taken
    tokens: int = 0
    train_seconds: float = 0.0  # wall-clock in the loop, over all pieces of an interrupted run
    dollars: float = 0.0
    loss_sum: float = 0.0  # of the training losses since the last row of metrics.jsonl
    loss_steps: int = 0
    val_step: int = 0  # of the newest evaluation
    val_loss: float | None = None
    val_bits_per_byte: float | None = None
    best_loss: float | None = None  # lowest validation loss of a step that has a checkpoint
    best_step: int = 0
    metrics_bytes: int = 0  # length of metrics.jsonl and samples.jsonl: what is beyond was written after
    samples_bytes: int = 0
    metrics_sha256: str = ""  # of so many bytes; empty is unknown
    samples_sha256: str = ""
    skipped_steps: int = 0  # whose loss or gradient was no finite number
    skipped_in_a_row: int = 0  # of these the newest, without a finite one between
    pieces: int = 1  # processes this run took
    exact: bool = True  # bit for bit what one uninterrupted process would have got


def _from_1(state: dict[str, Any]) -> dict[str, Any]:
    """Format 1 counted no steps without finite numbers, at first, and hashed no rows."""
    return {"skipped_steps": 0, "skipped_in_a_row": 0, "metrics_sha256": "", "samples_sha256": ""} | state


# What makes of a state.json of a format that of the next one.
MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _from_1}


def save_checkpoint(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress, *, run_id: str, keep: int
) -> Path:
    """Write step-N below `folder`, then delete all but the newest `keep` and the best.

    Raises CannotWriteError, with every earlier checkpoint as it was, and DivergedError for weights that are no longer
    finite: such a checkpoint would take the place of a good one.
    """
    for name, weight in model.named_parameters():
        if not torch.isfinite(weight).all():
            raise DivergedError(f"diverged by step {progress.step}: {name} has values that are not finite")
    path = folder / f"step-{progress.step:08d}"
    try:
        with new_folder(path, replace=True) as temporary:  # of the same step: before a stop, or damaged
            save_file(_on_cpu(dict(model.named_parameters())), temporary / "model.safetensors")
            failpoints.hit("checkpoint.after_weights", path)
            save_file(_on_cpu(named_state(model, optimizer)), temporary / "optimizer.safetensors")
            failpoints.hit("checkpoint.after_optimizer", path)
            (temporary / "state.json").write_text(to_json(dataclasses.asdict(progress), indent=2), encoding="utf-8")
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
    """Delete all checkpoints but the best and the newest `keep`, of which the one of `progress` is the first."""
    done = [found for found in list_checkpoints(folder) if step_of(found) <= progress.step]  # later ones are damaged
    for old in done[keep:]:
        if step_of(old) != progress.best_step:
            remove_folder(old)


def _on_cpu(tensors: dict[str, Any]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def list_checkpoints(folder: Path) -> list[Path]:
    """Newest first, by step; believed only once `check_checkpoint` has passed."""
    found = [path for path in folder.glob("step-*") if re.fullmatch(r"step-\d{8,18}", path.name)]
    return sorted(found, key=step_of, reverse=True)


def step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("step-"))


def check_checkpoint(path: Path, *, run_id: str) -> Progress:
    """The checkpoint's Progress, once every file of it has the size and hash that were written.

    Raises DamagedError naming the file, NewerFormatError for one from a later version.
    """
    try:
        manifest = json.loads(read_plain(path / "manifest.json"))
        if manifest["format"] > FORMAT:
            raise NewerFormatError(
                f"{path} has checkpoint format {manifest['format']}, this version reads up to {FORMAT}: "
                "use a newer tinystories_lm"
            )
        if manifest["run_id"] != run_id:
            raise DamagedError(f"{path} is a checkpoint of another run ({manifest['run_id']!s:.40}, this is {run_id})")
        if manifest["step"] != step_of(path) or set(manifest["files"]) != set(FILES):
            raise DamagedError(f"{path}/manifest.json does not describe this checkpoint")
        for name in FILES:
            expected, file = manifest["files"][name], path / name
            if not stat.S_ISREG((status := file.lstat()).st_mode) or has_holes(status):
                raise DamagedError(f"{file} is no plain file")
            if status.st_size != expected["bytes"] or sha256_of(file) != expected["sha256"]:
                raise DamagedError(f"{file} is damaged: it is not what its manifest recorded")
        state = json.loads(read_plain(path / "state.json"))
        for format_ in range(manifest["format"], FORMAT):
            state = MIGRATIONS[format_](state)
        progress = _progress(state)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedError(f"{path} is damaged: {error!r}") from error
    if progress.step != step_of(path):
        raise DamagedError(f"{path}/state.json is of step {progress.step}")
    return progress


def _progress(state: dict[str, Any]) -> Progress:
    """Raises ValueError where it is not exactly the fields of Progress, each of its type."""
    meant = dataclasses.asdict(Progress())
    if set(state) != set(meant):
        raise ValueError("state.json has other fields")
    for name, example in meant.items():
        value, kind = state[name], type(example)
        number = type(value) in (int, float) and abs(value) < LARGEST_INTEGER  # which no NaN is
        if example is None:
            right = number or value is None
        elif kind is float:
            right = number
        else:
            right = type(value) is kind and not (kind is int and not 0 <= value < LARGEST_INTEGER)
        if not right:
            raise ValueError(f"state.json: {name} is {value!r:.40}")
    return Progress(**state)


def valid_checkpoints(folder: Path, *, run_id: str) -> Iterator[tuple[Path, Progress]]:
    """Newest first; a damaged one is named in a warning and passed over."""
    for path in list_checkpoints(folder):
        try:
            yield path, check_checkpoint(path, run_id=run_id)
        except DamagedError as error:
            log.warning("%s; trying an earlier checkpoint", error)


def run_id_of(path: Path) -> str:
    """The run that a checkpoint says it is of; raises DamagedError."""
    return str(read_json(path / "manifest.json", {"run_id": RUN_ID})["run_id"])


def check_size(path: Path, parameters: int) -> None:
    """Raise DamagedError where a checkpoint cannot be that of a model with so many parameters, before it is read."""
    file = path / "model.safetensors"
    size, expected = file.stat().st_size, BYTES_PER_WEIGHT * parameters
    if not expected < size < expected + MOST_HEADER_BYTES:
        raise DamagedError(f"{file} has {size:,} bytes; the config's model has weights of {expected:,}")


def load_weights(path: Path, model: nn.Module) -> None:
    """Fill the model's parameters from a checkpoint.

    Raises DamagedError naming the tensor that is missing, left over, of another shape, or not finite.
    """
    file = path / "model.safetensors"
    check_size(path, sum(weight.numel() for weight in model.parameters()))
    try:
        tensors = load_file(file)
    except (OSError, SafetensorError) as error:
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
    """Fill the optimizer's state; raises DamagedError where it does not belong to the model."""
    try:
        load_named_state(model, optimizer, load_file(path / "optimizer.safetensors"))
    except (OSError, SafetensorError, KeyError) as error:
        raise DamagedError(f"{path / 'optimizer.safetensors'} is damaged: {error!r}") from error


def named_state(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's tensors under `parameter name/state name`, such as `head.weight/exp_avg`."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        f"{names[id(parameter)]}/{key}": value
        for parameter, state in optimizer.state.items()
        for key, value in state.items()
    }


def load_named_state(model: nn.Module, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """The inverse of `named_state`. Empty `tensors` leave the optimizer as new: it had not stepped yet."""
    parameters = dict(model.named_parameters())
    for name, value in tensors.items():
        parameter_name, _, key = name.rpartition("/")
        parameter = parameters[parameter_name]
        device = torch.device("cpu") if key == "step" and not is_fused(optimizer) else parameter.device
        optimizer.state[parameter][key] = value.to(device)


def is_fused(optimizer: torch.optim.Optimizer) -> bool:
    """Return whether the optimizer's step is one kernel, which keeps its step counts on the device."""
    return any(group.get("fused") for group in optimizer.param_groups)
