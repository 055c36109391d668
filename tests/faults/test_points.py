"""Every function that writes files has a failpoint: read from the source itself."""

import ast
from pathlib import Path

import tinystories_lm
from tests.faults.test_kill import POINTS, REPLACING

PACKAGE = Path(tinystories_lm.__file__).parent
CHANGES = {"rename", "write_text", "write_bytes", "truncate", "save_file", "tofile", "copyfile", "rmtree", "unlink"}
# Functions that change files without a failpoint of their own, and why they may.
EXEMPT = {
    "system.locks.lock": "the lock's text is for people; the lock itself is the kernel's",
    "system.files.sweep_leftovers": "deletes only what a killed process left, and would be swept again",
    "data.token_cache._remove_leftovers": "deletes only what a killed process left, and would be swept again",
    "system.files.move_folder": "its rename is tried by the points of new_folder, its copy by tests of the files",
    "runs.deletion.delete_runs": "what a killed deletion leaves is hidden, and deleted by the next one (tests/runs)",
    "runs.deletion._delete": "its rename hides the run before the first file is deleted",
    "jobs.train.train_single": "deletes the folder of a run that was refused, which has nothing in it",
    "tracking.wandb_files.remove_segments": "deletes files of W&B's that the newest one, or W&B, holds too",
    "interop.export._write_tensors": "within the new_folder of export_run",
}


def changes_files(call: ast.Call) -> bool:
    if isinstance(call.func, ast.Attribute):
        name = call.func.attr
        path_replace = name == "replace" and len(call.args) == 1 and not call.keywords
        opened = name == "open" and any(
            isinstance(word, ast.Constant) and isinstance(word.value, str) and set(word.value) & set("wa+x")
            for word in call.args[:1]
        )
        return name in CHANGES or path_replace or opened
    return (
        isinstance(call.func, ast.Name) and call.func.id == "save_file"
    )  # our own functions are those of system/files


def has_a_point(function: ast.AST) -> bool:
    called = {ast.unparse(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)}
    return bool(called & {"failpoints.hit", "new_folder", "replacing"})


def functions_that_write() -> dict[str, bool]:
    """Return each function of the package that changes files, and whether it has a failpoint."""
    found = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(file.relative_to(PACKAGE).with_suffix("").parts)
        for function in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef) and any(
                isinstance(node, ast.Call) and changes_files(node) for node in ast.walk(function)
            ):
                found[f"{module}.{function.name}"] = has_a_point(function)
    return found


def test_every_function_that_writes_can_be_broken() -> None:
    writers = functions_that_write()
    assert {"system.files.replacing", "system.files.new_folder", "runs.checkpoint.write_checkpoint"} <= set(writers), (
        "the reader reads"
    )
    assert {name for name, broken in writers.items() if not broken} == set(EXEMPT)


def test_every_point_of_a_run_is_tried() -> None:
    text = "\n".join(file.read_text(encoding="utf-8") for file in PACKAGE.rglob("*.py"))
    named = {part.split('"')[0] for part in text.split('failpoints.hit("')[1:]}
    assert named - {point.partition(":")[0] for point in [*POINTS, *REPLACING]} == {"cache.before_part"}, (
        "tried in tests/data"
    )
