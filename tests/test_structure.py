"""The house rules that a reader relies on, read from the source itself."""

import ast
from pathlib import Path

import tinystories_lm

PACKAGE = Path(tinystories_lm.__file__).parent
# Imports point one way: a module may import those of its own level's left only.
LEVELS = [
    {
        "errors",
        "choices",
        "controls",
        "attention",
        "config",
        "identity",
        "terminal",
        "signals",
        "streams",
        "faults",
        "credentials",
        "wandb_folder",
    },
    {"arithmetic", "files", "shapes", "records", "composition", "processes", "curve", "story_quality", "wandb_run"},
    {"data", "model", "optimizer", "hardware", "capacity", "tracking", "estimate", "run_folder"},
    {"checkpoint", "settling", "decoding", "plan", "verdict", "published", "listing"},
    {"sampling"},
    {"environment", "resume", "training", "dashboard", "profiling", "divergence", "compilation"},
    {"notebook", "scoring", "trained", "calibration", "summary", "conditions"},
    {"job", "evaluation", "exchange", "upload"},
    {"storyteller", "grid", "entry"},
    {"replay", "sweep", "scaling", "report"},
    {"commands"},
    {"command"},
    {"__main__"},
]


def imports(file: Path) -> set[str]:
    """The package's own modules that a file imports, by their first name."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tinystories_lm"):
            inner = (node.module or "").split(".")[1:]
            found |= {inner[0]} if inner else {alias.name for alias in node.names}
        assert not (isinstance(node, ast.ImportFrom) and node.level), f"{file}: relative import"
    return found - {"__version__"}


def test_imports_point_one_way() -> None:
    rank = {name: level for level, names in enumerate(LEVELS) for name in names}
    for file in PACKAGE.rglob("*.py"):
        name = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if name == "__init__":
            continue
        for other in imports(file) - {name}:
            assert rank[other] <= rank[name], f"{name} imports {other}"
            if rank[other] == rank[name]:
                assert name not in imports(PACKAGE / f"{other}.py") if (PACKAGE / f"{other}.py").exists() else True


def test_nothing_reads_pickles_or_runs_code_from_files() -> None:
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            assert not {"pickle", "dill", "cloudpickle", "joblib"} & set(names), file
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("eval", "exec", "torch.load", "__import__"), f"{file}: {called}"


def test_the_loop_reads_like_a_page() -> None:
    tree = ast.parse((PACKAGE / "training.py").read_text(encoding="utf-8"))
    loop = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "train")
    assert (loop.end_lineno or 0) - loop.lineno < 70


def test_files_are_short() -> None:
    long = {file.name: len(file.read_text().splitlines()) for file in PACKAGE.rglob("*.py")}
    assert not {name: lines for name, lines in long.items() if lines > 400 and name != "story_words.py"}
