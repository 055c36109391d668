"""Share one undisturbed run among the tests of faults."""

import os
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.faults import trials
from tests.warm_process import warm


class Whole(NamedTuple):
    ending: dict[str, Any]
    run: Path
    seconds: float  # of the run once the corpus is prepared
    corpus: Path
    cache: str  # the setting of the prepared cache


@pytest.fixture(scope="session")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Train the undisturbed run."""
    folder = tmp_path_factory.mktemp("whole")
    warm()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    cache = f"data.cache_dir={folder / 'cache'}"
    for name in ("first", "second"):
        began = time.monotonic()
        run = folder / name
        assert trials.end(trials.start(corpus, run, cache)) == 0, trials.said(run)
        seconds = time.monotonic() - began
    return Whole(trials.ending(run), run, seconds, corpus, cache)
