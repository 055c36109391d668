"""Every form of a product gives the product."""

import pytest
import torch

from tinystories_lm.generation.products import product


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("size", [(24, 16), (97, 16)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_every_form_of_a_product_is_the_product(rows: int, size: tuple[int, int], dtype: torch.dtype) -> None:
    random = torch.Generator().manual_seed(0)
    weight = torch.randn(size, generator=random).to(dtype)
    for shape in ((rows, 1, 16), (rows, 5, 16)):
        x = torch.randn(shape, generator=random).to(dtype).float()
        got = product(weight.float(), rows, dtype)(x)
        torch.testing.assert_close(got, x @ weight.float().t(), atol=1e-5 if dtype is torch.float32 else 0.1, rtol=0.01)
