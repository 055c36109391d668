"""What Optuna is asked, and that nothing of the answer is chance."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.sweeps.search.surfaces import SURFACES, search_on, work
from tinystories_lm.sweeps.search.study import STARTUP_TRIALS, SamplerName, check_installed, importance, suggest
from tinystories_lm.system.errors import UsageError


@pytest.mark.parametrize("module", ["optuna", "cmaes"])
def test_without_its_packages_a_search_is_one_line_that_names_the_extra(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if module == "cmaes":
        pytest.importorskip("optuna", reason="optuna is not installed")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=rf"needs {module}.*\[search\]"):
        check_installed(SamplerName.cmaes)


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "random"])
def test_the_same_results_draw_the_same_trial_and_other_results_another(sampler: str, tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="optuna is not installed")
    pytest.importorskip("cmaes", reason="cmaes is not installed")
    search = search_on("bowl", tmp_path, count=STARTUP_TRIALS + 8, sampler=sampler)
    work(search, SURFACES["bowl"][0])
    trials, numbers = search.trials(), range(STARTUP_TRIALS + 8)
    assert [suggest(search.study, trials, number) for number in numbers] == [trial.params for trial in trials]
    turned = [replace(trial, loss=9 - (trial.loss or 0)) for trial in trials]
    differ = [suggest(search.study, turned, number) != trials[number].params for number in numbers]
    assert any(differ) == (sampler != "random")
    assert not any(differ[:2]), "nothing was known yet"


def test_importance_ranks_what_matters_first_and_says_nothing_of_few(tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="optuna is not installed")
    search = search_on("bowl", tmp_path, count=30, sampler="random")
    work(search, lambda params: abs(float(params["lr"]) - 0.01) + 1e-6 * float(params["decay"]))
    found = importance(search.study, search.trials())
    assert list(found) == ["lr", "decay"] and found["lr"] > 0.8
    assert importance(search.study, search.trials()[:5]) == {}
