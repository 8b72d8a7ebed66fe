"""Makes the records of an export's blocks of rows; all choices are made before the first row.

Values that do not fit their column are rescued and counted, values of hashed columns are hashed.
"""

from __future__ import annotations

import operator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from tap_orgvue.orgvue.errors import MalformedResponse, Misconfigured
from tap_orgvue.records.row_decoder import RowDecoder
from tap_orgvue.records.row_layout import RowLayout, field_of
from tap_orgvue.records.values import (
    Counts,
    Fitter,
    Misfit,
    fit_date,
    fit_date_time,
    json_text,
    read_cell,
)
from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.timestamps import all_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Sequence

    from tap_orgvue.orgvue.models import Property
    from tap_orgvue.records.row_decoder import DecodePlan
    from tap_orgvue.records.row_layout import Row
    from tap_orgvue.schema.columns import Column

    Cells = list[Any]
    """The cells of one column, in the order of the rows."""

    _ColumnFit = tuple[int, Column, Callable[[Cells], Cells | None]]
    """Position, column, and a function that fits the column's cells; None if no cell changes."""

Record = dict[str, Any]
T = TypeVar("T", bound="Cells | None")

_FIT: dict[ColumnType, Callable[[Any], Any]] = {
    ColumnType.DATE: fit_date,
    ColumnType.DATE_TIME: fit_date_time,
}
_CACHE_BYTES = 24_000_000
"""About the most memory of a cache; dates repeat, so more is rarely needed."""
_ENTRY_BYTES = 250
"""About the memory of an entry, besides the characters of its text."""
_MAX_CACHED_TEXT = 64
"""The longest text in a cache, in characters; no date is longer."""


