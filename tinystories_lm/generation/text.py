"""Track one text during generation: its tokens, the part that can be shown, and why it ended."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum

import torch
from tokenizers import Tokenizer

from tinystories_lm.config.schema import SamplingConfig
from tinystories_lm.data.tokenizer import END_OF_TEXT_ID

REPLACEMENT_CHARACTER = "\ufffd"  # the decoding of bytes that are not (yet) a character
NOT_ABOUT_DRAWING = ("prompts", "count", "seed")


class End(StrEnum):
    """Why a text ended."""

    end_of_text = "end_of_text"  # the model ended it
    stop = "stop"  # it contains a stop string
    max_tokens = "max_tokens"
    context = "context"  # the context is full
    nothing_left = "nothing_left"  # every token would repeat an n-gram


@dataclass(frozen=True)
class Sample:
    """A finished text, with the settings it was written with."""

    prompt: str
    text: str  # the prompt and what follows
    ended: End
    settings: dict[str, object]


class Text:
    """A text during generation.

    prompt_ids: at least one token.
    seed: for this text's own draws, so that it does not depend on the others in its batch.
    """

    def __init__(
        self, prompt: str, prompt_ids: Sequence[int], tokenizer: Tokenizer, config: SamplingConfig, *, seed: int
    ) -> None:
        self.prompt, self.config, self.seed = prompt, config, seed
        self.ids = list(prompt_ids)
        self.written = ""
        self.ended: End | None = None
        self.random = torch.Generator().manual_seed(seed)
        self._tokenizer, self._prompt_tokens = tokenizer, len(prompt_ids)
        self._undecoded: list[int] = []  # the newest tokens, whose bytes end within a character

    def add(self, token: int) -> None:
        """Append `token`, or end the text if it is the end-of-text token."""
        if token == END_OF_TEXT_ID:
            self.end(End.end_of_text)
            return
        self.ids.append(token)
        self._undecoded.append(token)
        decoded = self._tokenizer.decode(self._undecoded)
        if not decoded.endswith(REPLACEMENT_CHARACTER):
            self._append(decoded)
        if self.ended is None and len(self.ids) - self._prompt_tokens == self.config.max_tokens:
            self.end(End.max_tokens)

    def end(self, why: End) -> None:
        """Decode what is left and end the text, unless it has ended already."""
        if self._undecoded:
            self._append(self._tokenizer.decode(self._undecoded))
        self.ended = self.ended or why

    def _append(self, decoded: str) -> None:
        """Append decoded tokens, and end the text before the first stop string that they complete."""
        self._undecoded.clear()
        longest = max(map(len, self.config.stop), default=0)
        search_from = max(0, len(self.written) - longest + 1)
        self.written += decoded
        found = [place for stop in self.config.stop if (place := self.written.find(stop, search_from)) >= 0]
        if found:
            self.written, self.ended = self.written[: min(found)], End.stop

    @property
    def final(self) -> str:
        """Return the text that is safe to show: all but a suffix that may begin a stop string."""
        if self.ended is not None:
            return self.written
        lengths = (
            length
            for stop in self.config.stop
            for length in range(1, len(stop))
            if self.written.endswith(stop[:length])
        )
        return self.written[: len(self.written) - max(lengths, default=0)]

    def sample(self) -> Sample:
        assert self.ended is not None
        settings = drawing_settings(self.config) | {"seed": self.seed}
        return Sample(self.prompt, self.prompt + self.written, self.ended, settings)


def drawing_settings(config: SamplingConfig) -> dict[str, object]:
    """Return the settings that decide how a token is drawn."""
    return {field.name: getattr(config, field.name) for field in fields(config) if field.name not in NOT_ABOUT_DRAWING}
