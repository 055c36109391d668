"""Run the program or a probe where numbers mean nothing: `python -m tests.null.launcher [probe NAME] WORDS`.

What checks a result is switched off here, and only here: no kernel computes on the null device. A member of a sweep is
forked from a server, which loads this module again, so its checks are off as well.
"""

import contextlib
import json
import sys
from typing import Any

import torch
from torch import Tensor

from tinystories_lm.hardware import setup
from tinystories_lm.jobs import workspace
from tinystories_lm.training.loop import ValidationLoss

_validate, _isfinite = workspace.validate, torch.isfinite


def _validate_without_values(*arguments: Any, **named: Any) -> ValidationLoss:
    """Do all of `validate` but for its result, which divides by a count of tokens that the device did not count."""
    with contextlib.suppress(ZeroDivisionError):
        _validate(*arguments, **named)
    return ValidationLoss(3.0, 1.0, 1)


def _finite_on_the_device(tensor: Tensor) -> Tensor:
    """Ask the device, and take weights and logits to be finite; the flag of a step, a scalar, stays where it is."""
    answer = _isfinite(tensor)
    return torch.ones(tensor.shape, dtype=torch.bool) if tensor.is_cuda and tensor.dim() else answer


setup.check_attention_is_causal = lambda machine: None
workspace.validate = _validate_without_values  # type: ignore[assignment]
torch.isfinite = _finite_on_the_device


def main() -> None:
    if sys.argv[1] != "probe":
        from tinystories_lm.cli.main import main as program

        program()
    from tests.null import probes

    print(json.dumps(getattr(probes, sys.argv[2])(*sys.argv[3:])))


if __name__ == "__main__":
    main()
