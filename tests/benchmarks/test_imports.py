"""Every script finds what it imports from the package and from the scripts beside it."""

import ast
import importlib
import importlib.util
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / "benchmarks"
SCRIPTS = sorted(FOLDER.glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=[script.stem for script in SCRIPTS])
def test_what_a_script_imports_is_there(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    beside = {path.stem for path in SCRIPTS}
    tree = ast.parse(script.read_text(encoding="utf-8"))
    tried = {part for node in ast.walk(tree) if isinstance(node, ast.Try) for part in ast.walk(node)}  # has another way
    missing = [
        f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module is not None and node not in tried
        if node.module in beside or node.module.partition(".")[0] in ("tinystories_lm", "tests")
        for alias in node.names
        if not is_there(node.module, alias.name)
    ]
    assert not missing


def is_there(module: str, name: str) -> bool:
    """Return whether the module has this name, or is a folder with a module of this name."""
    found = importlib.import_module(module)
    is_folder = hasattr(found, "__path__")
    return hasattr(found, name) or (is_folder and importlib.util.find_spec(f"{module}.{name}") is not None)
