"""Keep the W&B table of all texts that a run has written."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from tinystories_lm.tracking.wandb_run import GRACE_SECONDS, SAMPLE_COLUMNS, finishes_within

if TYPE_CHECKING:
    import wandb

RESEND_GROWTH = 10  # a sent table is sent again when it has grown by 1 / RESEND_GROWTH


class SamplesTable:
    """The texts by their step, and when to send them.

    earlier: texts from before a resume; they are sent with the next new ones.

    The SDK keeps every table that it is given, so a long table is sent again only when it has grown by a tenth, and at
    the end of the run.
    """

    def __init__(self, earlier: Iterable[Mapping[str, object]]) -> None:
        self._rows: dict[int, list[list[object]]] = {}
        for sample in earlier:
            self._rows.setdefault(int(str(sample.get("step", 0))), []).append(_cells(sample))
        self._is_changed = False
        self._next_length = 0  # evaluations to collect before the table is sent again
        self.is_sent = True  # whether the newest attempt to send it has succeeded

    def add(self, step: int, samples: Sequence[Mapping[str, object]]) -> None:
        """Set the texts of a step."""
        self._rows[step], self._is_changed = [_cells({**sample, "step": step}) for sample in samples], True

    @property
    def has_grown(self) -> bool:
        return len(self._rows) >= self._next_length

    def send(self, run: "wandb.Run") -> None:
        """Send the table if it has changed. The SDK first asks the server, for 19 s where none answers."""
        if not self._is_changed:
            return
        import wandb

        self._is_changed = False
        self._next_length = len(self._rows) + len(self._rows) // RESEND_GROWTH
        rows = [row for _, rows in sorted(self._rows.items()) for row in rows]
        table = wandb.Table(columns=list(SAMPLE_COLUMNS), data=rows)
        self.is_sent = finishes_within(GRACE_SECONDS, lambda: run.log({"samples": table}, commit=False))


def _cells(sample: Mapping[str, object]) -> list[object]:
    return [sample.get("step"), sample.get("prompt"), sample.get("text"), str(sample.get("settings"))]
