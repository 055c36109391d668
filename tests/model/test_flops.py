"""Parameters, operations and memory by arithmetic, against what torch counts."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tests.conftest import SMALL_RUN
from tests.model.test_transformer import SMALL, VOCAB, build, tokens, with_
from tinystories_lm.config.choices import OptimizerKind
from tinystories_lm.config.compose import compose_config, register
from tinystories_lm.data.batches import Batch
from tinystories_lm.model.flops import count_parameters, flops_per_token, training_flops
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.planning.memory import kept_bytes_per_token, step_memory
from tinystories_lm.training.loss import mean_loss
from tinystories_lm.training.optimizer import build_optimizer


@pytest.mark.parametrize("tie", [False, True])
@pytest.mark.parametrize("qk_norm", [False, True])
def test_parameter_counts_are_exact(tie: bool, qk_norm: bool) -> None:
    config = with_(SMALL, tie_embeddings=tie, qk_norm=qk_norm)
    model = Transformer(config, vocab_size=VOCAB)
    counted = count_parameters(config, vocab_size=VOCAB)
    assert counted.total == sum(weight.numel() for weight in model.parameters())
    inner = [weight for name, weight in model.named_parameters() if not name.startswith(("embedding", "head"))]
    assert counted.without_embeddings == sum(weight.numel() for weight in inner)


def test_flops_are_those_torch_counts() -> None:
    model, ids = build(), tokens(1, SMALL.context_tokens)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model(ids).sum().backward()
    # The MATH kernel computes, and torch counts, the half of the attention that the causal mask leaves out.
    masked = 6 * SMALL.n_layers * SMALL.context_tokens * SMALL.d_model * SMALL.context_tokens
    ours = flops_per_token(SMALL, vocab_size=VOCAB) * SMALL.context_tokens
    assert counter.get_total_flops() == ours + masked
    assert sum(training_flops(SMALL, vocab_size=VOCAB)) == flops_per_token(SMALL, vocab_size=VOCAB)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("optimizer", OptimizerKind)
def test_memory_is_what_a_step_holds(precision: str, optimizer: str) -> None:
    register()
    shape = ["model.d_model=96", "model.d_ff=256", "model.n_layers=3", "model.context_tokens=128"]
    kept = [word for word in SMALL_RUN if word.split("=")[0] not in {other.split("=")[0] for other in shape}]
    config = compose_config([*kept, *shape, f"optimizer={optimizer}", f"hardware.precision={precision}"]).config
    model = Transformer(config.model, vocab_size=500)
    model.initialise(0)
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    held: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in weights:
            held[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    ids = torch.randint(500, (config.training.micro_batch_size, 128))
    half = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), half:
        loss = mean_loss(model, Batch(ids, ids))
    activations = sum(tensor.untyped_storage().nbytes() for tensor in held.values())
    kept = kept_bytes_per_token(config.model, vocab_size=500, precision=config.hardware.precision)
    assert kept * ids.numel() == pytest.approx(activations, rel=0.1)
    expected = step_memory(config, vocab_size=500)
    loss.backward()
    adapts = build_optimizer(model, config.optimizer, device=torch.device("cpu"))
    adapts.step()
    moments = sum(value.nbytes for state in adapts.state.values() for value in state.values() if value.dim())
    assert expected.optimizer == pytest.approx(moments, rel=0.01)
    assert expected.weights == expected.gradients == sum(weight.nbytes for weight in model.parameters())
