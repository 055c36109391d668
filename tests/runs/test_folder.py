"""What a run was composed of is read from Hydra's records."""

from pathlib import Path

from tinystories_lm.runs.folder import RunFolder, choices_of, command_of


def recorded(folder: Path, *, overrides: str = "", hydra: str = "") -> dict[str, str]:
    (folder / ".hydra").mkdir(exist_ok=True)
    (folder / ".hydra" / "overrides.yaml").write_text(overrides)
    (folder / ".hydra" / "hydra.yaml").write_text(hydra)
    return choices_of(RunFolder(folder))


def test_choices_are_those_that_hydra_recorded(tmp_path: Path) -> None:
    hydra = "hydra:\n  runtime:\n    cwd: /x\n    choices:\n      experiment: null\n      model: tiny\n"
    hydra += "      tracking: 'off'\n      hydra/env: default\n  verbose: false\n"
    assert recorded(tmp_path, hydra=hydra) == {"model": "tiny", "tracking": "off"}


def test_without_the_full_record_choices_are_those_that_were_typed(tmp_path: Path) -> None:
    typed = "- model=gpt_2m\n- +experiment=smoke\n- model.d_ff=64\n- name=a\n"
    for hydra in ("", "choices", "\n    choices:\n      - 1\n", "\n    choices:\n      a: [\n"):
        assert recorded(tmp_path, overrides=typed, hydra=hydra) == {"model": "gpt_2m", "experiment": "smoke"}
    assert choices_of(RunFolder(tmp_path / "none")) == {}


def test_the_command_that_resumes_a_run_names_each_setting_once(tmp_path: Path) -> None:
    recorded(tmp_path, overrides="- ++training.steps=4\n- ++training.fresh=true\n- +sweep=seeds\n- ++training.seed=1\n")
    words = command_of(RunFolder(tmp_path), steps=8).split()
    assert words[:-1] == ["tinystories-lm", "train", "++training.seed=1", "training.steps=8"]
    assert words[-1].startswith("hydra.run.dir=")
