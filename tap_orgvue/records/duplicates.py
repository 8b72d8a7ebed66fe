"""Counts the ids that occur more than once in an export, in about 9 bytes a row."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_PARTS = 32
"""Arrays of hashes: only one at a time becomes a set, which takes about ten times its size."""

_MASK = _PARTS - 1

_HASH = "l" if array("l").itemsize == array("q").itemsize else "q"
"""The array type of a hash: Python stores an item faster as `l`, which on Windows is too short."""


class DuplicateIds:
    """Finds duplicates by 64-bit hashes.

    Two different ids have one hash in one of three million exports of ten million rows.
    """

    def __init__(self) -> None:
        """Start without ids."""
        self._parts = [array(_HASH) for _ in range(_PARTS)]
        self._append = [part.append for part in self._parts]

    def add(self, ids: Iterable[object]) -> None:
        """Add the ids of some rows.

        Args:
            ids: Texts, or other hashable values that are equal where ids are the same.
        """
        append = self._append
        for value in map(hash, ids):
            append[value & _MASK](value)

    @property
    def count(self) -> int:
        """The rows whose id an earlier row has. Takes time: to be read once, after the last row."""
        return sum(len(part) - len(set(part)) for part in self._parts)
