"""The next token is drawn from the distributions of transformers' logits processors."""

from collections import Counter

import pytest
import torch

from tests.generation.test_generate import with_
from tinystories_lm.generation.generate import draw, next_token_logits, repeating_tokens

CONTROLS = [
    {"temperature": 0.7},
    {"top_k": 5},
    {"top_p": 0.9},
    {"top_p": 0.01},
    {"min_p": 0.1},
    {"repetition_penalty": 1.3},
    {"repetition_penalty": 0.8},
    {"no_repeat_ngram": 1},
    {"no_repeat_ngram": 2},
    {"no_repeat_ngram": 3},
    {"no_repeat_ngram": 40},
    {"temperature": 0.8, "top_k": 20, "top_p": 0.95, "min_p": 0.02, "repetition_penalty": 1.3, "no_repeat_ngram": 2},
]


@pytest.mark.parametrize("controls", CONTROLS, ids=str)
@pytest.mark.parametrize("seed", range(10))
def test_each_control_gives_the_distribution_of_the_stock_processor(controls: dict[str, float], seed: int) -> None:
    processors = pytest.importorskip("transformers.generation.logits_process", reason="it is in the dev extra")
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 50, generator=random) * 4
    text = torch.randint(12, (3, 30), generator=random)  # of few tokens: it repeats n-grams
    chain = {
        "repetition_penalty": processors.RepetitionPenaltyLogitsProcessor,
        "no_repeat_ngram": processors.NoRepeatNGramLogitsProcessor,
        "temperature": processors.TemperatureLogitsWarper,
        "top_k": processors.TopKLogitsWarper,
        "top_p": processors.TopPLogitsWarper,
        "min_p": processors.MinPLogitsWarper,
    }
    want = logits
    for name, processor in chain.items():
        if name in controls:
            want = processor(controls[name])(text, want)
    given = logits.clone()
    got = next_token_logits(given, text.tolist(), with_(**controls))
    torch.testing.assert_close(got.softmax(-1), want.softmax(-1), atol=1e-6, rtol=0)
    assert torch.equal(got.isinf(), want.isinf())
    assert torch.equal(given, logits), "the model's logits are left as they were"


def test_the_stock_decoder_applies_the_controls_in_the_same_order() -> None:
    transformers = pytest.importorskip("transformers", reason="it is in the dev extra")
    stock = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=64, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=1
        )
    )
    asked = {"temperature": 0.8, "top_k": 20, "top_p": 0.95, "min_p": 0.02, "repetition_penalty": 1.3}
    config = transformers.GenerationConfig(do_sample=True, no_repeat_ngram_size=2, **asked)
    text = torch.tensor([[5, 6, 7, 5]])
    processors = stock._get_logits_processor(config, input_ids_seq_length=4)
    logits = torch.randn(1, 64, generator=torch.Generator().manual_seed(0)) * 3
    got = next_token_logits(logits, text.tolist(), with_(no_repeat_ngram=2, **asked))
    torch.testing.assert_close(got.softmax(-1), processors(text, logits).softmax(-1), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("text", "n", "banned"),
    [
        ([1, 2, 1], 2, {2}),
        ([1, 2, 3, 1, 2], 3, {3}),
        ([1, 2], 3, set()),
        ([4, 4], 1, {4}),
        ([1, 1, 1], 2, {1}),
        ([], 1, set()),
    ],
)
def test_a_token_repeats_an_n_gram_where_it_completes_one_that_was_there(
    text: list[int], n: int, banned: set[int]
) -> None:
    assert set(repeating_tokens(text, n)) == banned


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    shares = torch.tensor([0.5, 0.3, 0.0, 0.2])
    generator = torch.Generator().manual_seed(0)
    drawn = Counter(int(draw(shares.log()[None], [generator])) for _ in range(4000))
    assert drawn[2] == 0
    for token, share in enumerate(shares.tolist()):
        assert abs(drawn[token] / 4000 - share) < 0.03
