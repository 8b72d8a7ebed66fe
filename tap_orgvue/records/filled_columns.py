"""Which columns of an export have a value in any row, found out at next to no cost.

A column is looked at until its first value: mostly that is the first row. A column that had values
before is looked at until then in all rows, every other one in the first rows only.
"""

from __future__ import annotations

from operator import countOf
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

LEARNING_ROWS = 10_000
"""Rows in which columns are looked at that had no value before."""


class FilledColumns:
    """Watches the columns of one stream's records, over all pages.

    Attributes:
        filled: Names of the columns that have a value in a row so far.
    """

    def __init__(self, expected: Iterable[str] = (), others: Iterable[str] = ()) -> None:
        """Choose the columns.

        Args:
            expected: Names of columns that had values in the last complete export.
            others: Names of further columns.
        """
        self.filled: set[str] = set()
        self._expected = set(expected)
        self._open = {*self._expected, *others}
        self._rows = 0

    def look_at(
        self, records: Sequence[Any], reader: Callable[[str], Callable[[Any], Any] | None]
    ) -> None:
        """Look at some records.

        Args:
            records: In any form.
            reader: Gives a function that reads a column's value in one of them; None for a column
                that none of them has.
        """
        if not self._open or not records:
            return
        if self._rows >= LEARNING_ROWS:
            self._open &= self._expected
        self._rows += len(records)
        for name in list(self._open):
            read = reader(name)
            if read is not None and (
                read(records[0]) is not None
                # Counted in C, without a list.
                or countOf(map(read, records), None) < len(records)
            ):
                self.filled.add(name)
                self._open.remove(name)

    @property
    def emptied(self) -> set[str]:
        """Names of the columns that had values before, and have none in any record so far."""
        return self._expected - self.filled
