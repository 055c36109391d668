"""Where work cannot be recorded, the log has one line about it; tests/null and tests/gpu record some."""

import logging

import pytest
import torch

from tinystories_lm.generation import cuda_graph
from tinystories_lm.generation.cuda_graph import recorded


def test_what_cannot_be_recorded_is_reported_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_recorder(device: torch.device) -> None:
        raise RuntimeError("no stream is left\nCompile with more")

    monkeypatch.setattr(cuda_graph, "_recorder", no_recorder)
    cuda_graph._warn.cache_clear()

    with caplog.at_level(logging.WARNING):
        assert all(recorded(lambda: torch.ones(1), torch.device("cuda")) is None for _ in range(3))
    assert [record.message for record in caplog.records] == [
        "texts are decoded without a CUDA graph, which takes longer: no stream is left"
    ]
