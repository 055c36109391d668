"""Drawing the next token: the standard's distributions, a text for a seed, an end where one is due."""

import dataclasses
from collections import Counter
from collections.abc import Sequence

import pytest
import torch
from tokenizers import Tokenizer

from tests.model.test_transformer import SMALL, build
from tinystories_lm.config.schema import SamplingConfig
from tinystories_lm.data.tokenizer import END_OF_TEXT_ID, train_tokenizer
from tinystories_lm.generation.decoder import Decoder
from tinystories_lm.generation.generate import (
    End,
    Text,
    begin_texts,
    draw,
    next_token_logits,
    repeating_tokens,
    write,
    write_texts,
)
from tinystories_lm.model.transformer import Transformer
from tinystories_lm.system.errors import DivergedError, UsageError

PLAIN = SamplingConfig(
    prompts=["x"],
    count=1,
    seed=7,
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
CONTEXT = SMALL.context_tokens


def with_(**changes: object) -> SamplingConfig:
    return SamplingConfig(**{**dataclasses.asdict(PLAIN), **changes})


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


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(["Once upon a time. The end. “Größe” 🐶 𝄞"] * 3, 270, allow_smaller_vocabulary=True)


@pytest.fixture(scope="module")
def model(tokenizer: Tokenizer) -> Transformer:
    """Random weights: every byte sequence comes out, valid UTF-8 or not."""
    model = Transformer(SMALL, vocab_size=tokenizer.get_vocab_size())
    model.initialise(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(8.0 if weight.dim() > 1 else 1.0)
    return model.eval()


class Written:
    """Texts written from token ids, in one group."""

    def __init__(self, model: Transformer, tokenizer: Tokenizer) -> None:
        self.model, self.tokenizer = model, tokenizer

    def __call__(self, *prompts: Sequence[int], seeds: Sequence[int] = (7,), **controls: object) -> list[Text]:
        config = with_(**controls)
        texts = [
            Text("", ids, self.tokenizer, config, seed=seed)
            for ids, seed in zip(prompts, seeds * len(prompts), strict=False)
        ]
        for _ in write(Decoder(self.model, len(texts)), texts, config):
            pass
        return texts


@pytest.fixture
def written(model: Transformer, tokenizer: Tokenizer) -> Written:
    return Written(model, tokenizer)


def test_greedy_decoding_takes_the_likeliest_token_of_the_full_pass(written: Written) -> None:
    text = [1, 2, 3]
    while len(text) < CONTEXT:
        likeliest = int(written.model(torch.tensor([text]))[0, -1].argmax())
        if likeliest == END_OF_TEXT_ID:
            break
        text.append(likeliest)
    assert written([1, 2, 3], temperature=0.0)[0].ids == text


def test_a_text_depends_on_its_seed_and_not_on_those_beside_it(written: Written) -> None:
    many = written([1, 2], [5], [3, 4, 5], [1, 2], seeds=(7, 8, 9, 10))
    alone = [written(text.ids[:size], seeds=(text.seed,))[0] for text, size in zip(many, (2, 1, 3, 2), strict=True)]
    assert [text.ids for text in alone] == [text.ids for text in many]
    assert len({text.written for text in many}) == 4
    assert [text.ids for text in many] == [
        text.ids for text in written([1, 2], [5], [3, 4, 5], [1, 2], seeds=(7, 8, 9, 10))
    ]


def test_a_text_ends_at_max_tokens_and_at_the_contexts_end(written: Written) -> None:
    (text,) = written([1, 2], seeds=(3,))
    assert (len(text.ids), text.ended) == (CONTEXT, End.context)
    (short,) = written([1, 2], seeds=(3,), max_tokens=3)
    assert (short.ids, short.ended) == (text.ids[:5], End.max_tokens)


def test_a_text_ends_before_the_end_of_text_token(model: Transformer, tokenizer: Tokenizer) -> None:
    text = Text("", [1], tokenizer, PLAIN, seed=0)
    text.add(5)
    text.add(END_OF_TEXT_ID)
    assert (text.ids, text.ended) == ([1, 5], End.end_of_text)


def test_beyond_the_context_a_text_goes_on_from_its_last_half(written: Written) -> None:
    (text,) = written([1, 2], temperature=0.0, beyond_context=True, max_tokens=40, no_repeat_ngram=2)
    assert (len(text.ids), text.ended) == (42, End.max_tokens)
    window, taken = [1, 2], [1, 2]
    while len(taken) < 42:
        if len(window) == CONTEXT:
            window = window[-(CONTEXT // 2) :]
        logits = next_token_logits(
            written.model(torch.tensor([window]))[:, -1], [taken], with_(temperature=0.0, no_repeat_ngram=2)
        )
        taken.append(int(logits.argmax()))
        window.append(taken[-1])
    assert text.ids == taken


def test_texts_that_are_re_read_at_different_times_do_not_disturb_each_other(written: Written) -> None:
    asked = {"beyond_context": True, "max_tokens": 30}
    together = written([1, 2], [3] * 9, [4, 5, 6, 7], seeds=(1, 2, 3), **asked)
    for text, size in zip(together, (2, 9, 4), strict=True):
        assert written(text.ids[:size], seeds=(text.seed,), **asked)[0].ids == text.ids


def test_where_every_token_would_repeat_the_text_ends(written: Written) -> None:
    everything = list(range(1, written.tokenizer.get_vocab_size()))
    text = Text("", everything, written.tokenizer, with_(no_repeat_ngram=1, beyond_context=True), seed=0)
    text.ids.insert(0, END_OF_TEXT_ID)
    logits = next_token_logits(torch.zeros(1, len(everything) + 1), [text.ids], text.config)
    assert logits.isneginf().all()


def test_a_stop_string_ends_the_text_before_it_wherever_tokens_divide_it(tokenizer: Tokenizer) -> None:
    for stop in ("The end", " end.", "end", "d."):
        text, shown = Text("", [1], tokenizer, with_(stop=["nowhere", stop]), seed=0), ""
        for token in tokenizer.encode("Once upon a time. The end. Once").ids:
            if text.ended is None:
                text.add(token)
                assert text.settled.startswith(shown), "what was shown is not taken back"
                shown = text.settled
        assert (shown, text.ended) == ("Once upon a time. The end. Once".split(stop)[0], End.stop)


def test_what_only_looked_like_a_stop_string_is_shown(tokenizer: Tokenizer) -> None:
    text = Text("", [1], tokenizer, with_(stop=["The elephant"]), seed=0)
    for token in tokenizer.encode("The end").ids:
        text.add(token)
    assert text.settled == "The end"
    text = Text("", [1], tokenizer, with_(stop=["The end of it"]), seed=0)
    for token in tokenizer.encode("Once The end").ids:
        text.add(token)
    assert text.settled == "Once "
    text.end(End.max_tokens)
    assert text.settled == "Once The end"


def test_what_is_shown_grows_and_never_holds_a_part_of_a_character(tokenizer: Tokenizer) -> None:
    story = "“Größe” 🐶 𝄞 日本"
    text, shown = Text("", [1], tokenizer, PLAIN, seed=0), ""
    for token in tokenizer.encode(story).ids:
        text.add(token)
        assert text.settled.startswith(shown) and story.startswith(text.settled)
        shown = text.settled
    assert shown == story


@pytest.mark.parametrize("seed", range(20))
def test_the_shown_parts_are_the_text_whatever_bytes_it_has(written: Written, seed: int) -> None:
    (text,) = written([1], seeds=(seed,))
    assert text.written == written.tokenizer.decode(text.ids[1:])


def test_samples_come_in_the_prompts_order_with_their_seeds(model: Transformer, tokenizer: Tokenizer) -> None:
    samples = write_texts(model, tokenizer, ["Once", "", "The"], with_(max_tokens=4), count=2)
    assert [(sample.prompt, sample.settings["seed"]) for sample in samples] == [
        ("Once", 7), ("Once", 8), ("", 7), ("", 8), ("The", 7), ("The", 8)
    ]  # fmt: skip
    assert all(sample.text.startswith(sample.prompt) for sample in samples)
    assert samples[0].settings["repetition_penalty"] == 1.0
    assert "prompts" not in samples[0].settings


def test_a_prompt_without_room_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(UsageError, match="at most 15: shorten it"):
        begin_texts(tokenizer, ["The end. " * 9], PLAIN, count=1, context_tokens=CONTEXT)


def test_logits_that_are_not_finite_stop_with_the_layer_where_it_began(tokenizer: Tokenizer) -> None:
    broken = build(wide=1.0)
    with torch.no_grad():
        broken.get_parameter("blocks.1.attention.output.weight").fill_(torch.inf)
    text = Text("", [1], tokenizer, PLAIN, seed=0)
    with pytest.raises(DivergedError, match="it begins in the attention of layer 1"):
        next(write(Decoder(broken, 1), [text], PLAIN))
