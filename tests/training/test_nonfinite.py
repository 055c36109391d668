"""The first tensor that is not finite is named, and nothing is changed by the search."""

import math

import pytest
import torch

from tests.model.test_transformer import build
from tests.training.test_loop import MACHINE, batch, poison
from tinystories_lm.training.nonfinite import first_nonfinite


@pytest.mark.parametrize(
    ("tensor", "value", "found"),
    [
        ("blocks.1.mlp.up.weight", math.nan, "the weights of blocks.1.mlp.up.weight"),
        ("blocks.0.attention.key.weight", 3e38, "the output of blocks.0.attention"),
        (None, math.nan, "the gradient of blocks.1.mlp.up.weight"),
    ],
)
def test_the_tensor_where_it_began_is_named(tensor: str | None, value: float, found: str) -> None:
    model = build(wide=1.0)
    if tensor is None:
        poison(model, {0}, value)
    else:
        with torch.no_grad():
            model.get_parameter(tensor).fill_(value)
    assert first_nonfinite(model, [batch()], MACHINE).startswith(found)
    assert all(weight.grad is None for weight in model.parameters())
