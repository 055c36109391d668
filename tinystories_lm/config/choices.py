"""The settings that are a choice of words, and what each word means."""

import math
from collections.abc import Callable
from enum import Enum, StrEnum
from typing import NamedTuple


class Source(StrEnum):
    grammar = "grammar"  # the project's own story grammar
    hub = "hub"  # a dataset by its hub name


class Boundary(StrEnum):
    """Where one document ends and the next begins, in plain text."""

    endoftext = "endoftext"  # a line that says <|endoftext|>
    wikitext = "wikitext"  # before a line " = Title = "


class DecodeErrors(Enum):
    strict = "strict"
    replace = "replace"


class Device(StrEnum):
    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


class Precision(StrEnum):
    auto = "auto"  # bfloat16 where the processor multiplies it natively
    float32 = "float32"
    bfloat16 = "bfloat16"


class Switch(StrEnum):
    auto = "auto"
    on = "on"
    off = "off"


class Attention(StrEnum):
    """How causal attention is computed: by which kernel of scaled_dot_product_attention, or in plain torch."""

    auto = "auto"  # a GPU: the fastest for the run's shape, measured; a CPU: blocks for short contexts; else torch's
    blocks = "blocks"  # plain torch, a block of queries at a time
    flash = "flash"
    cudnn = "cudnn"
    efficient = "efficient"
    math = "math"


class MlpKind(StrEnum):
    swiglu = "swiglu"  # down(silu(gate(x)) * up(x)) (Shazeer 2020)
    relu2 = "relu2"  # down(relu(up(x))²), two matrices instead of three (So et al. 2021)


class RowStart(StrEnum):
    """Where the rows of a batch begin."""

    anywhere = "anywhere"  # where the row before ended: every token is predicted once an epoch
    document = "document"  # at a document's beginning: one that the row's end cuts off begins the next row


# What a run does when a checkpoint, or rows of its metrics, cannot be written even at the second try: stop, or continue
# to the next checkpoint; its last one, and that of a requested stop, it needs.
OnWriteError = StrEnum("OnWriteError", {"stop": "stop", "continue": "continue"})  # a keyword is no attribute's name


class OptimizerKind(StrEnum):
    adamw = "adamw"
    muon = "muon"  # for the inner matrices; AdamW for the rest


class OptimizerTraits(NamedTuple):
    """What plans and model cards need to know about an optimizer; training/optimizer.py builds it."""

    label: str  # of a model card, before betas and decay
    inner_state: int  # float32 numbers kept for each weight but for the vocabulary matrices
    rest_state: int  # for each weight of embedding and head
    diverging_lr: float = math.inf  # peak learning rate from which runs often diverge


OPTIMIZERS = {
    OptimizerKind.adamw: OptimizerTraits("AdamW", inner_state=2, rest_state=2, diverging_lr=5e-3),
    OptimizerKind.muon: OptimizerTraits("Muon for the inner matrices, beside AdamW", inner_state=1, rest_state=2),
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
    auto = "auto"  # online where an API key is found, else offline
    online = "online"
    offline = "offline"
    off = "off"
