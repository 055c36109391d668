"""The rules of the house that a reader relies on, checked against the source itself."""

import ast
from collections.abc import Iterator
from pathlib import Path

import tinystories_lm

PACKAGE = Path(tinystories_lm.__file__).parent
# A folder imports only from itself and from the folders after it.
ORDER = (
    "cli",
    "sweeps",
    "jobs",
    "interop",
    "analysis",
    "evaluation",
    "planning",
    "tracking",
    "generation",
    "training",
    "runs",
    "hardware",
    "data",
    "model",
    "config",
    "system",
)
# What the training loop may import of ours: it is read alone.
LOOP_IMPORTS = ("training", "data.batches", "hardware", "runs.checkpoint", "config", "system")
FUNCTION_LINES, LOOP_LINES = 40, 60


def imports(file: Path) -> Iterator[str]:
    """Yield the package's own modules that a file imports, without the package's name."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: relative import"
            module = node.module or ""
            if module.startswith("tinystories_lm."):
                yield module.removeprefix("tinystories_lm.")
            elif module == "tinystories_lm":
                yield from (alias.name for alias in node.names if alias.name != "__version__")


def test_folders_import_only_folders_below_them() -> None:
    for file in PACKAGE.glob("*/**/*.py"):
        folder = file.relative_to(PACKAGE).parts[0]
        for module in imports(file):
            assert ORDER.index(module.split(".")[0]) >= ORDER.index(folder), f"{file} imports {module}"


def test_the_training_loop_depends_on_little() -> None:
    for file in (PACKAGE / "training").glob("*.py"):
        for module in imports(file):
            assert module.startswith(LOOP_IMPORTS), f"{file} imports {module}"


def test_no_two_modules_import_each_other() -> None:
    graph = {
        ".".join(file.relative_to(PACKAGE).with_suffix("").parts): set(imports(file)) for file in PACKAGE.rglob("*.py")
    }
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"import circle: {' → '.join((*path, module))}"
        if module not in done:
            for other in graph.get(module, ()):
                visit(other, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_nothing_reads_pickles_or_runs_code_from_files() -> None:
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            assert not {"pickle", "dill", "cloudpickle", "joblib"} & set(names), file
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("eval", "exec", "torch.load", "__import__"), f"{file}: {called}"


def test_functions_fit_on_a_screen_and_the_loop_on_a_page() -> None:
    long = {}
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                limit = LOOP_LINES if (file.parent.name, node.name) == ("training", "train") else FUNCTION_LINES
                if (lines := (node.end_lineno or 0) - node.lineno + 1) > limit:
                    long[f"{file.relative_to(PACKAGE)}: {node.name}"] = lines
    assert not long


def test_files_are_short() -> None:
    long = {file.name: len(file.read_text().splitlines()) for file in PACKAGE.rglob("*.py")}
    assert not {name: lines for name, lines in long.items() if lines > 400 and name != "vocabulary.py"}
