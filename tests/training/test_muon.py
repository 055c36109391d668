"""Muon's step against torch's and against the papers' equations in float64; what a skipped step leaves unchanged."""

import math

import pytest
import torch
from torch import Tensor, nn

from tinystories_lm.training.muon import Muon, orthogonalise

SHAPES = ((24, 24), (24, 24), (64, 24), (64, 24), (64, 24), (24, 64), (1, 8), (24, 24))
LR, DECAY = 2e-2, 0.1


def matrices() -> list[nn.Parameter]:
    random = torch.Generator().manual_seed(0)
    return [nn.Parameter(0.02 * torch.randn(shape, generator=random)) for shape in SHAPES]


def set_gradients(parameters: list[nn.Parameter], step: int) -> None:
    random = torch.Generator().manual_seed(1 + step)
    for parameter in parameters:
        parameter.grad = 10.0**-step * torch.randn(parameter.shape, generator=random)


def test_five_steps_are_those_of_torchs_muon_within_bfloat16_rounding() -> None:
    ours, theirs = matrices(), matrices()
    muon = Muon(ours, lr=LR, weight_decay=DECAY)
    peer = torch.optim.Muon(theirs, lr=LR, weight_decay=DECAY, adjust_lr_fn="match_rms_adamw")
    for step in range(5):
        for parameters, optimizer in ((ours, muon), (theirs, peer)):
            set_gradients(parameters, step)
            optimizer.step()
        for mine, its in zip(ours, theirs, strict=True):
            largest = LR * 0.2 * max(mine.shape) ** 0.5  # move of an entry, were its row's alone
            assert (mine - its).detach().abs().max() < (1 + step) * 2**-7 * largest
            assert torch.equal(muon.state[mine]["momentum_buffer"], peer.state[its]["momentum_buffer"])
    assert all(set(muon.state[mine]) == set(peer.state[its]) for mine, its in zip(ours, theirs, strict=True))


def orthogonalised_in_float64(x_NM: Tensor) -> Tensor:
    """Apply Jordan's polynomial to the singular values, five times."""
    left, values, right = torch.linalg.svd(x_NM.double(), full_matrices=False)
    values = values / values.square().sum().sqrt()
    for _ in range(5):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    return left @ values.diag() @ right


def test_steps_follow_the_papers_in_float64() -> None:
    parameters = matrices()
    weights = [parameter.detach().double() for parameter in parameters]
    momenta = [torch.zeros_like(weight) for weight in weights]
    muon = Muon(parameters, lr=LR, weight_decay=DECAY)
    for step in range(3):
        set_gradients(parameters, step)
        muon.step()
        for number, parameter in enumerate(parameters):
            assert parameter.grad is not None
            gradient = parameter.grad.double()
            momenta[number] = 0.95 * momenta[number] + 0.05 * gradient
            update = orthogonalised_in_float64(0.05 * gradient + 0.95 * momenta[number])
            scale = 0.2 * math.sqrt(max(parameter.shape))
            weights[number] = (1 - LR * DECAY) * weights[number] - LR * scale * update
    for parameter, weight in zip(parameters, weights, strict=True):
        moved, expected = parameter.detach().double() / LR, weight / LR
        assert (moved - expected).square().mean().sqrt() < 3 * 0.02 * 0.2, "2% of the size of three steps"


def test_a_stack_holds_what_each_matrix_gives_alone() -> None:
    for shape in ((24, 64), (64, 24), (24, 24)):
        x_SNM = torch.randn(5, *shape, generator=torch.Generator().manual_seed(2))
        alone = torch.cat([orthogonalise(x_1NM) for x_1NM in x_SNM.split(1)])
        torch.testing.assert_close(orthogonalise(x_SNM), alone, atol=0.02, rtol=0)
    assert not orthogonalise(torch.zeros(2, 3, 4)).any(), "no division by a norm of 0"


@pytest.mark.parametrize("where", ["everywhere", "in one entry"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_skipped_step_leaves_weights_and_momenta_bit_for_bit(value: float, where: str) -> None:
    parameters, plain = matrices(), matrices()
    parameters[0].data[0, 0] = plain[0].data[0, 0] = -0.0  # whose sign an added 0 would change
    muon, peer = (Muon(some, lr=LR, weight_decay=DECAY) for some in (parameters, plain))
    for step, found in enumerate((1.0, 0.0, 1.0, 0.0)):
        before = [bits(tensor) for tensor in tensors(muon)]
        if step == 0:
            before += [bytes(4 * parameter.numel()) for parameter in parameters]  # momenta of zeros
        for some in (parameters, plain):
            set_gradients(some, step)
        if found:
            for parameter in parameters:
                assert parameter.grad is not None
                parameter.grad.view(-1)[slice(0, 1 if where == "in one entry" else None)] = value
        muon.found_inf = torch.tensor(found)
        muon.step()
        if found:
            assert [bits(tensor) for tensor in tensors(muon)] == before
        else:
            peer.step()
            assert [bits(tensor) for tensor in tensors(muon)] == [bits(tensor) for tensor in tensors(peer)]


def tensors(muon: Muon) -> list[Tensor]:
    weights: list[Tensor] = muon.param_groups[0]["params"]
    return weights + [muon.state[weight]["momentum_buffer"] for weight in weights if muon.state[weight]]


def bits(tensor: Tensor) -> bytes:
    return tensor.detach().numpy().tobytes()


def test_a_matrix_without_a_gradient_stays() -> None:
    parameters = matrices()
    before = [bits(parameter) for parameter in parameters]
    set_gradients(parameters, 0)
    parameters[2].grad = None
    Muon(parameters, lr=LR, weight_decay=DECAY).step()
    assert [bits(p) == old for p, old in zip(parameters, before, strict=True)] == [
        number == 2 for number in range(len(parameters))
    ]


def test_the_products_of_a_step_are_as_many_for_twenty_matrices_as_for_two() -> None:
    """What a GPU's host pays for: the calls of a step, but for the views of each matrix."""
    counts = []
    for matrices_of_a_shape in (2, 20):
        parameters = [nn.Parameter(torch.randn(8, 16)) for _ in range(matrices_of_a_shape)]
        set_gradients(parameters, 0)
        muon = Muon(parameters, lr=LR, weight_decay=DECAY)
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as recorded:
            muon.step()
        counts.append(
            sum(event.count for event in recorded.key_averages() if event.key in ("aten::bmm", "aten::baddbmm"))
        )
    assert counts == [15, 15]
