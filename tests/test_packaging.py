"""The wheel carries everything a run needs and works from any folder."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import SMALL_RUN

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel, and nothing else, into a folder."""
    pytest.importorskip("build", reason="build is in the dev extra")
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder / "dist"), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(folder / "site"),
    ]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
    return folder / "site"


def test_the_wheel_trains_and_samples_from_another_folder(
    installed: Path, corpus: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    environment = environment | {"PYTHONPATH": str(installed)}

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "tinystories_lm", *arguments],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    where = [sys.executable, "-c", "import tinystories_lm; print(tinystories_lm.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
    assert found.startswith(str(installed)), "the wheel's package, not the checkout's"
    presets = {str(file.relative_to(ROOT / "conf")) for file in (ROOT / "conf").rglob("*.yaml")}
    packed = installed / "tinystories_lm" / "conf"
    assert {str(file.relative_to(packed)) for file in packed.rglob("*.yaml")} == presets
    assert "complete -o nospace" in run("completion", "bash").stdout
    trained = run("train", "experiment=smoke", *SMALL_RUN, f"data.path={corpus}")
    assert trained.returncode == 0, trained.stderr
    told = run("sample", "latest", "--prompt", "One day", "--max-tokens", "3")
    assert told.returncode == 0 and told.stdout.startswith("One day"), told.stderr


def test_the_licence_is_in_the_wheel(installed: Path) -> None:
    assert list(installed.glob("*.dist-info/licenses/LICENSE"))
