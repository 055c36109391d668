"""Multiply by a fixed matrix in the form that is fastest on this processor for a few rows at a time.

Shapes: N rows of the matrix, M its columns.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

Product = Callable[[Tensor], Tensor]  # float32 in, float32 out


def product(weight_NM: Tensor, rows: int, dtype: torch.dtype) -> Product:
    """Return the function x → x times the transposed matrix, computed in `dtype`.

    rows: how many rows of x come at a time, once a text has been read.

    Measured with benchmarks/generate.py on 2 cores of an AMD EPYC, for 512 × 1,536: one row of float32 takes 280 us
    with F.linear, because MKL works on the matrix with one thread, and 85 us as a product of the matrix's two halves;
    16 rows take 370 us, and 175 us with oneDNN once it has reordered the matrix.
    """
    weight_NM = weight_NM.to(dtype).contiguous()
    on_x86 = weight_NM.device.type == "cpu" and torch.backends.cpu.get_cpu_capability().startswith("AVX")
    if on_x86 and dtype is torch.float32 and rows == 1 and weight_NM.shape[0] % 2 == 0:
        return _by_halves(weight_NM)
    if on_x86 and _has_onednn(dtype):
        return _by_onednn(weight_NM)
    return _linear(weight_NM)


def _linear(weight_NM: Tensor) -> Product:
    return lambda x: F.linear(x.to(weight_NM.dtype), weight_NM).float()


def _by_halves(weight_NM: Tensor) -> Product:
    n, m = weight_NM.shape
    halves_2NM, linear = weight_NM.view(2, n // 2, m), _linear(weight_NM)

    def multiply(x: Tensor) -> Tensor:
        if x.numel() > m:  # a text is being read
            return linear(x)
        return torch.bmm(halves_2NM, x.reshape(1, m).t().expand(2, m, 1)).view(*x.shape[:-1], n)

    return multiply


def _by_onednn(weight_NM: Tensor) -> Product:
    dtype, reordered = weight_NM.dtype, torch.ops.mkldnn._reorder_linear_weight(weight_NM)

    def multiply(x: Tensor) -> Tensor:
        y: Tensor = torch.ops.mkldnn._linear_pointwise(x.to(dtype), reordered, None, "none", [], "")
        return y.float()

    return multiply


def _has_onednn(dtype: torch.dtype) -> bool:
    """Return whether torch was built with the operators that its own compiler uses for products on this processor."""
    names = ("_reorder_linear_weight", "_linear_pointwise", "_is_mkldnn_bf16_supported")
    if not torch.backends.mkldnn.is_available() or not all(hasattr(torch.ops.mkldnn, name) for name in names):
        return False
    return dtype is torch.float32 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
