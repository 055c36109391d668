"""The locks for users: each runtime dependency in exactly the version that is tested, by the hashes of its files."""

import importlib.metadata
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements.lock", "requirements-torch.lock")
OF_TORCH = re.compile(r"(torch|triton|cuda-|nvidia-)")
UNPINNED = {"setuptools"}  # torch alone asks for it, in any version
SYSTEMS = [
    {"sys_platform": system, "platform_machine": machine, "python_full_version": f"{python}.0"}
    for system, machine in (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"))
    for python in ("3.11", "3.12", "3.13")
]


class Locked(NamedTuple):
    """One package of a lock."""

    version: str
    marker: Marker | None
    hashes: list[str]


def locked(name: str) -> dict[str, Locked]:
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    found = {}
    for line in re.findall(r"^[a-z].*$", text, re.MULTILINE):
        requirement = Requirement(line.partition(" --hash")[0])
        (pin,) = requirement.specifier
        assert pin.operator == "==" and "*" not in pin.version
        found[requirement.name] = Locked(pin.version, requirement.marker, re.findall(r"--hash=(\S+)", line))
    return found


def pins() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"]
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


def needed() -> set[str]:
    """Return the runtime dependencies of pyproject.toml and, by installed metadata, all that they require here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found, waiting = set[tuple[str, str]](), [Requirement(line) for line in project["dependencies"]]
    while waiting:
        requirement = waiting.pop()
        for extra in ("", *requirement.extras):
            name = canonicalize_name(requirement.name)
            if (name, extra) not in found:
                found.add((name, extra))
                waiting += needs_of(name, extra)
    return {name for name, _ in found}


def needs_of(name: str, extra: str) -> Iterator[Requirement]:
    for line in importlib.metadata.requires(name) or []:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement


@pytest.mark.skipif(
    importlib.metadata.version("torch").partition("+")[0] != pins()["torch"],
    reason="what is needed is read from the installed packages, and another torch than the locked one needs others",
)
def test_every_runtime_dependency_is_locked_in_the_version_that_is_tested() -> None:
    both = locked(LOCKS[0]) | locked(LOCKS[1])
    assert needed() - set(both) == set()
    tested = pins()
    for name, package in both.items():
        here = package.marker is None or any(package.marker.evaluate(system) for system in SYSTEMS)
        if here and name not in UNPINNED and not (OF_TORCH.match(name) and name != "torch"):
            assert package.version == tested[name], name


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_has_hashes_and_no_place(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(
        r"://|^\s*-(?!-hash)|--(?!hash=sha256:)|@ |/home|/opt|\+cpu", text.replace("# via -c", ""), re.M
    )
    for package, about in locked(name).items():
        assert about.hashes and len(set(about.hashes)) == len(about.hashes), package
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in about.hashes), package


def test_torch_stands_apart_for_its_builds_differ() -> None:
    rest, torch = (locked(name) for name in LOCKS)
    assert not [name for name in rest if OF_TORCH.match(name)]
    assert all(OF_TORCH.match(name) for name in torch) and len(torch["torch"].hashes) > 10
    for name in ("nvidia-cublas", "triton"):  # a Mac has no use for them
        marker = torch[name].marker
        assert marker is not None and not marker.evaluate(SYSTEMS[-1])
