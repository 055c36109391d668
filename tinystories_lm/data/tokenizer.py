"""The tokenizer: byte-level BPE with GPT-2's pre-tokenizer: no text is unknown, and each comes back exactly."""

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from tinystories_lm.system.errors import DamagedError, UsageError
from tinystories_lm.system.files import read_plain
from tinystories_lm.system.json_files import from_json, to_json

END_OF_TEXT = "<|endoftext|>"  # id 0, the only special token: it follows every document
END_OF_TEXT_ID = 0


def train_tokenizer(texts: Iterable[str], vocab_size: int, *, allow_smaller_vocabulary: bool = False) -> Tokenizer:
    """Learn `vocab_size` entries: END_OF_TEXT, the 256 bytes, and the most frequent pairs (Sennrich et al. 2016).

    texts: bounded pieces, as corpus.pieces() cuts them: the trainer's time is quadratic in the longest word.

    Raises UsageError where the texts hold fewer pairs than that, unless `allow_smaller_vocabulary`.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    _answering_signals(tokenizer, texts, trainer)
    tokenizer.encode_special_tokens = True
    found = tokenizer.get_vocab_size()
    if found < vocab_size and not allow_smaller_vocabulary:
        raise UsageError(
            f"the corpus fills {found:,} entries of data.vocab_size={vocab_size}: bring more text, "
            f"set data.vocab_size={found} or allow it with data.allow_smaller_vocabulary=true"
        )
    return tokenizer


def _answering_signals(tokenizer: Tokenizer, texts: Iterable[str], trainer: trainers.Trainer) -> None:
    """Train, and end at once where a signal raises an exception.

    The trainer draws its texts on a thread of its own and holds up the one that called it, on which Python would have
    to handle the signal: so that is another one, and ours only waits.
    """
    left = threading.Event()

    def until_left() -> Iterator[str]:
        for text in texts:
            if left.is_set():
                raise InterruptedError
            yield text

    with ThreadPoolExecutor(max_workers=1) as caller:
        training = caller.submit(tokenizer.train_from_iterator, until_left(), trainer)
        try:
            training.result()
        finally:
            left.set()


def load_tokenizer(path: Path) -> Tokenizer:
    """Read a tokenizer.json; `<|endoftext|>` inside a text to encode stays text.

    What a stranger's file may ask for beside, to cut, to fill up or to change a text, is not done.

    Raises DamagedError where the file is missing or is no such tokenizer.
    """
    try:
        stored = from_json(read_plain(path))
        if stored["model"]["type"] != "BPE" or stored.get("normalizer") or stored.get("post_processor"):
            raise DamagedError(f"{path} is no tokenizer of this program: it is not byte-level BPE alone")
        tokenizer = Tokenizer.from_str(to_json(stored | dict.fromkeys(("truncation", "padding"))))
        entries = tokenizer.get_vocab()
    except DamagedError:
        raise
    except Exception as error:  # tokenizers raises plain Exception
        raise DamagedError(f"{path} is no readable tokenizer: {error}") from error
    if sorted(entries.values()) != list(range(len(entries))):
        raise DamagedError(f"{path} is no tokenizer of this program: its entries are not numbered from 0 on")
    if tokenizer.token_to_id(END_OF_TEXT) != END_OF_TEXT_ID:
        raise DamagedError(f"{path} is no tokenizer of this program: {END_OF_TEXT} is not its entry {END_OF_TEXT_ID}")
    tokenizer.encode_special_tokens = True  # not stored in the file
    return tokenizer


def token_byte_lengths(tokenizer: Tokenizer) -> NDArray[np.int64]:
    """How many bytes of text each token stands for [V]; END_OF_TEXT stands for none."""
    lengths_V = np.zeros(tokenizer.get_vocab_size(), dtype=np.int64)
    for token, index in tokenizer.get_vocab().items():
        lengths_V[index] = 0 if index == END_OF_TEXT_ID else len(token)  # each byte is written as one character
    return lengths_V
