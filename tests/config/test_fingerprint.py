"""The hash that names a run's folder: equal for equal numbers, and the same in every version of the program."""

import dataclasses
from pathlib import Path

import pytest

from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.config.fingerprint import config_hash
from tinystories_lm.config.schema import values_of_older_runs


def hash_of(*overrides: str) -> str:
    register()
    return config_hash(compose_config(overrides).config)


def test_the_hash_changes_with_every_setting_that_affects_results_and_with_no_other(tmp_path: Path) -> None:
    base = hash_of()
    same = ["training.checkpoint_every_steps=7", "tracking=off", "sampling.count=2", "name=other", "data.cache_dir=/x"]
    for override in [*same, "hardware.dollars_per_hour=9", "hydra.run.dir=/x", "training.max_hours=1"]:
        assert hash_of(override) == base, override
    others = ["training.seed=1", "training.steps=99", "model.d_ff=4", "data.grammar_seed=1", "optimizer.lr=1e-4"]
    others += ["schedule=wsd", "training.micro_batch_size=4", "hardware.precision=float32"]
    assert len({base, *map(hash_of, others)}) == len(others) + 1

    folders = [tmp_path / "a", tmp_path / "moved", tmp_path / "other"]
    for folder, text in zip(folders, ("one", "one", "more"), strict=True):
        folder.mkdir()
        (folder / "train.txt").write_text(text)
    first, moved, other = (hash_of(f"data.path={folder}") for folder in folders)
    assert base != first == moved != other


# A changed hash would give every stored run of this configuration another name. By commit 537aa6a, which had the
# first version of the data's rules, and by the commit that made the second one the default.
PINNED = {
    "hardware=mps": ("be93b12a", "f560dfdf"),
    "experiment=smoke hardware=h100": ("958f9a84", "acd973a1"),
    "experiment=round1 hardware=h100": ("146a17e2", "28d42ef5"),
    "experiment=round2 hardware=h100": ("75658125", "2423d834"),
    "experiment=round4 hardware=h100": ("52bf5888", "17bafbc0"),
    "experiment=speedrun_91m hardware=h100": ("d5589d06", "22ebb347"),
    "schedule=wsd hardware=h100": ("e3709e44", "2ba52013"),
    "model=gpt_700k optimizer=muon training.steps=375 training.batch_size=8 optimizer.lr=2.0e-3": (
        "9045a2f3",
        "6be7f31c",
    ),
}


@pytest.mark.parametrize("overrides", PINNED)
def test_the_hash_of_a_configuration_never_changes(overrides: str) -> None:
    older, newer = PINNED[overrides]
    assert hash_of(*overrides.split(), "data.version=1") == older
    assert hash_of(*overrides.split()) == newer


def test_a_later_setting_at_the_value_that_older_runs_meant_leaves_the_hash_as_it_was() -> None:
    register()
    config = compose_config(["hardware=h100", "data.version=1"]).config
    older = {
        section: dataclasses.replace(getattr(config, section), **values)
        for section, values in values_of_older_runs().items()
    }
    assert config_hash(dataclasses.replace(config, **older)) == config_hash(config)
    muon = compose_config(["hardware=h100", "optimizer=muon", "data.version=1"]).config
    assert config_hash(dataclasses.replace(muon, **older)) == config_hash(config) != config_hash(muon)
