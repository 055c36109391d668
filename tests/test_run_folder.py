"""Run folders: finding them by the names a person would type."""

from pathlib import Path

import pytest

from tests.exchange.test_export import make_run
from tinystories_lm.errors import UsageError
from tinystories_lm.run_folder import find_run


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("found") / "outputs"
    for name in ("small/one", "small/two", "sweeps/sizes/ab12"):
        make_run(folder / name)
    return folder


@pytest.mark.parametrize(
    ("name", "found"),
    [("small/one", "small/one"), ("one", "small/one"), ("sweeps/sizes/ab12", "sweeps/sizes/ab12"), ("ab12", "ab12")],
)
def test_a_run_is_found_by_its_folder_wherever_it_is_named_from(outputs: Path, name: str, found: str) -> None:
    assert str(find_run(name, outputs=outputs).path).endswith(found)
    assert find_run(str(outputs / "small/two"), outputs=outputs).path == outputs / "small/two"


def test_a_presets_name_and_latest_are_the_newest(outputs: Path) -> None:
    (outputs / "small/one/status.json").touch()
    assert find_run("small", outputs=outputs).path.name == find_run("latest", outputs=outputs).path.name == "one"


@pytest.mark.parametrize("name", ["smal", "small/oen", "ab13"])
def test_a_run_that_is_not_there_is_answered_with_the_nearest(outputs: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"no such run; did you mean (small|.*one|ab12)") as raised:
        find_run(name, outputs=outputs)
    assert "\n" not in str(raised.value)
