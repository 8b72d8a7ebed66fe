"""The layout of an export's rows: the column and the struct field of each position."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from tap_orgvue.orgvue.models import ID
from tap_orgvue.schema.column_types import ColumnType, column_type_of
from tap_orgvue.schema.naming import RESCUED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tap_orgvue.orgvue.models import Property
    from tap_orgvue.schema.columns import Column

Row = Any
"""A struct that msgspec encodes as its record; each export has a struct type of its own."""

_NO_FIELD_NAME = re.compile(r'["\\\x00-\x1f]')


def can_encode_rows_of(names: Iterable[str]) -> bool:
    """True if row structs with these column names serialize to the same JSON as the records."""
    return not any(_NO_FIELD_NAME.search(name) for name in names)


def field_of(position: int) -> str:
    """The struct field that holds the cell at a position."""
    return f"cell{position}"


class RowLayout:
    """The layout of one export's rows. Never changes after construction.

    Attributes:
        columns: The column at each position; None for a cell without a column.
        declared_types: The type that the header at each position declares.
        names: The record's keys in order: delivered columns, missing columns, `_rescued_data`.
        key_columns: Names of the columns that identify a record; never null.
        row: The struct type of a row.
        id_field: The struct field of Orgvue's `_id`, or None.
        cellwise: Positions that are decoded cell by cell: without a column, or hashed.
        date_positions: Positions of date columns.
    """

    def __init__(
        self,
        headers: Sequence[Property],
        columns: Sequence[Column],
        key_columns: Sequence[str] = (),
        *,
        rescue: bool = True,
    ) -> None:
        """Decide the column and the field of each position.

        Args:
            headers: The export's columns, in the order of its cells.
            columns: The stream's columns. One that the export lacks is null in every record.
            key_columns: Names of the columns that identify a record.
            rescue: True if records have `_rescued_data`.
        """
        by_key = {column.key: column for column in columns}
        delivered = {header.key for header in headers}
        self.columns = [by_key.get(header.key) for header in headers]
        self.declared_types = [column_type_of(header.key, header.type) for header in headers]
        self.key_columns = frozenset(key_columns)
        missing = [column.name for column in columns if column.key not in delivered]
        self.names = [column.name for column in self.columns if column] + missing
        if rescue:
            self.names.append(RESCUED)
        self.row = self._row_struct(len(missing), rescue=rescue)
        self.id_field = next((field_of(i) for i, column in self.shown() if column.key == ID), None)
        self.cellwise = frozenset(
            i for i, column in enumerate(self.columns) if column is None or column.hashed
        )
        self.date_positions = frozenset(
            i for i, column in self.shown() if column.type is ColumnType.DATE
        )
        self._fields = {column.name: field_of(i) for i, column in self.shown()}
        self._pick = self._picker()

    def shown(self) -> list[tuple[int, Column]]:
        """Position and column of every cell that has a column."""
        return [(i, column) for i, column in enumerate(self.columns) if column]

    def is_key(self, position: int) -> bool:
        """True if the column at a position belongs to the record's key."""
        column = self.columns[position]
        return column is not None and column.name in self.key_columns

    def field_named(self, name: str) -> str | None:
        """The struct field of a column; None where the export lacks it."""
        return self._fields.get(name)

    def make_rows(self, cells: list[Any]) -> list[Row]:
        """Row structs from lists of cells; columns that the export lacks are null."""
        make, pick = self.row, self._pick
        if pick is None:
            return [make(*row) for row in cells]
        return [make(*pick(row)) for row in cells]

    def _row_struct(self, missing: int, *, rescue: bool) -> type[msgspec.Struct]:
        cells = [(field_of(i), Any) for i, _ in self.shown()]
        nulls = [(f"missing{i}", Any, None) for i in range(missing)]
        rescued = [("rescued", Any, None)] if rescue else []
        fields: list[Any] = [*cells, *nulls, *rescued]
        names = {entry[0]: name for entry, name in zip(fields, self.names, strict=True)}
        rename = names if can_encode_rows_of(self.names) else None
        # Cells never refer to their row, so rows need no garbage collection.
        return msgspec.defstruct("Row", fields, rename=rename, gc=False)

    def _picker(self) -> Callable[[Any], Sequence[Any]] | None:
        """A function that picks the cells with a column; None if all cells have one."""
        positions = [i for i, _ in self.shown()]
        if len(positions) == len(self.columns):
            return None
        return lambda row: [row[i] for i in positions]
