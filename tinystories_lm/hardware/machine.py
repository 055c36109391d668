"""Describe the hardware that a run uses, with every choice resolved."""

import contextlib
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from tinystories_lm.config.choices import Attention
from tinystories_lm.model.attention import AttentionFn, attention_by_kernel, attention_in_blocks

KERNELS = {
    Attention.flash: SDPBackend.FLASH_ATTENTION,
    Attention.cudnn: SDPBackend.CUDNN_ATTENTION,
    Attention.efficient: SDPBackend.EFFICIENT_ATTENTION,
    Attention.math: SDPBackend.MATH,
}


@dataclass(frozen=True)
class Machine:
    """A hardware config resolved on this machine."""

    name: str
    device: torch.device
    dtype: torch.dtype  # of activations
    threads: int
    residual: torch.dtype = torch.float32  # of the stream between the blocks
    compile: bool = False
    attention: Attention = Attention.auto
    peak_flops_per_second: float = 0.0  # unknown
    dollars_per_hour: float = 0.0

    @contextlib.contextmanager
    def computing(self) -> Iterator[None]:
        """Compute activations in the chosen dtype, and attention by the chosen kernel, inside the block."""
        is_mixed = self.dtype is not torch.float32
        with torch.autocast(self.device.type, self.dtype) if is_mixed else contextlib.nullcontext(), self.attending():
            yield

    def attending(self) -> contextlib.AbstractContextManager[None]:
        if self.attention not in KERNELS:
            return contextlib.nullcontext()
        # Without set_priority torch takes MATH before cuDNN on GPUs for which it does not recommend cuDNN.
        return sdpa_kernel([KERNELS[self.attention], SDPBackend.MATH], set_priority=True)

    @property
    def attention_fn(self) -> AttentionFn:
        """Return the way to compute attention in a model that is trained here."""
        return attention_in_blocks if self.attention is Attention.blocks else attention_by_kernel

    def for_inference(self) -> "Machine":
        """Return the machine to read and write texts with.

        On MPS that means the MATH kernel in float32: the others have given NaN and let tokens see later ones there
        (pytorch#195910).
        """
        if self.device.type != "mps":
            return self
        return dataclasses.replace(self, dtype=torch.float32, attention=Attention.math, compile=False)
