"""Runs that were trained with a setting that this version no longer has."""

import shutil
from pathlib import Path

import pytest

from tests.golden import make as golden
from tinystories_lm.analysis.report.read_runs import read_run
from tinystories_lm.runs.folder import RunFolder, read_config
from tinystories_lm.runs.listing import list_runs
from tinystories_lm.runs.status import Status, write_status
from tinystories_lm.system.errors import UsageError

REMOVED = {
    "relu2": "model.mlp=relu2",
    "zero_init": "model.zero_init=True",
    "rows_begin": "training.rows_begin=document",
    "batch_doublings": "training.batch_doublings=1",
}


@pytest.mark.parametrize("name", REMOVED)
def test_a_run_with_a_removed_setting_can_be_read_but_not_trained_unless_its_model_is_another(name: str) -> None:
    run = RunFolder(golden.FILES / golden.PLACE / name)
    with pytest.raises(
        UsageError, match=f"{name} was trained with {REMOVED[name]}, which .*commit 537aa6a is"
    ) as error:
        read_config(run, to_train=True)
    assert "\n" not in str(error.value)
    if name == "relu2":
        with pytest.raises(UsageError, match=REMOVED[name]):
            read_config(run)
    else:
        assert read_config(run).model == read_config(RunFolder(run.path.with_name("batch_doublings"))).model


def test_lists_and_reports_show_runs_with_removed_settings(tmp_path: Path) -> None:
    for name in REMOVED:
        shutil.copytree(golden.FILES / golden.PLACE / name, tmp_path / "runs" / name)
        write_status(RunFolder(tmp_path / "runs" / name), Status.INTERRUPTED, reason="signal", step=4)
    listed = {Path(one.run).name: one for one in list_runs(outputs=tmp_path)}
    assert listed.keys() == REMOVED.keys()
    assert [name for name, one in listed.items() if one.parameters is None] == ["relu2"]
    for name in REMOVED:
        found = read_run(RunFolder(tmp_path / "runs" / name))
        assert (found.config is None) == (name == "relu2")
        assert any("model.mlp=relu2" in problem for problem in found.problems) == (name == "relu2")
