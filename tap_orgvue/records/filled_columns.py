"""Finds the columns of an export that have a value in any row, at nearly no cost.

A column is searched until its first value, mostly found in the first row. A column that had values
in the last export is searched in all rows, any other one in the first rows and in a sample of the
rest.
"""

from __future__ import annotations

from operator import countOf
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

LEARNING_ROWS = 1_000
"""The number of first rows, by whole blocks, in which every column is searched."""
SAMPLED = 16
"""One of this many further rows is in the sample."""


class FilledColumns:
    """Searches the records of one stream, over all pages.

    Attributes:
        filled: Names of the columns that have a value in a row so far.
    """

    def __init__(self, expected: Iterable[str] = (), others: Iterable[str] = ()) -> None:
        """Choose the columns to search.

        Args:
            expected: Names of columns that had values in the last complete export.
            others: Names of further columns.
        """
        self.filled: set[str] = set()
        self._expected = set(expected)
        self._open = {*self._expected, *others}
        self._rows = 0
        self._readers: dict[str, Callable[[Any], Any] | None] = {}

    def start_page(self) -> None:
        """Called before the records of each page, which may have another form."""
        self._readers = {}

    def look_at(
        self, records: Sequence[Any], reader: Callable[[str], Callable[[Any], Any] | None]
    ) -> None:
        """Search some records.

        Args:
            records: Row structs or dicts, all of one kind.
            reader: Gives a function that reads a column's value in one of them; None for a column
                that none of them has. Called once a page.
        """
        if not self._open or not records:
            return
        sample = records if self._rows < LEARNING_ROWS else records[::SAMPLED]
        self._rows += len(records)
        for name in list(self._open):
            if name not in self._readers:
                self._readers[name] = reader(name)
            read = self._readers[name]
            some = records if name in self._expected else sample
            if read is not None and (
                read(some[0]) is not None
                # Counted in C, without a list.
                or countOf(map(read, some), None) < len(some)
            ):
                self.filled.add(name)
                self._open.remove(name)

    @property
    def emptied(self) -> set[str]:
        """Names of the columns that had values before, and have none in any record so far."""
        return self._expected - self.filled
