"""Choose the arithmetic that a processor does well; torch is loaded only to ask a GPU."""

from pathlib import Path

from tinystories_lm.config.choices import Device, Precision

BLOCKS_PAY_TOKENS = 512  # at 1,024 torch's own attention kernel is the faster one on a CPU


def chosen_precision(precision: Precision, device: Device) -> Precision:
    """Return the precision of the activations; `auto` is bfloat16 on a processor that multiplies it natively."""
    if precision is not Precision.auto:
        return precision
    return Precision.bfloat16 if multiplies_bfloat16(device) else Precision.float32


def multiplies_bfloat16(device: Device) -> bool:
    """Return whether the device has instructions for bfloat16, which is slower than float32 without them.

    A GPU that is not present counts as one that has them, and Device.auto as this machine's CPU.
    """
    if device is Device.mps:
        return False
    if device is Device.cuda:
        import torch

        return not torch.cuda.is_available() or torch.cuda.is_bf16_supported(including_emulation=False)
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return False
    return any(flag in flags for flag in ("avx512_bf16", "amx_bf16", "bf16"))
