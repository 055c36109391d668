"""Describe what a run was made with: versions, commit, machine, corpus and tokenizer."""

import importlib.metadata
import os
import platform
import subprocess
import time
from pathlib import Path

from tinystories_lm.config.choices import Device
from tinystories_lm.data.token_cache import TokenCache
from tinystories_lm.hardware.detect import device_name
from tinystories_lm.hardware.machine import Machine
from tinystories_lm.runs.schemas import CorpusRecord, MachineRecord, Segment, SplitRecord

PACKAGES = ("tinystories_lm", "torch", "hydra-core", "omegaconf", "tokenizers", "datasets", "safetensors", "wandb")


def describe_segment(machine: Machine, *, first_step: int) -> Segment:
    """Describe this process, which takes the run's steps after `first_step`."""
    return Segment(
        first_step=first_step,
        started=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        git_commit=git_commit(),
        python=platform.python_version(),
        platform=platform.platform(),
        packages={name: _version(name) for name in PACKAGES},
        machine=describe_machine(machine),
    )


def describe_machine(machine: Machine) -> MachineRecord:
    """Describe the hardware and how it is used."""
    return MachineRecord(
        hardware=machine.name,
        device=Device(machine.device.type),
        device_name=device_name(machine.device),
        precision=str(machine.dtype).removeprefix("torch."),
        residual=str(machine.residual).removeprefix("torch."),
        compile=machine.compile,
        attention=machine.attention,
        threads=machine.threads,
        cpu_cores=os.cpu_count(),
        peak_flops_per_second=machine.peak_flops_per_second,
        dollars_per_hour=machine.dollars_per_hour,
    )


def describe_corpus(cache: TokenCache) -> CorpusRecord:
    """Describe the text and the tokenizer."""
    splits = {
        str(split): SplitRecord(tokens=int(found.tokens.size), documents=found.documents, bytes=found.bytes)
        for split, found in cache.splits.items()
    }
    return CorpusRecord(
        fingerprint=cache.fingerprint,
        tokenizer_sha256=cache.tokenizer_sha256,
        vocab_size=cache.vocab_size,
        splits=splits,
    )


def git_commit() -> str:
    """Return the checkout's commit, with `+changes` where files differ from it; empty for an installed package."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return ""
    try:
        commit = _git(root, "rev-parse", "HEAD")
        return commit + ("+changes" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
