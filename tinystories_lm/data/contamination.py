"""Held-out documents that also stand in the training text: a model that knows them by heart scores too well."""

from collections import Counter
from collections.abc import Iterator

from tinystories_lm.data.corpus import Split
from tinystories_lm.data.segmentation import Chunk


class Overlap:
    """Counts them while the splits are read, the training split last; memory grows with the held-out ones only."""

    def __init__(self) -> None:
        self._held_out: dict[Split, Counter[int]] = {}
        self._met: set[int] = set()

    def watch(self, split: Split, stream: Iterator[Chunk]) -> Iterator[Chunk]:
        """The same pieces."""
        key, wanted = 0, set[int]().union(*self._held_out.values())
        counts = Counter[int]() if split is Split.TRAIN else self._held_out.setdefault(split, Counter())
        for piece in stream:
            # 64 bits of Python's own hash, which costs a hundredth of encoding: among a million held-out and a hundred
            # million training documents one in 200,000 runs takes two for the same.
            key = hash((key, piece.text))
            if piece.ends_document:
                if split is not Split.TRAIN:
                    counts[key] += 1
                elif key in wanted:
                    self._met.add(key)
                key = 0
            yield piece

    def count(self, split: Split) -> int:
        """How many of the split's documents also stand, word for word, in the training split."""
        return sum(times for key, times in self._held_out[split].items() if key in self._met)
