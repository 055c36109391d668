"""Rows in a file: what a crash leaves of them, and what is written after."""

from pathlib import Path

import pytest

from tinystories_lm.system.jsonl import JsonlWriter, read_rows


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_file_that_lost_its_tail_costs_those_rows_and_no_later_one(tmp_path: Path, cut: int) -> None:
    """The checkpoint knew of four rows of nine bytes; power was cut before all of them were on the disk."""
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"".join(b'{"n": %d}\n' % number for number in range(4))[:-cut])
    records = JsonlWriter(path, keep_bytes=36)
    for number in (4, 5):
        records.append({"n": number})
    records.close()
    whole = 4 if cut == 1 else 3 if cut < 11 else 2
    assert [row["n"] for row in read_rows(path, dict)] == [*range(whole), 4, 5]
    reopened = JsonlWriter(path, keep_bytes=path.stat().st_size)
    assert reopened.sha256 == records.sha256, "what was added is part of the hash"
