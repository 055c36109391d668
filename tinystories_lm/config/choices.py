"""Define the settings that are a choice of words, and what each word means."""

import math
from collections.abc import Callable
from enum import Enum, StrEnum
from typing import NamedTuple


class Source(StrEnum):
    grammar = "grammar"  # the project's own story grammar
    hub = "hub"  # a dataset by its hub name


class Boundary(StrEnum):
    """Where documents are separated in plain text."""

    endoftext = "endoftext"  # at <|endoftext|>
    wikitext = "wikitext"  # before a line " = Title = "


class DecodeErrors(Enum):
    """What happens at invalid UTF-8."""

    strict = "strict"  # stop, and report the byte's offset
    replace = "replace"  # write U+FFFD, and count


class Device(StrEnum):
    auto = "auto"  # a GPU, Apple's MPS or the CPU: the first that the machine has
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


class Precision(StrEnum):
    auto = "auto"  # bfloat16 if the processor multiplies it natively, else float32
    float32 = "float32"
    bfloat16 = "bfloat16"


class Switch(StrEnum):
    auto = "auto"  # on GPUs, and on a CPU if the run is long enough to gain
    on = "on"
    off = "off"


class Attention(StrEnum):
    """The kernel of causal attention: plain torch, or one of scaled_dot_product_attention."""

    auto = "auto"  # GPU: the fastest for the run's shape, measured; CPU: blocks for short contexts, else torch's choice
    blocks = "blocks"  # plain torch, a block of queries at a time
    flash = "flash"
    cudnn = "cudnn"
    efficient = "efficient"
    math = "math"


# What a run does when a checkpoint or rows of its metrics cannot be written at the second attempt: stop, or continue to
# the next checkpoint. The last checkpoint, and that of a requested stop, must be written. (`continue` is a keyword, so
# the class statement cannot define it.)
OnWriteError = StrEnum("OnWriteError", {"stop": "stop", "continue": "continue"})


class OptimizerKind(StrEnum):
    adamw = "adamw"
    muon = "muon"  # Muon for the inner matrices, AdamW for the rest


class OptimizerTraits(NamedTuple):
    """What plans and model cards need to know about an optimizer; training/optimizer.py builds it."""

    label: str  # of a model card, before betas and decay
    inner_state: int  # float32 numbers kept for each weight but for the vocabulary matrices
    rest_state: int  # for each weight of embedding and head
    diverging_lr: float = math.inf  # peak learning rate from which runs often diverge
    arithmetic: int = 1  # raised when a step rounds otherwise; a run that resumes across that is not exact


OPTIMIZERS = {
    OptimizerKind.adamw: OptimizerTraits("AdamW", inner_state=2, rest_state=2, diverging_lr=5e-3),
    OptimizerKind.muon: OptimizerTraits(
        "Muon for the inner matrices, beside AdamW", inner_state=1, rest_state=2, arithmetic=2
    ),  # arithmetic 1 was torch.optim.Muon's
}


class DecayShape(StrEnum):
    cosine = "cosine"  # half a cosine (Loshchilov and Hutter 2017)
    linear = "linear"


# The share of the learning rate that remains after a share of the decay, 1 at 0 and 0 at 1.
DECAY_SHAPES: dict[DecayShape, Callable[[float], float]] = {
    DecayShape.cosine: lambda progress: 0.5 * (1.0 + math.cos(math.pi * progress)),
    DecayShape.linear: lambda progress: 1.0 - progress,
}


class RunOrder(StrEnum):
    """By what `runs` sorts its list."""

    age = "age"
    name = "name"
    status = "status"
    size = "size"
    steps = "steps"
    loss = "loss"
    dollars = "dollars"


class TrackingMode(StrEnum):
    auto = "auto"  # online if an API key is found, else offline
    online = "online"  # send to W&B during the run
    offline = "offline"  # write files that `wandb sync` sends later
    off = "off"
