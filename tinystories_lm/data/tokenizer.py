"""TEMPORARY stand-in until the real module lands."""

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

END_OF_TEXT = "<|endoftext|>"


def train_tokenizer(documents, vocab_size):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(
        documents,
        trainers.BpeTrainer(
            vocab_size=vocab_size,
            special_tokens=[END_OF_TEXT],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return t


def load_tokenizer(path):
    return Tokenizer.from_file(str(path))


def token_byte_lengths(tokenizer):
    n = tokenizer.get_vocab_size()
    out = np.zeros(n, dtype=np.int64)
    for token, i in tokenizer.get_vocab().items():
        out[i] = 0 if token == END_OF_TEXT else len(token)
    return out
