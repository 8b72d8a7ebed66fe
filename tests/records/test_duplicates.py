"""Ids that occur more than once: each further row is counted, and nothing else."""

from __future__ import annotations

import tracemalloc
import uuid

import pytest

from tap_orgvue.records.duplicates import DuplicateIds


def ids(count: int) -> list[str]:
    """Ids as Orgvue makes them."""
    return [str(uuid.uuid5(uuid.NAMESPACE_DNS, str(i))).upper() for i in range(count)]


@pytest.mark.parametrize(
    "blocks,count",
    [
        ([], 0),
        ([[]], 0),
        ([["a"]], 0),
        ([["a", "b"], ["c"]], 0),
        ([["a", "a"]], 1),
        ([["a"], ["b"], ["a"]], 1),
        ([["a", "b", "a"], ["a", "b"]], 3),
        ([["a", "A", "a ", ""], ["", "á"]], 1),
        ([[1, 2], [1.0, "1"]], 1),
    ],
)
def test_each_further_row_with_an_id_is_counted(blocks: list[list[object]], count: int) -> None:
    """Duplicates are found within a block and across blocks; ids that only look alike are not."""
    duplicates = DuplicateIds()
    for block in blocks:
        duplicates.add(block)
    assert duplicates.count == count
    assert duplicates.count == count


@pytest.mark.slow
def test_every_duplicate_of_many_ids_is_found() -> None:
    """Among many ids, each single duplicate counts, wherever it stands."""
    many = ids(20_000)
    duplicates = DuplicateIds()
    duplicates.add(many)
    assert duplicates.count == 0
    duplicates.add(many[::1000])
    assert duplicates.count == 20


@pytest.mark.slow
def test_a_row_takes_at_most_16_bytes() -> None:
    """All that is kept of an id, and its count at the end, take at most 16 bytes a row."""
    many = ids(100_000)
    for each in many:
        hash(each)
    tracemalloc.start()
    try:
        duplicates = DuplicateIds()
        for start in range(0, len(many), 500):
            duplicates.add(many[start : start + 500])
        assert duplicates.count == 0
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak / len(many) <= 16
