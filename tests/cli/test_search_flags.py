"""The flags of a search."""

import pytest

from tests.conftest import Command
from tinystories_lm.cli.search import SAMPLERS
from tinystories_lm.sweeps.search.study import SamplerName


def test_help_lists_the_samplers_that_there_are() -> None:
    assert tuple(SAMPLERS) == tuple(map(str, SamplerName))


@pytest.mark.parametrize("flags", [["--prune"], ["--sampler", "gp"], ["--search-seed", "0"]])
def test_a_flag_of_a_search_without_one_is_one_line(command: Command, flags: list[str]) -> None:
    refused = command("sweep", "tuning", *flags)
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1 and "add --search N" in refused.stderr


def test_ranges_without_a_search_are_one_line_that_names_it(command: Command) -> None:
    refused = command("sweep", "tuning", "hardware=cpu")
    assert refused.returncode == 2 and "--search N" in refused.stderr.splitlines()[-1]
