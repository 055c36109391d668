"""The order of the data: every token once an epoch, decided by the seed and the step alone."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch

from tests.training.test_loop import training as training_config
from tinystories_lm.data.batches import IGNORED, Batches, token_tensor, validation_batches

CPU = torch.device("cpu")


def stream(n: int) -> torch.Tensor:
    """Return a stream whose token i has the value i, so that values show which tokens were read."""
    return token_tensor(np.arange(n, dtype=np.uint16), CPU)


def batches_of(size: int) -> Callable[[int], range]:
    return lambda step: range(step * size, (step + 1) * size)


def batches(
    n: int = 1003, *, context_tokens: int = 10, batch_size: int = 7, seed: int = 0, data_version: int = 2
) -> Batches:
    return Batches(
        stream(n),
        context_tokens=context_tokens,
        sequences=batches_of(batch_size),
        seed=seed,
        data_version=data_version,
    )


@pytest.mark.parametrize("data_version", [1, 2])
def test_targets_are_the_tokens_after_the_inputs_and_the_first_follows_the_last(data_version: int) -> None:
    order = batches(data_version=data_version)
    for step in range(100):
        batch = order.batch(step, device=CPU)
        assert batch.inputs_BT.shape == (7, 10)
        assert torch.equal(batch.targets_BT, (batch.inputs_BT + 1) % 1003)


@pytest.mark.parametrize("data_version", [1, 2])
@pytest.mark.parametrize("n", [1001, 1003, 1010])
def test_an_epoch_predicts_every_token_once_except_fewer_than_a_row(n: int, data_version: int) -> None:
    order = batches(n, batch_size=4, data_version=data_version)
    assert order.rows == 100
    for epoch in range(5):
        steps = range(25 * epoch, 25 * epoch + 25)
        seen = Counter(torch.cat([order.batch(step, device=CPU).targets_BT for step in steps]).flatten().tolist())
        assert set(seen.values()) == {1}
        assert len(seen) == 1000 > n - 1 - 10


@pytest.mark.parametrize("n", [1001, 1004, 1010])
def test_an_epochs_first_row_begins_at_each_of_the_first_places_equally_often(n: int) -> None:
    """Not only at (n - 1) mod T + 1 of them, which is one place where T divides n - 1."""
    order, epochs = batches(n, batch_size=100), 2000
    firsts = Counter(int(order.batch(epoch, device=CPU).inputs_BT.min(dim=0).values[0]) for epoch in range(epochs))
    assert set(firsts) == set(range(10))
    expected = epochs / 10
    chi_squared = sum((count - expected) ** 2 / expected for count in firsts.values())
    assert chi_squared < 27.9, "one in a thousand with 9 degrees of freedom"


def test_the_order_of_older_runs_begins_where_no_row_reaches_the_end() -> None:
    order = batches(1001, batch_size=100, data_version=1)
    assert {int(order.batch(epoch, device=CPU).inputs_BT.min()) for epoch in range(50)} == {0}


def test_epochs_differ_in_order_and_a_batch_may_span_two() -> None:
    order = batches(1003, batch_size=3)
    rows = torch.cat([order.batch(step, device=CPU).inputs_BT[:, 0] for step in range(100)])
    first, second, third = rows.split(100)
    assert len(set(first.tolist())) == len(set(second.tolist())) == len(set(third.tolist())) == 100
    assert first.tolist() != second.tolist() != third.tolist()
    assert len({int(epoch[0]) % 10 for epoch in (first, second, third)}) > 1, "the offset differs too"


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    forward = [batches().batch(step, device=CPU).inputs_BT for step in range(40)]
    torch.manual_seed(123)
    backward = [batches().batch(step, device=CPU).inputs_BT for step in reversed(range(40))][::-1]
    assert all(torch.equal(left, right) for left, right in zip(forward, backward, strict=True))
    assert not torch.equal(forward[0], batches(seed=1).batch(0, device=CPU).inputs_BT)


def test_the_order_is_the_same_in_every_process_and_version() -> None:
    pinned = {1: [532, 72, 862, 372, 42, 942, 402], 2: [538, 78, 868, 378, 48, 948, 408]}
    program = (
        "import numpy as np, torch; from tinystories_lm.data.batches import Batches, token_tensor\n"
        "t = token_tensor(np.arange(1003, dtype=np.uint16), torch.device('cpu'))\n"
        "for version in (1, 2):\n"
        "    b = Batches(t, context_tokens=10, sequences=lambda step: range(7 * step, 7 * step + 7), seed=5,"
        "data_version=version)\n"
        "    print(b.batch(20, device=torch.device('cpu')).inputs_BT[:, 0].tolist())"
    )
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    here = {version: batches(seed=5, data_version=version).batch(20, device=CPU).inputs_BT for version in pinned}
    assert other.splitlines() == [str(inputs_BT[:, 0].tolist()) for inputs_BT in here.values()]
    assert other.splitlines() == [str(order) for order in pinned.values()]


def test_consecutive_steps_read_consecutive_sequences() -> None:
    training = training_config(batch_size=16)
    assert [training.sequences(step) for step in range(3)] == [range(16), range(16, 32), range(32, 48)]


def test_ids_above_32767_are_not_changed() -> None:
    tokens = np.full(100, 65_535, dtype=np.uint16)
    order = Batches(token_tensor(tokens, CPU), context_tokens=10, sequences=batches_of(1), seed=0, data_version=2)
    assert order.batch(0, device=CPU).inputs_BT.unique().tolist() == [65_535]


def test_a_corpus_shorter_than_a_row_is_refused_with_both_numbers() -> None:
    with pytest.raises(ValueError, match=r"10 tokens.*context_tokens=10 needs at least 11"):
        batches(10)


@pytest.mark.parametrize(("eval_tokens", "scored"), [(50, 50), (37, 37), (1000, 99), (1, 1)])
def test_validation_scores_the_first_tokens_once_each_in_whole_batches(eval_tokens: int, scored: int) -> None:
    found = list(validation_batches(stream(100), eval_tokens=eval_tokens, context_tokens=8, batch_size=3, device=CPU))
    assert {batch.inputs_BT.shape for batch in found} == {(3, 8)}
    targets = torch.cat([batch.targets_BT.flatten() for batch in found])
    assert targets[targets != IGNORED].tolist() == list(range(1, scored + 1))
    inputs = torch.cat([batch.inputs_BT.flatten() for batch in found])
    assert torch.equal(inputs[targets != IGNORED] + 1, targets[targets != IGNORED])
