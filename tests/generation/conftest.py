"""A tokenizer and a model of random weights, for texts that hold anything."""

import pytest
import torch
from tokenizers import Tokenizer

from tests.model.test_transformer import SMALL
from tinystories_lm.data.tokenizer import train_tokenizer
from tinystories_lm.model.transformer import Transformer


@pytest.fixture(scope="package")
def tokenizer() -> Tokenizer:
    return train_tokenizer(["Once upon a time. The end. “Größe” 🐶 𝄞"] * 3, 270, allow_smaller_vocabulary=True)


@pytest.fixture(scope="package")
def model(tokenizer: Tokenizer) -> Transformer:
    """Random weights: every byte sequence comes out, valid UTF-8 or not."""
    model = Transformer(SMALL, vocab_size=tokenizer.get_vocab_size())
    model.initialise(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(8.0 if weight.dim() > 1 else 1.0)
    return model.eval()
