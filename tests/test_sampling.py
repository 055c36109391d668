"""Drawing the next token: the standard's distributions, a text for a seed, an end where one is due."""

import dataclasses
from collections import Counter

import pytest
import torch

from tests.test_model import SMALL, VOCAB, build
from tinystories_lm.config import SamplingConfig
from tinystories_lm.sampling import draw, generate, next_token_logits

PLAIN = SamplingConfig(
    prompts=["x"],
    count=1,
    seed=0,
    max_tokens=100,
    temperature=1.0,
    top_k=0,
    top_p=1.0,
    min_p=0.0,
    repetition_penalty=1.0,
    no_repeat_ngram=0,
    stop=[],
    beyond_context=False,
)


def with_(**changes: object) -> SamplingConfig:
    return SamplingConfig(**{**dataclasses.asdict(PLAIN), **changes})


CONTROLS = [
    {"temperature": 0.7},
    {"top_k": 5},
    {"top_p": 0.9},
    {"top_p": 0.01},
    {"min_p": 0.1},
    {"repetition_penalty": 1.3},
    {"temperature": 0.8, "top_k": 20, "top_p": 0.95, "min_p": 0.02, "repetition_penalty": 1.3},
]


@pytest.mark.parametrize("controls", CONTROLS, ids=str)
@pytest.mark.parametrize("seed", range(5))
def test_each_control_gives_the_distribution_of_the_stock_processor(controls: dict[str, float], seed: int) -> None:
    processors = pytest.importorskip("transformers.generation.logits_process", reason="it is in the dev extra")
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 50, generator=random) * 4
    text = torch.randint(50, (3, 9), generator=random)
    chain = {
        "repetition_penalty": processors.RepetitionPenaltyLogitsProcessor,
        "temperature": processors.TemperatureLogitsWarper,
        "top_k": processors.TopKLogitsWarper,
        "top_p": processors.TopPLogitsWarper,
        "min_p": processors.MinPLogitsWarper,
    }
    want = logits
    for name, processor in chain.items():
        if name in controls:
            want = processor(controls[name])(text, want)
    seen = torch.zeros(3, 50, dtype=torch.bool).scatter(1, text, True)
    got = next_token_logits(logits, seen, with_(**controls))
    torch.testing.assert_close(got.softmax(-1), want.softmax(-1), atol=1e-6, rtol=0)
    assert torch.equal(got.isinf(), want.isinf())


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    shares = torch.tensor([0.5, 0.3, 0.0, 0.2])
    generator = torch.Generator().manual_seed(0)
    drawn = Counter(int(draw(shares.log()[None], [generator])) for _ in range(4000))
    assert drawn[2] == 0
    for token, share in enumerate(shares.tolist()):
        assert abs(drawn[token] / 4000 - share) < 0.03


def write(prompt: list[int], config: SamplingConfig = PLAIN, *, count: int = 1, end_token: int = -1) -> list[list[int]]:
    return generate(build(wide=3.0), prompt, config, end_token=end_token, seed=7, count=count)


def test_greedy_decoding_takes_the_likeliest_token_of_the_full_pass() -> None:
    model, text = build(wide=3.0), [1, 2, 3]
    while len(text) < SMALL.context_tokens:
        text.append(int(model(torch.tensor([text]))[0, -1].argmax()))
    assert write([1, 2, 3], with_(temperature=0.0)) == [text[3:]]


def test_a_text_depends_on_its_seed_and_not_on_those_beside_it() -> None:
    alone, many = write([1, 2]), write([1, 2], count=4)
    assert alone[0] == many[0]
    assert len({tuple(text) for text in many}) == 4
    assert many == write([1, 2], count=4)


def test_a_text_ends_at_the_end_token_at_max_tokens_and_at_the_contexts_end() -> None:
    assert [len(text) for text in write([1, 2], count=2)] == [SMALL.context_tokens - 2] * 2
    assert [len(text) for text in write([1, 2], with_(max_tokens=3), count=2)] == [3, 3]
    free = write([1, 2], count=3)
    end = free[0][4]
    for text, whole in zip(write([1, 2], count=3, end_token=end), free, strict=True):
        assert text == (whole[: whole.index(end)] if end in whole else whole)


@pytest.mark.parametrize("prompt", [[], list(range(SMALL.context_tokens))])
def test_a_prompt_without_room_is_refused(prompt: list[int]) -> None:
    with pytest.raises(ValueError, match="reads 1 to 15"):
        write(prompt)


def test_a_repetition_penalty_counts_the_prompt() -> None:
    logits = torch.zeros(1, VOCAB)
    logits[0, 5], logits[0, 6] = 2.0, -2.0
    seen = torch.zeros(1, VOCAB, dtype=torch.bool)
    seen[0, 5:7] = True
    got = next_token_logits(logits, seen, with_(repetition_penalty=2.0))
    assert got[0, 5:7].tolist() == [1.0, -4.0]
