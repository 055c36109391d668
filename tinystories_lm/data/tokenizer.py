"""Byte-level BPE with GPT-2's pre-tokenizer, which encodes every text and decodes it exactly."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from tinystories_lm.data.segmentation import CHUNK_CHARS, Chunk
from tinystories_lm.system.errors import DamagedError, UsageError
from tinystories_lm.system.files import read_plain
from tinystories_lm.system.json_files import from_json, to_json
from tinystories_lm.system.signals import result_of

END_OF_TEXT = "<|endoftext|>"  # id 0 and the only special token; it follows every document
END_OF_TEXT_ID = 0
# Most text without white space to train a tokenizer on: the trainer needs 80 bytes and 2 us for each character of it.
GIANT_WORD_CHARS = 2_000_000
PORTION_CHUNKS = 64  # a longer document is several portions, of which a share can be chosen


class TrainingText:
    """Chooses the text that a tokenizer is trained on: an evenly spaced share of the documents.

    A document of more than PORTION_CHUNKS counts as several. Beyond GIANT_WORD_CHARS, text without white space is left
    out.

    bytes: of the chosen text, so far.
    """

    def __init__(self, share: float) -> None:
        self.share, self.bytes = share, 0
        self._giant_chars = 0

    def choose(self, chunks: Iterable[Chunk], *, advance: Callable[[int], object]) -> Iterator[str]:
        """Yield the chosen texts, and call `advance` with the bytes of each."""
        for text in self._evenly_spaced(chunks):
            size = len(text.encode())
            self.bytes += size
            advance(size)
            if not self._is_too_much_of_a_giant_word(text):
                yield text

    def _evenly_spaced(self, chunks: Iterable[Chunk]) -> Iterator[str]:
        portion, n_chunks = 0, 0
        for text, ends_document in chunks:
            if int((portion + 1) * self.share) > int(portion * self.share):
                yield text
            n_chunks += 1
            if ends_document or n_chunks == PORTION_CHUNKS:
                portion, n_chunks = portion + 1, 0

    def _is_too_much_of_a_giant_word(self, text: str) -> bool:
        if len(text) < CHUNK_CHARS or len(text.split(None, 1)) > 1:
            return False
        self._giant_chars += len(text)
        return self._giant_chars > GIANT_WORD_CHARS


def train_tokenizer(texts: Iterable[str], vocab_size: int, *, allow_smaller_vocabulary: bool = False) -> Tokenizer:
    """Learn `vocab_size` entries: END_OF_TEXT, the 256 bytes, and the most frequent pairs (Sennrich et al. 2016).

    texts: chunks of bounded length, because the trainer's time is quadratic in the longest word.

    Raises UsageError where the texts have too few pairs, unless `allow_smaller_vocabulary`.
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
    _train_interruptibly(tokenizer, texts, trainer)
    tokenizer.encode_special_tokens = True
    found = tokenizer.get_vocab_size()
    if found < vocab_size and not allow_smaller_vocabulary:
        raise UsageError(
            f"the corpus fills only {found:,} entries of data.vocab_size={vocab_size}: add text, "
            f"set data.vocab_size={found} or allow it with data.allow_smaller_vocabulary=true"
        )
    return tokenizer


def _train_interruptibly(tokenizer: Tokenizer, texts: Iterable[str], trainer: trainers.Trainer) -> None:
    """Train on another thread, so that a signal that raises an exception ends the training at once.

    Python handles signals on the main thread, which the trainer would block.
    """
    stopped = threading.Event()

    def until_stopped() -> Iterator[str]:
        for text in texts:
            if stopped.is_set():
                raise InterruptedError
            yield text

    with ThreadPoolExecutor(max_workers=1) as caller:
        training = caller.submit(tokenizer.train_from_iterator, until_stopped(), trainer)
        try:
            result_of(training)
        finally:
            stopped.set()


def load_tokenizer(path: Path) -> Tokenizer:
    """Read a tokenizer.json; `<|endoftext|>` inside a text that is encoded stays text.

    Truncation and padding that a foreign file asks for are ignored.

    Raises DamagedError where the file is missing or is not a tokenizer of this program.
    """
    try:
        stored = from_json(read_plain(path))
        if stored["model"]["type"] != "BPE" or stored.get("normalizer") or stored.get("post_processor"):
            raise DamagedError(f"{path} is not a tokenizer of this program: it is not plain byte-level BPE")
        tokenizer = Tokenizer.from_str(to_json(stored | dict.fromkeys(("truncation", "padding"))))
        entries = tokenizer.get_vocab()
    except DamagedError:
        raise
    except Exception as error:  # tokenizers raises plain Exception
        raise DamagedError(f"{path} cannot be read as a tokenizer: {error}") from error
    if sorted(entries.values()) != list(range(len(entries))):
        raise DamagedError(f"{path} is not a tokenizer of this program: its entries are not numbered from 0 on")
    if tokenizer.token_to_id(END_OF_TEXT) != END_OF_TEXT_ID:
        raise DamagedError(
            f"{path} is not a tokenizer of this program: {END_OF_TEXT} is not its entry {END_OF_TEXT_ID}"
        )
    tokenizer.encode_special_tokens = True  # not stored in the file
    return tokenizer


def token_byte_lengths(tokenizer: Tokenizer) -> NDArray[np.int64]:
    """Return the number of bytes of text that each token encodes [V]; 0 for END_OF_TEXT."""
    lengths_V = np.zeros(tokenizer.get_vocab_size(), dtype=np.int64)
    for token, index in tokenizer.get_vocab().items():
        if index != END_OF_TEXT_ID:
            lengths_V[index] = len(token)  # a vocabulary writes each byte as one character
    return lengths_V
