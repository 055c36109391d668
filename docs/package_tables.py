"""What the package's own source shows: folders, imports, commands, exit codes."""

import ast
from collections.abc import Callable
from functools import cache
from pathlib import Path

from markup import cell_comment, table

from tinystories_lm.cli.main import COMMANDS
from tinystories_lm.system.errors import ExitCode

PACKAGE = Path(__file__).resolve().parent.parent / "tinystories_lm"
TOP_LEVEL = {
    "conf/": "Every setting: defaults, groups, presets, sweeps",
    "docs/": "One question a page; `generate.py` writes their tables",
    "experiments/": "The lab notebook: published and measured figures, curves, what each experiment taught",
    "benchmarks/": "Speed against peers",
    "tests/": "Laws, in folders that mirror the package",
    "outputs/": "Run folders, sweeps and the token cache",
}


def folders() -> list[Path]:
    """Return the package's folders from the command line down to the system, in the order that tests/ holds."""
    tests = ast.parse((PACKAGE.parent / "tests" / "test_structure.py").read_text(encoding="utf-8"))
    (order,) = (
        node.value for node in tests.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ORDER"
    )
    return [PACKAGE / name for name in ast.literal_eval(order)]


@cache
def folder_imports() -> dict[str, set[str]]:
    """Return for each folder of the package the other folders that its modules import."""
    names = {folder.name for folder in folders()}
    edges: dict[str, set[str]] = {name: set() for name in names}
    for name in names:
        for file in (PACKAGE / name).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
                if module == "tinystories_lm" and isinstance(node, ast.ImportFrom):
                    edges[name] |= {alias.name for alias in node.names} & names
                elif module.startswith("tinystories_lm."):
                    edges[name] |= {module.split(".")[1]} & names
        edges[name].discard(name)
    return edges


def reduced(edges: dict[str, set[str]]) -> dict[str, set[str]]:
    """Leave out every import that follows from others."""

    def reachable(name: str, seen: frozenset[str] = frozenset()) -> set[str]:
        others = edges[name] - seen
        return others.union(*(reachable(other, seen | others) for other in others))

    return {
        name: {other for other in others if not any(other in reachable(third) for third in others - {other})}
        for name, others in edges.items()
    }


def summary(folder: Path) -> str:
    """Return the first line of a folder's docstring."""
    docstring = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0].rstrip(".")


def tree() -> str:
    """Return the repository's tree with a line a folder."""
    lines = [("tinystories_lm/", ""), *((f"  {folder.name}/", summary(folder)) for folder in folders())]
    lines += list(TOP_LEVEL.items())
    width = max(len(name) for name, _ in lines) + 2
    return "\n".join(["```", *(f"{name:<{width}}{what.replace('`', '')}".rstrip() for name, what in lines), "```"])


def folders_table() -> str:
    """Return the folders with what they are for and their modules."""
    rows = []
    for folder in folders():
        modules = [f"`{file.stem}`" for file in sorted(folder.glob("*.py")) if file.stem != "__init__"]
        modules += [f"`{inner.parent.name}/`" for inner in sorted(folder.glob("*/__init__.py"))]
        rows.append([f"`{folder.name}/`", summary(folder), " ".join(modules)])
    return table(["folder", "for", "modules"], rows)


def imports() -> str:
    """Return the imports between folders as a Mermaid diagram."""
    drawn = reduced(folder_imports())
    lines = [f"  {folder.name} --> {other}" for folder in folders() for other in sorted(drawn[folder.name])]
    return "\n".join(["```mermaid", "flowchart TD", *lines, "```"])


def exit_codes() -> str:
    """Return the exit codes with their meaning."""
    return table(["code", "meaning"], [[str(code), cell_comment(code.meaning)] for code in ExitCode], right=(0,))


def commands() -> str:
    """Return every command with its arguments, as `--help` lists them."""
    rows = [[f"`{f'{found.name} {found.usage}'.strip()}`", cell_comment(found.summary)] for found in COMMANDS.values()]
    return table(["command", "does"], rows)


PARTS: dict[str, Callable[[], str]] = {
    "commands": commands,
    "tree": tree,
    "folders": folders_table,
    "imports": imports,
    "exit-codes": exit_codes,
}
