"""Count held-out documents that also occur in the training text, which make the validation loss too low."""

from collections import Counter
from collections.abc import Iterator

from tinystories_lm.data.corpus import Split
from tinystories_lm.data.segmentation import Chunk


class Contamination:
    """Counts the held-out documents that the training split contains, while the splits are read, that one last.

    Memory grows with the held-out documents only.
    """

    def __init__(self) -> None:
        self._held_out: dict[Split, Counter[int]] = {}
        self._met: set[int] = set()

    def watch(self, split: Split, stream: Iterator[Chunk]) -> Iterator[Chunk]:
        """Yield the same chunks, and note the documents they form."""
        key, wanted = 0, set[int]().union(*self._held_out.values())
        counts = Counter[int]() if split is Split.TRAIN else self._held_out.setdefault(split, Counter())
        for chunk in stream:
            # Python's 64-bit hash costs a hundredth of encoding. With a million held-out and a hundred million training
            # documents, a false match occurs in one of 200,000 runs.
            key = hash((key, chunk.text))
            if chunk.ends_document:
                if split is not Split.TRAIN:
                    counts[key] += 1
                elif key in wanted:
                    self._met.add(key)
                key = 0
            yield chunk

    def count(self, split: Split) -> int:
        """Count the split's documents that occur word for word in the training split."""
        return sum(times for key, times in self._held_out[split].items() if key in self._met)