class RecordMaker:
    """Makes the records of one page of an export.

    Attributes:
        counts: Totals so far, over all pages of the stream.
    """

    def __init__(  # noqa: PLR0913 - everything that is decided before the first row
        self,
        headers: Sequence[Property],
        columns: Sequence[Column],
        key_columns: Sequence[str] = (),
        *,
        counts: Counts | None = None,
        rescue: bool = True,
        rescued_keys: Container[str] = (),
        hashed_keys: Container[str] = (),
        hash_key: bytes | None = None,
        may_be_lossy: bool = True,
        decimals: bool = True,
    ) -> None:
        """Decide what each cell of a row becomes.

        Args:
            headers: The export's columns, in the order of its cells.
            columns: The stream's columns. One that the export lacks is null in every record; a
                cell without a column is dropped.
            key_columns: Names of the columns that identify a record; never null.
            counts: The counts of earlier pages, to be continued.
            rescue: True if values that do not fit are kept in `_rescued_data`; otherwise they are
                errors.
            rescued_keys: Keys of properties without a column, kept in `_rescued_data`.
            hashed_keys: The rescued keys whose values are hashed.
            hash_key: The secret key of the hashes.
            may_be_lossy: False if a scan of the whole body found nothing that typed decoding
                alters.
            decimals: False if numbers that no float holds exactly become floats in `records`:
                stream maps cannot calculate with a Decimal and a float.
        """
        self._decimals = decimals
        self.counts = counts or Counts()
        self._layout = RowLayout(headers, columns, key_columns, rescue=rescue)
        self._decoder = RowDecoder(self._layout, may_be_lossy=may_be_lossy)
        self._rescue = rescue
        self._number_names = [
            column.name for _, column in self._layout.shown() if column.type is ColumnType.NUMBER
        ]
        self._hash_key = hash_key or b""
        self._fitter = Fitter(self.counts)
        self._caches = {column_type: _FitCache(fit) for column_type, fit in _FIT.items()}
        self._planned: tuple[DecodePlan, list[_ColumnFit]] | None = None
        self._rescued_rows: list[Row] = []
        names = {column.name for column in columns}
        self._unmapped = [
            (
                i,
                # A column's misfits are rescued by its name, which may be another property's key.
                f"{header.key} (property)" if header.key in names else header.key,
                self._unmapped_reader(i, header.key, hashed=header.key in hashed_keys),
            )
            for i, header in enumerate(headers)
            if self._layout.columns[i] is None and header.key in rescued_keys
        ]

    def records(self, block: bytes) -> list[Record]:
        """The records of a JSON array of rows, as dicts; raises what `rows` does."""
        # Stream maps see dates as the texts that loaders get.
        self._decoder.read_dates_as_text()
        names = self._layout.names
        records = [
            dict(zip(names, msgspec.structs.astuple(row), strict=True)) for row in self.rows(block)
        ]
        if not self._decimals:
            for name in self._number_names:
                for record in records:
                    if type(record[name]) is Decimal:
                        record[name] = float(record[name])
        return records

    def rows(self, block: bytes) -> list[Row]:
        """The records of a JSON array of rows, as structs that encode to the same JSON.

        Raises:
            msgspec.DecodeError: The block is not a JSON array of whole arrays.
            MalformedResponse: A row does not have a cell for each header, or its key is null.
            Misconfigured: A value does not fit, and none are rescued.
        """
        cells, plan = self._decoder.decode(block, self.counts.rows)
        rows = self._layout.make_rows(cells)
        for i, column, fit in self._fits(plan):
            given = [row[i] for row in cells]
            values = fit(given)
            if values is not None:
                field = field_of(i)
                for row, value in zip(rows, values, strict=True):
                    fitted = self._misfit(row, column, value) if type(value) is Misfit else value
                    setattr(row, field, fitted)
            if column.name in self.counts.misfits:
                self._count_values(column.name, given if values is None else values)
        for i, key, read in self._unmapped:
            for row, value in zip(rows, read([cell[i] for cell in cells]), strict=True):
                if value is not None and self._rescue:
                    self._keep(row, key, value)
        for row in self._rescued_rows:
            row.rescued = json_text(row.rescued)
        self._rescued_rows = []
        self.counts.rows += len(rows)
        return rows

    @property
    def fields(self) -> dict[str, str]:
        """Column name to its struct field, without columns that the export lacks."""
        return {column.name: field_of(i) for i, column in self._layout.shown()}

    def values(self, rows: Sequence[Row], name: str) -> Iterable[Any]:
        """The values of a column, without nulls and empty texts; none where the export lacks it."""
        field = self._layout.field_named(name)
        return filter(None, map(operator.attrgetter(field), rows)) if field else ()

    def texts(self, rows: Sequence[Row], name: str) -> Iterable[str]:
        """The same as texts, as the records have them."""
        # `str` of a date is the text in its record.
        return map(str, self.values(rows, name))

    # -- fitting

    def _fits(self, plan: DecodePlan) -> list[_ColumnFit]:
        """The columns that need work after decoding, each with its fit."""
        if self._planned is None or self._planned[0] is not plan:
            layout = self._layout
            typed = [(i, column) for i, column in layout.shown() if i not in plan.cellwise]
            fits: list[_ColumnFit] = [
                *(
                    (i, column, self._checked(column, self._caches[column.type].fit_all))
                    for i, column in typed
                    if column.type in _FIT and i not in plan.dates
                ),
                *(
                    (i, column, self._cell_fit(i, column))
                    for i, column in layout.shown()
                    if i in plan.cellwise
                ),
            ]
            # Values are rescued in the order of the columns, whatever the plan is.
            self._planned = (plan, sorted(fits, key=operator.itemgetter(0)))
        return self._planned[1]

    def _cell_fit(self, position: int, column: Column) -> Callable[[Cells], Cells]:
        if column.hashed:
            declared = self._layout.declared_types[position]
            read = self._reader(column.name, lambda raw: self._hash(declared, raw))
        else:
            read = self._reader(column.name, lambda raw: self._fitter.fit(column.type, raw))
        return self._checked(column, read)

    def _checked(self, column: Column, fit: Callable[[Cells], T]) -> Callable[[Cells], T]:
        """The fit of a column; that of a key's column refuses nulls and blanks."""
        if column.name not in self._layout.key_columns:
            return fit

        def fit_key(cells: Cells) -> T:
            values = fit(cells)
            if values is not None and None in values:
                raise MalformedResponse(
                    f"A row of an export has no value for its key '{column.name}' (after row "
                    f"{self.counts.rows}); no table can hold it."
                )
            return values

        return fit_key

    def _unmapped_reader(
        self, position: int, key: str, *, hashed: bool
    ) -> Callable[[Cells], Cells]:
        if hashed:
            declared = self._layout.declared_types[position]
            return self._reader(key, lambda raw: self._hash(declared, raw))
        return self._reader(key, lambda raw: self._fitter.storable(read_cell(raw)))

    def _reader(self, name: str, read: Callable[[bytes], Any]) -> Callable[[Cells], Cells]:
        """Reads a column's cells, each from its JSON text.

        Args:
            name: The column's name, for the error.
            read: Reads one cell.
        """

        def read_all(cells: Cells) -> Cells:
            try:
                return [read(bytes(cell)) for cell in cells]
            except UnicodeDecodeError:
                raise MalformedResponse(
                    f"A value of '{name}' is not UTF-8 text (after row {self.counts.rows})."
                ) from None

        return read_all

    def _hash(self, declared: ColumnType, raw: bytes) -> str | None:
        """The hash of a value; see `Fitter.hashed`."""
        return self._fitter.hashed(declared, raw, self._hash_key)

    # -- misfits

    def _misfit(self, row: Row, column: Column, misfit: Misfit) -> Any:
        """Rescue a value that does not fit.

        Returns:
            The part that the column can hold, mostly None.

        Raises:
            MalformedResponse: The column is a key.
            Misconfigured: No values are rescued.
        """
        self.counts.misfits[column.name] += 1
        if misfit.fitted is None and column.name in self._layout.key_columns:
            raise MalformedResponse(
                f"A value of the key '{column.name}' does not fit its column (after row "
                f"{self.counts.rows}); no table can hold such a row."
            )
        if not self._rescue:
            raise Misconfigured(
                f"A value of {column.key!r} does not fit its column ({self._which(row)}), and "
                "`rescue_data` is false. Correct it in Orgvue, set its type with "
                "`property_types`, or set `rescue_data` to true."
            )
        self._keep(row, column.name, misfit.whole)
        return misfit.fitted

    def _count_values(self, name: str, values: Cells) -> None:
        self.counts.values[name] += len(values) - values.count(None)
        self.counts.rows_counted[name] += len(values)

    def _keep(self, row: Row, name: str, value: Any) -> None:
        """Keep a value for a row's `_rescued_data`, which is made once the block is read."""
        if row.rescued is None:
            row.rescued = {}
            self._rescued_rows.append(row)
        row.rescued[name] = value

    def _which(self, row: Row) -> str:
        """The row's id, or its place, for a message."""
        id_field = self._layout.id_field
        row_id = getattr(row, id_field) if id_field else None
        # JSON text, which is fitted after this column, may be a value to be hashed.
        if not row_id or isinstance(row_id, (msgspec.Raw, bytes)):
            return f"row {self.counts.rows + 1} of its block or after"
        return f"row {row_id}"


class _FitCache(dict[str | None, Any]):
    """Fitted values of one column type by their text, up to a bound of memory."""

    def __init__(self, fit: Callable[[Any], Any]) -> None:
        super().__init__({None: None})
        self._fit = fit
        self._bytes = 0
        self._unchanged: set[str | None] = {None}

    def fit_all(self, values: list[str | None]) -> list[Any] | None:
        """Fit a column's values; None if no value changes."""
        if self._unchanged.issuperset(values):
            return None
        if self._fit is fit_date_time and all_plain(values):
            return None
        return list(map(self.__getitem__, values))

    def __missing__(self, value: str) -> Any:
        fitted = self._fit(value)
        if len(value) > _MAX_CACHED_TEXT:
            return fitted
        self._bytes += len(value) + _ENTRY_BYTES
        if self._bytes > _CACHE_BYTES:
            self.clear()
            self[None] = None
            self._unchanged = {None}
            self._bytes = 0
        self[value] = fitted
        if fitted == value:
            self._unchanged.add(value)
        return fitted
